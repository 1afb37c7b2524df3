"""People in photographs as posed bodies: keypoint networks, a lifter of their landmarks, a fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, load_body
from unipose.body.keypoints import LEAST_SCORE, Keypoints
from unipose.body.people import Box, PersonInImage
from unipose.body.pose import Pose
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.vision.body_landmarks import COCO, LandmarkedBody
from unipose.vision.crops import Crops
from unipose.vision.fitting import FittingConfig, fit, seen_landmarks
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector
from unipose.vision.landmark_lifter import LandmarkLifter, SeenLandmarks
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes
from unipose.vision.tracking import OUTLINE_SHARE
from unipose.vision.turned_square import Pixels


class LandmarkEstimator:
    """Everything from pixels to bodies; the body is the one whose betas the lifter says."""

    def __init__(
        self,
        detector: KeypointDetector | None = None,
        lifter: LandmarkLifter | None = None,
        body: Body | None = None,
        *,
        fitting: FittingConfig | None = None,
    ) -> None:
        """Open what is not given.

        Raises MissingFileError or WeightsError that say how to get what is missing.
        """
        self.detector = detector or KeypointDetector()
        self.lifter = lifter or LandmarkLifter.from_pretrained()
        self._body = body or load_body()
        self._landmarks = LandmarkedBody(self._body)
        self._fitting = fitting or FittingConfig()

    def recover(
        self, people: Sequence[DetectedPerson], *, focal_px: float | None = None
    ) -> tuple[RecoveredMeshes, Crops]:
        """Return detected people as posed bodies, and the crops that those are said of."""
        boxes = [person.person.box for person in people]
        crops = Crops.around(torch.tensor(boxes, dtype=torch.float32).view(-1, 4))
        seen = SeenLandmarks.of(people).in_crops(crops)
        found = self.lifter.lift(seen)
        focal = None if focal_px is None else focal_px / crops.side
        return fit(
            found, seen, self._landmarks, self.lifter.errors, self._fitting, focal=focal
        ), crops

    def people(
        self, pixels: Pixels, boxes: Sequence[Box] | None = None, *, focal_px: float | None = None
    ) -> tuple[PersonInImage, ...]:
        """Return the people in a picture (RGB), or one for each box, with keypoints and pose.

        See `RecoveredMeshes.in_picture` for their places and the camera.
        """
        size_px = pixels.shape[1], pixels.shape[0]
        return self.placed(self.detector.find(pixels, boxes), size_px, focal_px=focal_px)

    def placed(
        self,
        detected: Sequence[DetectedPerson],
        size_px: tuple[int, int],
        *,
        focal_px: float | None = None,
    ) -> tuple[PersonInImage, ...]:
        """Return people detected in a picture of this width and height with pose and camera."""
        if not detected:
            return ()
        found, crops = self.recover(detected, focal_px=focal_px)
        placed = found.people(crops, size_px, focal_px=focal_px, body=self._body)
        return tuple(
            replace(one.person, pose=other.pose, camera=other.camera)
            for one, other in zip(detected, placed, strict=True)
        )

    def agreement(
        self, meshes: RecoveredMeshes, crops: Crops, seen: Keypoints
    ) -> Float[Tensor, " person"]:
        """Return how well bodies, whoever says them, agree with COCO keypoints that were seen.

        Object keypoint similarity (0 to 1) of each body, seen through its crop's long lens, with
        the row of `seen` (pixels) beside it; keypoints with a score below LEAST_SCORE do not count.
        """
        points = crops.to_picture(seen_landmarks(meshes, self._landmarks, self.lifter.errors))
        similarity = object_keypoint_similarity(
            points[:, :COCO], seen.points, present=seen.scores >= LEAST_SCORE,
            area_px=OUTLINE_SHARE * crops.side.square() / 2, sigmas=seen.keypoint_set.sigmas,
        )  # fmt: skip
        return similarity.diagonal()

    def estimate(self, image: np.ndarray, *, box: Box) -> Pose:
        """Return the pose of the person in a box, as whoever looks at their crop sees it."""
        found, _ = self.recover(self.detector.find(image, [box]))
        return found.pose()
