"""Whose 3D joints are better: those of keypoints alone, BlazePose's own, or of all landmarks?

The same people are found by the same detector; several ways lead from there to joints. `keypoints`
lifts COCO's 17 keypoints (`unipose lift`), `blazepose` is that network's own depth, `landmarks` the
lifter of all landmarks with its fit (`unipose estimate` and `track`), `lifter` one that
`train.lifter` taught (`--lifter FOLDER`).

On the studio's people, whose truth is known (mm, over shoulders, elbows, wrists, hips, knees and
ankles, hips' middle on hips' middle): `WAY.mpjpe_mm`, `.p_mpjpe_mm`, `.bsle` and, without a truth,
`.lse` (percent). On photographs marked by hand (`--photos`): `WAY.photo_pck_02`, the share of
marked joints within 0.2 torso lengths of the joints laid over them by the best shift and size, and
`WAY.photo_lse`. Run as `python -m eval.lifted_people --data FOLDER [--photos FOLDER]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig
from eval.estimation import HELD_OUT_STUDIO
from eval.photographs import NEAR, read_photos
from eval.pictures import SeenPerson, studio_people
from eval.program import print_result, print_table, run, track
from unipose.body.body import load_body
from unipose.body.keypoint_sets import COCO_17, KeypointSet
from unipose.lifting.keypoint_lifter import KeypointLifter
from unipose.lifting.segments import segments_of
from unipose.metrics import limb_symmetry_error, mpjpe, pa_mpjpe, segment_length_error
from unipose.vision.body_landmarks import COCO, LandmarkedBody
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector
from unipose.vision.keypoints_alone import KeypointsAlone
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.mesh_recovery_protocol import LEVEL

LIMBS = KeypointSet(
    name="limbs", names=COCO_17.names[5:],
    bones=tuple((a, b) for a, b in COCO_17.bones if {a, b} <= set(COCO_17.names[5:])),
)  # fmt: skip
"""The twelve joints of arms and legs, which all ways say."""


@dataclass(frozen=True, kw_only=True)
class LiftedPeopleOptions:
    """Options of eval.lifted_people."""

    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv: recordings that the studio's people move by."""
    split: Literal["val", "test"] = "test"
    people: int = 200
    photos: Path | None = None
    """Folder with people.json and photographs."""
    lifter: Path | None = None
    """Folder of a lifter of COCO's keypoints that is measured too."""
    side_px: int = 256
    seed: int = 0
    json: bool = False
    """Print one JSON object as the last line."""


class WaysToJoints:
    """From detected people to the limbs' joints, in each way."""

    def __init__(
        self, lifter: KeypointLifter | None, estimator: LandmarkEstimator, body: LandmarkedBody
    ) -> None:
        self.lifter, self.estimator, self.body = lifter, estimator, body
        self.alone = KeypointsAlone(estimator.lifter)
        self.names = ["keypoints", "blazepose", "landmarks", *(["lifter"] if lifter else [])]

    def joints(self, people: Sequence[DetectedPerson]) -> dict[str, Float[Tensor, "person 12 3"]]:
        """Return metres from the middle of the hips: x right, y down, z ahead."""
        found, _ = self.estimator.recover(people)
        _, landmarks = self.body(found.rotations, found.betas)
        said = {
            "keypoints": torch.cat(
                [self.alone.joints(self.alone.recover(person.body)) for person in people]
            )[:, 5:],
            "blazepose": torch.cat(
                [person.landmarks.world.mapped_to(LIMBS).points.float() for person in people]
            ),
            "landmarks": landmarks[:, :COCO][:, 5:],
        }
        if self.lifter is not None:
            lifted = [self.lifter.lift(person.body) for person in people]
            said["lifter"] = torch.cat(lifted)[:, 5:]
        return {way: from_hips(joints) for way, joints in said.items()}


def from_hips(joints: Float[Tensor, "person 12 3"]) -> Float[Tensor, "person 12 3"]:
    """Return the joints from the middle of the hips."""
    return joints - joints[:, LIMBS.indices("left_hip", "right_hip")].mean(dim=1, keepdim=True)


