"""How alike keypoints of people are: object keypoint similarity (OKS), COCO's measure."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.errors import ConfigError


def object_keypoint_similarity(
    found: Float[Tensor, "found keypoint 2"],
    truth: Float[Tensor, "person keypoint 2"],
    *,
    present: Bool[Tensor, "person keypoint"],
    area_px: Float[Tensor, " person"],
    sigmas: Sequence[float],
    found_present: Bool[Tensor, "found keypoint"] | None = None,
) -> Float[Tensor, "found person"]:
    """Return the OKS (0 to 1) of each person found with each true one.

    The mean over the keypoints that are present of exp(-d^2 / (2 area (2 sigma)^2)), d the distance
    in pixels and the area that of the true person's outline (COCO's cocoeval; its box holds about
    twice as much). 0 where no keypoint is present. A keypoint at d = 2 sigma sqrt(area) has 0.61.

    COCO counts keypoints that were not found as they stand. `found_present` counts only what both
    have, to compare two detections with each other: not for scores, which would reward silence.

    Raises ConfigError unless areas and sigmas are positive and sigmas count the keypoints.
    """
    if len(sigmas) != truth.shape[1] or min(sigmas, default=0) <= 0:
        raise ConfigError(
            f"expected {truth.shape[1]} positive sigmas, one per keypoint, got {len(sigmas)}"
        )
    if not bool((area_px > 0).all()):
        raise ConfigError("expected positive areas; OKS is not defined for a person of no size")
    counted = present[None]
    if found_present is not None:
        counted = counted & found_present[:, None]
    counted = counted.expand(len(found), -1, -1)
    apart = torch.where(counted[..., None], found[:, None] - truth[None], 0.0)
    spread = 2 * truth.new_tensor(list(sigmas))
    exponent = apart.square().sum(-1) / (2 * area_px[:, None] * spread.square())
    alike = torch.where(counted, torch.exp(-exponent), 0.0).sum(-1)
    return alike / counted.sum(-1).clamp(min=1)


def keep_different(
    points: Float[Tensor, "found keypoint 2"],
    scores: Float[Tensor, " found"],
    *,
    area_px: Float[Tensor, " found"],
    sigmas: Sequence[float],
    most: float,
) -> list[int]:
    """Return which detections are kept, the surest first: none too much like one before it.

    The similarity is OKS over all keypoints, with the mean of both areas; those above `most` of a
    surer one are left out (OKS non-maximum suppression of mmpose).
    """
    order = scores.argsort(descending=True, stable=True).tolist()
    spread = 2 * points.new_tensor(list(sigmas))
    kept: list[int] = []
    for one in order:
        apart = (points[kept] - points[one]).square().sum(-1) / spread.square()
        areas = (area_px[kept] + area_px[one]) / 2
        alike = torch.exp(-apart / (2 * areas[:, None])).mean(-1)
        if not bool((alike > most).any()):
            kept.append(one)
    return kept
