"""People who walk through a picture as COCO's keypoints: what a detector would find of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from unipose.body.keypoint_sets import COCO_17, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage

_PLACES = {
    "nose": (0.0, -0.45), "eye": (0.02, -0.47), "ear": (0.05, -0.46), "shoulder": (0.1, -0.32),
    "elbow": (0.12, -0.15), "wrist": (0.13, 0.02), "hip": (0.07, 0.0), "knee": (0.07, 0.24),
    "ankle": (0.07, 0.48),
}  # fmt: skip
_SWING = {"elbow": 0.04, "wrist": 0.08, "knee": -0.06, "ankle": -0.12}


def walker_points(x: float, *, y: float = 240.0, height: float = 200.0, phase: float) -> Tensor:
    """Return the 17 points of a person in the middle of a step (pixels); who faces the camera."""
    points = torch.zeros(17, 2)
    for i, name in enumerate(COCO_17.names):
        side, _, part = name.rpartition("_")
        sign = {"left": 1, "right": -1}.get(side, 0)
        across, down = _PLACES[part]
        swing = sign * _SWING.get(part, 0.0) * math.sin(2 * math.pi * phase)
        points[i] = torch.tensor([x + height * (sign * across + swing), y + height * down])
    return points


def person(
    points: Tensor,
    *,
    with_keypoints: bool = True,
    confidence: float = 0.9,
    name: str = "",
    keypoint_set: KeypointSet = COCO_17,
) -> PersonInImage:
    """Return what a detector says of these points; `detector` carries who it really is."""
    box = (*points.amin(0).tolist(), *points.amax(0).tolist())
    keypoints = Keypoints.of(COCO_17, points[None])
    if keypoint_set != COCO_17:
        keypoints = keypoints.mapped_to(keypoint_set)
    return PersonInImage(
        box=box,
        keypoints=keypoints if with_keypoints else None,
        confidence=confidence,
        detector=name,
    )
