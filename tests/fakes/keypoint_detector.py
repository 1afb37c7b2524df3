"""Keypoint networks that need no files: they see a little person in every box."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from unipose.body.keypoint_sets import BLAZEPOSE_33, COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, PersonInImage
from unipose.vision.blazepose import BodyLandmarks
from unipose.vision.keypoint_detector import DetectedPerson, KeypointDetector
from unipose.vision.turned_square import Pixels


class FakeKeypointDetector(KeypointDetector):
    """Says the same of the same box."""

    def __init__(self) -> None:
        """Open nothing."""

    def find(self, pixels: Pixels, boxes: Sequence[Box] | None = None) -> list[DetectedPerson]:
        """Return one person for each box; without boxes one who fills the picture."""
        height, width = pixels.shape[:2]
        return [_person(box) for box in boxes or [(0.0, 0.0, float(width), float(height))]]


def _person(box: Box) -> DetectedPerson:
    left, top, right, bottom = box
    generator = torch.Generator().manual_seed(round(left + 7 * top + 49 * right))
    size, corner = torch.tensor([right - left, bottom - top]), torch.tensor([left, top])
    coco, blaze = (torch.rand(1, n, 2, generator=generator) * size + corner for n in (17, 33))
    world = 0.3 * torch.randn(1, 33, 3, generator=generator)
    scores = torch.rand(1, 33, generator=generator)
    return DetectedPerson(
        person=PersonInImage(
            box=box,
            keypoints=Keypoints.of(COCO_17, coco, scores=torch.rand(1, 17, generator=generator)),
        ),
        landmarks=BodyLandmarks(
            seen=Keypoints.of(BLAZEPOSE_33, blaze, scores=scores),
            world=Keypoints.of(BLAZEPOSE_33, world, scores=scores),
            presence=1.0,
        ),
    )
