"""Scenes of one or two people as tensors: what is optimised, what was seen, and by which camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.body.keypoints import LEAST_SCORE, Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.vision.body_landmarks import LandmarkedBody

BODY_AND_FEET = KeypointSet(name="body-and-feet-23", names=COCO_WHOLEBODY_133.names[:23])
"""What is compared with what was seen, as in OpenPose's BODY-25."""
KEYPOINTS = len(BODY_AND_FEET)
POSED = 21
"""Joints whose turns are optimised: SMPL's without root and hands."""
NEAREST_M = 0.1
"""Points are taken to be at least so far ahead of the camera."""
_ANKLES = {15: (15, 17, 18, 19), 16: (16, 20, 21, 22)}
"""An ankle and its foot's keypoints."""
UNSEEN_FOOT_SCORE = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class SceneBatch:
    """Scenes with the same number of people."""

    turns: Float[Tensor, "scene person 21 3"]
    """Rotation vectors (radians)."""
    roots: Float[Tensor, "scene person 3 3"]
    hands: Float[Tensor, "scene person 2 3 3"]
    betas: Float[Tensor, "scene person 10"]
    translation: Float[Tensor, "scene person 3"]
    points: Float[Tensor, "scene person 23 2"]
    """Pixels."""
    scores: Float[Tensor, "scene person 23"]
    """0: not seen."""
    side_px: Float[Tensor, "scene person"]
    """Longer side of the box around the keypoints that are seen."""
    camera_from_world: Float[Tensor, "scene 3 3"]
    camera_place: Float[Tensor, "scene 3"]
    focal_px: Float[Tensor, " scene"]
    centre_px: Float[Tensor, "scene 2"]

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def people(self) -> int:
        """How many people each scene has."""
        return self.turns.shape[1]

    def __getitem__(self, rows: slice | Tensor) -> SceneBatch:
        """Return some of the scenes."""
        return replace(self, **{name: value[rows] for name, value in vars(self).items()})

    def to(self, device: torch.device | str) -> SceneBatch:
        """Return the same on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})

    @classmethod
    def of(cls, scenes: Sequence[ImagePeople], body: Body) -> SceneBatch:
        """Return scenes as tensors.

        Each person needs a pose with a place (`translation`); betas are 0 where there are none.
        Keypoints need a camera and the picture's size. Raises PoseQueryError if they are not there,
        or people are not equally many; PoseError for betas of another body.
        """
        counts = {len(scene.people) for scene in scenes}
        if len(counts) != 1 or not counts <= {1, 2}:
            raise PoseQueryError(f"expected scenes of 1 or of 2 people each, got {sorted(counts)}")
        rows = [[_person(one, scene, body) for one in scene.people] for scene in scenes]
        fields = {
            name: torch.stack([torch.stack([one[name] for one in row]) for row in rows])
            for name in rows[0][0]
        }
        return cls(**fields, **_cameras(scenes))

    def rotations(
        self,
        turns: Float[Tensor, "scene person 21 3"],
        root_turns: Float[Tensor, "scene person 3"],
    ) -> Float[Tensor, "body 24 3 3"]:
        """Return the local rotations of all people, scene by scene, with their roots turned."""
        roots = roma.rotvec_to_rotmat(root_turns) @ self.roots
        bent = roma.rotvec_to_rotmat(turns)
        return torch.cat([roots[:, :, None], bent, self.hands], dim=2).flatten(0, 1)

    def project(
        self, places: Float[Tensor, "scene person point 3"]
    ) -> Float[Tensor, "scene person point 2"]:
        """Return the pixels of world points."""
        away = places - self.camera_place[:, None, None]
        seen = away @ self.camera_from_world.mT[:, None]
        plane = seen[..., :2] / seen[..., 2:].clamp(min=NEAREST_M)
        return plane * self.focal_px[:, None, None, None] + self.centre_px[:, None, None]

    def with_unseen_feet(self, landmarks: LandmarkedBody) -> SceneBatch:
        """Return the batch with ankles that were not seen, and their feet, where the poses say.

        So a foot that nobody saw stays where the initial estimate has it (ProsePose does so).
        """
        places = landmark_places(self, landmarks)
        points, scores = self.points.clone(), self.scores.clone()
        said = self.project(places)
        some = self.scores.amax(dim=2) > 0  # of somebody without keypoints nothing is seen
        for ankle, foot in _ANKLES.items():
            unseen = (self.scores[:, :, ankle] < LEAST_SCORE) & some
            for keypoint in foot:
                points[:, :, keypoint][unseen] = said[:, :, keypoint][unseen]
                scores[:, :, keypoint][unseen] = UNSEEN_FOOT_SCORE
        return replace(self, points=points, scores=scores)

    def written(self, scenes: Sequence[ImagePeople], body: Body) -> list[ImagePeople]:
        """Return the scenes with the poses of this batch; everything else stays."""
        rotations = self.rotations(self.turns, torch.zeros_like(self.translation))
        rotations = roma.special_gramschmidt(rotations).cpu().unflatten(0, self.betas.shape[:2])
        betas, places = self.betas.cpu(), self.translation.cpu()
        return [
            replace(
                scene,
                people=tuple(
                    replace(
                        person,
                        pose=Pose(
                            rotations=rotations[s, p : p + 1], betas=betas[s, p : p + 1],
                            translation=places[s, p : p + 1], body=body.id,
                        ),
                    )
                    for p, person in enumerate(scene.people)
                ),
            )
            for s, scene in enumerate(scenes)
        ]  # fmt: skip


@torch.no_grad()
def landmark_places(
    batch: SceneBatch, landmarks: LandmarkedBody
) -> Float[Tensor, "scene person 23 3"]:
    """Return where the keypoints of a batch are in the world (metres)."""
    rotations = batch.rotations(batch.turns, torch.zeros_like(batch.translation))
    betas = batch.betas.flatten(0, 1)
    _, _, places = landmarks.chain(rotations, betas)
    rest = landmarks.rest_joints[0] + betas @ landmarks.joint_directions[0].T  # the pelvis's
    places = places + rest[:, None] + batch.translation.flatten(0, 1)[:, None]
    return places.unflatten(0, batch.betas.shape[:2])


def _person(person: PersonInImage, scene: ImagePeople, body: Body) -> dict[str, Tensor]:
    pose = person.pose
    if pose is None or pose.translation is None:
        raise PoseQueryError(f"{scene.image}: contacts need each person's pose and place")
    betas = body.betas_of(pose)
    points, scores, side = torch.zeros(KEYPOINTS, 2), torch.zeros(KEYPOINTS), torch.ones(())
    if person.keypoints is not None:
        points, scores, side = _seen(person.keypoints)
    return {
        "turns": roma.rotmat_to_rotvec(pose.rotations[0, 1 : 1 + POSED].float()),
        "roots": pose.rotations[0, 0].float(),
        "hands": pose.rotations[0, 1 + POSED :].float(),
        "betas": torch.zeros(10) if betas is None else betas[0].float(),
        "translation": pose.translation[0].float(),
        "points": points,
        "scores": scores,
        "side_px": side,
    }


def _seen(keypoints: Keypoints) -> tuple[Tensor, Tensor, Tensor]:
    """Return body and feet by name out of any keypoint set, and the side of their box."""
    known = keypoints.mapped_to(BODY_AND_FEET)
    points, scores = known.points[0, :, :2].float(), known.scores[0].float()
    here = points[scores > 0]
    side = (here.amax(0) - here.amin(0)).max() if len(here) > 1 else torch.ones(())
    return points, scores, side.clamp(min=1.0)


def _cameras(scenes: Sequence[ImagePeople]) -> dict[str, Tensor]:
    """Return the cameras of the first people; one that nobody needs looks along -z."""
    turns, places, focals, centres = [], [], [], []
    for scene in scenes:
        camera = scene.people[0].camera
        if camera is None or scene.size_px is None:
            if any(person.keypoints is not None for person in scene.people):
                raise PoseQueryError(
                    f"{scene.image}: keypoints need a camera and the picture's size beside them"
                )
            camera = Camera(
                camera_from_world=torch.diag(torch.tensor([1.0, -1.0, -1.0])),
                position=torch.zeros(3), focal=1.0,
            )  # fmt: skip
        width, height = scene.size_px or (1, 1)
        turns.append(camera.camera_from_world.float())
        places.append(camera.position.float())
        focals.append(camera.focal * height)
        right, down = camera.centre
        centres.append([width / 2 + right * height, height / 2 + down * height])
    return {
        "camera_from_world": torch.stack(turns),
        "camera_place": torch.stack(places),
        "focal_px": torch.tensor(focals),
        "centre_px": torch.tensor(centres),
    }