def overlaid(
    joints: Float[Tensor, "person 12 3"],
    points: Float[Tensor, "person 12 2"],
    marked: Bool[Tensor, "person 12"],
) -> Float[Tensor, "person 12 2"]:
    """Return where joints land when size and shift are the best ones for the marked points."""
    weight = marked.float()[..., None]
    count = weight.sum(1, keepdim=True)
    flat = joints[..., :2]
    own, goal = ((weight * some).sum(1, keepdim=True) / count for some in (flat, points))
    size = (weight * (flat - own) * (points - goal)).sum((1, 2)) / (
        (weight * (flat - own).square()).sum((1, 2)).clamp(min=1e-9)
    )
    return size[:, None, None] * (flat - own) + goal


@torch.no_grad()
def measure_studio(
    ways: WaysToJoints, detector: KeypointDetector, people: Sequence[SeenPerson]
) -> dict[str, float]:
    """Return the figures on people whose truth is known."""
    said: dict[str, list[Tensor]] = {way: [] for way in ways.names}
    truth = []
    for person in track(people, "studio"):
        assert person.pixels is not None
        for way, joints in ways.joints(detector.find(person.pixels, [person.box])).items():
            said[way].append(joints)
        betas = torch.zeros(10) if person.betas is None else person.betas
        _, landmarks = ways.body(person.rotations[None].float(), betas[None].float())
        # the truth has the viewer's axes, lifters those of the camera
        truth.append(from_hips(landmarks[:, 5:COCO]) @ LEVEL.mT)
    segments, true = segments_of(LIMBS), torch.cat(truth)
    result = {}
    for way in ways.names:
        joints = torch.cat(said[way])
        figures = {
            "mpjpe_mm": 1000 * mpjpe(joints, true),
            "p_mpjpe_mm": 1000 * pa_mpjpe(joints, true),
            "lse": limb_symmetry_error(joints, segments.left, segments.right),
            "bsle": segment_length_error(joints, true, segments.limbs),
        }
        result |= {f"{way}.{name}": float(value.mean()) for name, value in figures.items()}
    return result


@torch.no_grad()
def measure_photos(
    ways: WaysToJoints, detector: KeypointDetector, folder: Path
) -> dict[str, float]:
    """Return the figures on people marked by hand."""
    near: dict[str, list[Tensor]] = {way: [] for way in ways.names}
    lse: dict[str, list[Tensor]] = {way: [] for way in ways.names}
    segments = segments_of(LIMBS)
    for photo in track(list(read_photos(folder)), "photographs"):
        for person in photo.people:
            marks = person.keypoints.mapped_to(LIMBS)
            if person.torso_px <= 0 or int(marks.present.sum()) < 4:
                continue
            for way, joints in ways.joints(detector.find(photo.pixels, [person.box])).items():
                apart = overlaid(joints, marks.points.float(), marks.present) - marks.points
                near[way].append((apart.norm(dim=-1) < NEAR * person.torso_px)[marks.present])
                lse[way].append(limb_symmetry_error(joints, segments.left, segments.right))
    return {
        name: float(value)
        for way in ways.names
        for name, value in (
            (f"{way}.photo_pck_02", 100 * torch.cat(near[way]).float().mean()),
            (f"{way}.photo_lse", torch.cat(lse[way]).mean()),
        )
    }


def measure(options: LiftedPeopleOptions) -> dict[str, object]:
    """Return the figures of the three ways."""
    body, detector = load_body(), KeypointDetector()
    ways = WaysToJoints(
        None if options.lifter is None else KeypointLifter.from_pretrained(options.lifter),
        LandmarkEstimator(detector, body=body), LandmarkedBody(body),
    )  # fmt: skip
    config = StudioConfig(
        seed=HELD_OUT_STUDIO + options.seed, mixed=0.0, height_px=options.side_px,
        width_px=options.side_px,
    )  # fmt: skip
    studio = Studio(config, Motions.read(options.data, options.split, fps=10.0), body)
    result: dict[str, object] = {}
    result |= measure_studio(ways, detector, studio_people(studio, options.people))
    if options.photos is not None:
        result |= measure_photos(ways, detector, options.photos)
    return result | {"people": options.people, "split": options.split}


def main(options: LiftedPeopleOptions) -> None:
    """Compare ways from keypoints to 3D joints."""
    result = measure(options)
    if not options.json:
        names = list(dict.fromkeys(n.split(".")[1] for n in result if "." in n))
        ways = dict.fromkeys(n.split(".")[0] for n in result if "." in n)
        print_table(
            f"Joints of arms and legs ({options.people} people of the studio, {options.split})",
            ["", *names],
            [(way, *(float(str(result[f"{way}.{n}"])) for n in names)) for way in ways],
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, LiftedPeopleOptions)
