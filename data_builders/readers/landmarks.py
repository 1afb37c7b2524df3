"""From the landmarks and worlds of data sets to ours: metres, y up, and the boxes of people."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.keypoint_sets import KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.errors import UnusableRecordError

Z_UP = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]], dtype=torch.float64)
"""Turns a world whose z is up into ours: (x, y, z) -> (x, z, -y)."""
Y_DOWN = torch.diag(torch.tensor([1.0, -1, -1], dtype=torch.float64))
"""Turns a camera's frame (x right, y down, z ahead), or a world that is one, into ours."""


def projected_keypoints(
    keypoint_set: KeypointSet, pixels: Float[Tensor, "keypoint 2"], size_px: tuple[int, int]
) -> Keypoints:
    """Return landmarks that were computed, not looked for: 1 in the picture, 0.5 outside of it."""
    within = ((pixels >= 0) & (pixels <= torch.tensor(size_px))).all(-1)
    scores = torch.where(within, 1.0, 0.5).to(pixels)
    return Keypoints.of(keypoint_set, pixels[None], scores[None])


def marked_keypoints(
    keypoint_set: KeypointSet,
    points: Float[Tensor, "keypoint axis"],
    seen: Float[Tensor, " keypoint"],
) -> Keypoints:
    """Return landmarks that people marked; UnusableRecordError if not one of them is labelled."""
    present = seen > 0
    if not bool(present.any()):
        raise UnusableRecordError("no keypoint of this person is labelled")
    return Keypoints.of(keypoint_set, points[None], seen[None], present=present[None])


def known_in_3d(keypoint_set: KeypointSet, points_m: Float[Tensor, "keypoint 3"]) -> Keypoints:
    """Return landmarks in our world; NaN means not measured, UnusableRecordError if all are."""
    found = Keypoints.of(keypoint_set, points_m[None])
    if not bool(found.present.any()):
        raise UnusableRecordError("not one joint is measured: all are NaN")
    return found


def box_of(keypoints: Keypoints, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the box around 2D landmarks within the picture; UnusableRecordError if none is."""
    points = keypoints.points[keypoints.scores == 1].numpy()
    if len(points) < 2:
        raise UnusableRecordError("the person is not in the picture")
    low = np.clip(points.min(axis=0), 0, size_px)
    high = np.clip(points.max(axis=0), 0, size_px)
    return checked_box(low[0], low[1], high[0], high[1])


def checked_box(
    left: float, top: float, right: float, bottom: float
) -> tuple[float, float, float, float]:
    """Return a box, or UnusableRecordError if it has no inside."""
    if not (right - left > 1 and bottom - top > 1):
        raise UnusableRecordError(
            f"the person's box ({left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}) is empty"
        )
    return float(left), float(top), float(right), float(bottom)
