"""Left and right that a detector exchanged for some frames are noticed by the motion, and put back.

Only the person as a whole is exchanged: a detector that mistakes the legs alone is not noticed.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.body.keypoints import Keypoints

SWITCH_COST = 0.04
"""Motion, in sizes of a person, that exchanging the sides has to save: legs that cross do not."""
EXCHANGED_COST = 0.0005
"""A frame: of two ways to tell which frames are wrong, the one with fewer of them is taken."""


def restore_sides(keypoints: Keypoints) -> tuple[Keypoints, list[int]]:
    """Return one person's keypoints (a row per frame) with sides put right, and the rows changed.

    The sequence of "as found" and "exchanged" with the least motion of all pairs (mean way of a
    keypoint from row to row, in sizes of the person), found by dynamic programming over the rows.
    Rows that show nobody take part in nothing. 2D and 3D.
    """
    mirror = torch.tensor(keypoints.keypoint_set.mirror)
    paired = mirror != torch.arange(len(mirror))
    shown = keypoints.present & keypoints.present[:, mirror] & paired
    rows = shown.any(dim=1).nonzero()[:, 0]
    if len(rows) < 2:
        return keypoints, []
    exchanged = torch.zeros(len(keypoints), dtype=torch.bool)
    exchanged[rows] = _exchanged(keypoints.points[rows].double(), shown[rows], mirror)
    which = exchanged[:, None] & paired
    points = torch.where(which[..., None], keypoints.points[:, mirror], keypoints.points)
    scores = torch.where(which, keypoints.scores[:, mirror], keypoints.scores)
    present = torch.where(which, keypoints.present[:, mirror], keypoints.present)
    restored = replace(keypoints, points=points, scores=scores, present=present)
    return restored, exchanged.nonzero()[:, 0].tolist()


def _exchanged(
    points: Float[Tensor, "row keypoint axis"], shown: Bool[Tensor, "row keypoint"], mirror: Tensor
) -> Bool[Tensor, " row"]:
    both = shown[1:] & shown[:-1]
    stay, cross = (
        torch.where(both, (after - points[:-1]).norm(dim=-1), 0.0).sum(1)
        / both.sum(1).clamp(min=1)
        / _size(points, shown)
        for after in (points[1:], points[1:, mirror])
    )
    cost, ways = [0.0, EXCHANGED_COST], []
    for still, crossed in zip(stay.tolist(), cross.tolist()):
        same = [cost[state] + still for state in (0, 1)]
        other = [cost[1 - state] + crossed + SWITCH_COST for state in (0, 1)]
        ways.append([other[state] < same[state] for state in (0, 1)])
        cost = [min(same[s], other[s]) + EXCHANGED_COST * s for s in (0, 1)]
    state = int(cost[1] < cost[0])
    states = [state]
    for switched in reversed(ways):
        state = 1 - state if switched[state] else state
        states.append(state)
    return torch.tensor(states[::-1], dtype=torch.bool)


def _size(
    points: Float[Tensor, "row keypoint axis"], shown: Bool[Tensor, "row keypoint"]
) -> Float[Tensor, ""]:
    """Return the median over rows of how far the points of a row reach (their box's diagonal)."""
    low = torch.where(shown[..., None], points, torch.inf).amin(1)
    high = torch.where(shown[..., None], points, -torch.inf).amax(1)
    return (high - low).norm(dim=-1).median().clamp(min=1e-6)
