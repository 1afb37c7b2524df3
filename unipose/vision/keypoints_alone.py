"""Keypoints without their picture to posed bodies: the landmark lifter, given COCO's 17 alone.

It has learned to do without either of its two networks, and without some landmarks; a fit brings
its answer nearer to what was seen. Missing keypoints are allowed as long as most are there.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, load_body
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.errors import LiftingError
from unipose.vision.body_landmarks import BLAZE, COCO, LandmarkedBody
from unipose.vision.crops import Crops
from unipose.vision.fitting import fit
from unipose.vision.landmark_lifter import LandmarkLifter, SeenLandmarks
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes

LEAST_KEYPOINTS = 8
"""Of COCO's 17: of somebody of whom fewer are known nearly all would be made up."""
MARGIN = 0.08
"""By how much a body reaches beyond its keypoints, in sizes of their box."""


class KeypointsAlone:
    """From 2D keypoints of any set to bodies and COCO's joints."""

    def __init__(self, lifter: LandmarkLifter | None = None, body: Body | None = None) -> None:
        """Open what is not given: the embedded lifter, and the body whose betas it says."""
        self._lifter = lifter or LandmarkLifter.from_pretrained()
        self._landmarks = LandmarkedBody(body or load_body())

    def recover(self, seen: Keypoints) -> RecoveredMeshes:
        """Return a body for each row, in the axes of a camera that looks at the person.

        Sets are mapped by name. Raises LiftingError that names the first row in which too few
        keypoints are known, or all are at one place.
        """
        mapped = seen.mapped_to(COCO_17)
        few = (mapped.present.sum(dim=1) < LEAST_KEYPOINTS).nonzero()
        if len(few):
            row = int(few[0])
            others = f" ({len(few)} of {len(seen)} frames are like that); leave them out"
            raise LiftingError(
                f"frame {row} has {int(mapped.present[row].sum())} of COCO's 17 keypoints, "
                f"expected {LEAST_KEYPOINTS} or more{others if len(seen) > 1 else ''}"
            )
        points = mapped.points[..., :2].float()
        crops = Crops.around(_boxes(points, mapped))
        landmarks = SeenLandmarks(
            points=torch.cat([points, points.new_zeros(len(points), BLAZE, 2)], dim=1),
            scores=torch.cat([mapped.scores.float(), points.new_zeros(len(points), BLAZE)], dim=1),
            world=points.new_zeros(len(points), BLAZE, 3),
        ).in_crops(crops)
        found = self._lifter.lift(landmarks)
        return fit(found, landmarks, self._landmarks, self._lifter.errors)

    def joints(self, found: RecoveredMeshes) -> Float[Tensor, "row 17 3"]:
        """Return COCO's keypoints of bodies from the middle of the hips (metres, camera's axes)."""
        _, landmarks = self._landmarks(found.rotations, found.betas)
        coco = landmarks[:, :COCO]
        hips = COCO_17.indices("left_hip", "right_hip")
        return coco - coco[:, hips].mean(dim=1, keepdim=True)


def _boxes(points: Float[Tensor, "row 17 2"], seen: Keypoints) -> Float[Tensor, "row 4"]:
    there = seen.present[..., None]
    low = torch.where(there, points, torch.inf).amin(dim=1)
    high = torch.where(there, points, -torch.inf).amax(dim=1)
    size = (high - low).amax(dim=1, keepdim=True)
    if bool((size <= 0).any()):
        row = int((size <= 0).nonzero()[0, 0])
        raise LiftingError(f"frame {row} has all keypoints at one place: that is no person")
    return torch.cat([low - MARGIN * size, high + MARGIN * size], dim=1)
