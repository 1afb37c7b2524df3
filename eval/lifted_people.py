"""Whose 3D joints are better: those of keypoints alone, BlazePose's own, or of all landmarks?

The same people are found by the same detector; several ways lead from there to joints. `keypoints`
lifts COCO's 17 keypoints (`unipose lift`), `blazepose` is that network's own depth, `landmarks` the
lifter of all landmarks with its fit (`unipose estimate` and `track`), `lifter` one that
`train.lifter` taught (`--lifter FOLDER`).

On the studio's people, whose truth is known (mm, over shoulders, elbows, wrists, hips, knees and
ankles, hips' middle on hips' middle): `WAY.mpjpe_mm`, `.p_mpjpe_mm`, `.bsle` and, without a truth,
`.lse`, and `.limits`, how many elbows, knees and hips are bent as nobody's are (percent; `truth`
stands beside). On films of the studio (`--films`), each frame by itself: `WAY.film_limits` and, of
how frames go together, `.film_side_swaps`, `.film_front_flips` and `.film_length_drift` (percent,
see eval.plausible_joints). On photographs marked by hand (`--photos`): `WAY.photo_pck_02`, the
share of marked joints within 0.2 torso lengths of the joints laid over them by the best shift and
size, `WAY.photo_lse` and `WAY.photo_limits`.

Run as `python -m eval.lifted_people --data FOLDER [--photos FOLDER]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.labels import is_well_seen
from eval.estimation import HELD_OUT_STUDIO
from eval.photographs import NEAR, read_photos
from eval.pictures import SeenPerson, person_of_studio, studio_people
from eval.plausible_joints import LIMBS, beyond_limits, film_consistency
from eval.program import print_result, print_table, run, track
from unipose.body.body import load_body
from unipose.body.keypoints import Keypoints
from unipose.lifting.keypoint_lifter import KeypointLifter
from unipose.lifting.segments import segments_of
from unipose.metrics import limb_symmetry_error, mpjpe, pa_mpjpe, segment_length_error
from unipose.vision.body_landmarks import COCO, LandmarkedBody
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector
from unipose.vision.keypoints_alone import KeypointsAlone
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.mesh_recovery_protocol import LEVEL


@dataclass(frozen=True, kw_only=True)
class LiftedPeopleOptions:
    """Options of eval.lifted_people."""

    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv: recordings that the studio's people move by."""
    split: Literal["val", "test"] = "test"
    people: int = 200
    films: int = 6
    """Of the studio, one person in each; 0 leaves them out."""
    film_frames: int = 24
    film_fps: float = 10.0
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

    def joints(self, people: Sequence[DetectedPerson]) -> dict[str, Float[Tensor, "person 12 3"]]:
        """Return metres from the middle of the hips: x right, y down, z ahead."""
        found, _ = self.estimator.recover(people)
        bodies = Keypoints.stacked([person.body for person in people])
        _, landmarks = self.body(found.rotations, found.betas)
        said = {
            "keypoints": self.alone.joints(self.alone.recover(bodies))[:, 5:],
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


def seen_joints(
    ways: WaysToJoints, detector: KeypointDetector, people: Sequence[SeenPerson], what: str
) -> dict[str, Float[Tensor, "person 12 3"]]:
    """Return what each way says of people in their true boxes."""
    found: list[DetectedPerson] = []
    for person in track(people, what):
        assert person.pixels is not None
        found += detector.find(person.pixels, [person.box])
    return ways.joints(found)


def true_joints(ways: WaysToJoints, people: Sequence[SeenPerson]) -> Float[Tensor, "person 12 3"]:
    """Return what is true, in the camera's axes."""
    betas = [torch.zeros(10) if one.betas is None else one.betas for one in people]
    rotations = torch.stack([one.rotations for one in people])
    _, landmarks = ways.body(rotations.float(), torch.stack(betas).float())
    return from_hips(landmarks[:, 5:COCO]) @ LEVEL.mT  # the truth has the viewer's axes


@torch.no_grad()
def measure_studio(
    ways: WaysToJoints, detector: KeypointDetector, people: Sequence[SeenPerson]
) -> dict[str, float]:
    """Return the figures on people whose truth is known."""
    said = seen_joints(ways, detector, people, "studio")
    true = true_joints(ways, people)
    segments = segments_of(LIMBS)
    result = {"truth.limits": 100 * float(beyond_limits(true).float().mean())}
    for way, joints in said.items():
        figures = {
            "mpjpe_mm": 1000 * mpjpe(joints, true),
            "p_mpjpe_mm": 1000 * pa_mpjpe(joints, true),
            "lse": limb_symmetry_error(joints, segments.left, segments.right),
            "bsle": segment_length_error(joints, true, segments.limbs),
            "limits": 100 * beyond_limits(joints).float(),
        }
        result |= {f"{way}.{name}": float(value.mean()) for name, value in figures.items()}
    return result


@torch.no_grad()
def measure_films(
    ways: WaysToJoints, detector: KeypointDetector, studio: Studio, films: int
) -> dict[str, float]:
    """Return how plausible joints are over the frames in which somebody is seen well."""
    rows: dict[str, list[Tensor]] = {}
    for index in range(films):
        film = studio.film(index)
        people = [
            person_of_studio(image, person)
            for image in film.frames
            for person in image.people
            if person.number == 0 and is_well_seen(person)
        ]
        if len(people) < 3:
            continue
        said = seen_joints(ways, detector, people, f"film {index}")
        for way, joints in {**said, "truth": true_joints(ways, people)}.items():
            figures = film_consistency(joints) | {"limits": 100 * beyond_limits(joints).flatten()}
            for name, values in figures.items():
                rows.setdefault(f"{way}.film_{name}", []).append(values.float())
    return {name: float(torch.cat(values).mean()) for name, values in rows.items()}


@torch.no_grad()
def measure_photos(
    ways: WaysToJoints, detector: KeypointDetector, folder: Path
) -> dict[str, float]:
    """Return the figures on people marked by hand."""
    people, torsos = [], []
    found: list[DetectedPerson] = []
    for photo in track(list(read_photos(folder)), "photographs"):
        for person in photo.people:
            marks = person.keypoints.mapped_to(LIMBS)
            if person.torso_px > 0 and int(marks.present.sum()) >= 4:
                people.append(marks)
                torsos.append(person.torso_px)
                found += detector.find(photo.pixels, [person.box])
    points = torch.cat([marks.points for marks in people]).float()
    marked = torch.cat([marks.present for marks in people])
    near = NEAR * torch.tensor(torsos)[:, None]
    segments = segments_of(LIMBS)
    result = {}
    for way, joints in ways.joints(found).items():
        apart = (overlaid(joints, points, marked) - points).norm(dim=-1)
        lse = limb_symmetry_error(joints, segments.left, segments.right)
        result |= {
            f"{way}.photo_pck_02": 100 * float((apart < near)[marked].float().mean()),
            f"{way}.photo_lse": float(lse.mean()),
            f"{way}.photo_limits": 100 * float(beyond_limits(joints).float().mean()),
        }
    return result


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
    motions = Motions.read(options.data, options.split, fps=options.film_fps)
    studio = Studio(config, motions, body)
    result: dict[str, object] = {}
    result |= measure_studio(ways, detector, studio_people(studio, options.people))
    if options.films:
        filmed = replace(config, people=(1.0,), fps=options.film_fps, frames=options.film_frames)
        result |= measure_films(ways, detector, Studio(filmed, motions, body), options.films)
    if options.photos is not None:
        result |= measure_photos(ways, detector, options.photos)
    return result | {"people": options.people, "split": options.split}


def _told(value: object) -> str:
    return "" if value is None else f"{float(str(value)):.2f}"


def main(options: LiftedPeopleOptions) -> None:
    """Compare ways from keypoints to 3D joints."""
    result = measure(options)
    if not options.json:
        names = list(dict.fromkeys(n.split(".")[1] for n in result if "." in n))
        ways = dict.fromkeys(n.split(".")[0] for n in result if "." in n)
        print_table(
            f"Joints of arms and legs ({options.people} people of the studio, {options.split})",
            ["", *names],
            [(way, *(_told(result.get(f"{way}.{n}")) for n in names)) for way in ways],
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, LiftedPeopleOptions)
