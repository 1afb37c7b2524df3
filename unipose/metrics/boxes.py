"""How much boxes have in common."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, argsort, maximum, minimum


def box_overlap(
    boxes: Float[Tensor, "*#pair 4"], others: Float[Tensor, "*#pair 4"]
) -> Float[Tensor, "*pair"]:
    """Return the intersection over union (0 to 1) of boxes left, top, right, bottom, pair by pair.

    Shapes are broadcast; boxes without an area have nothing in common with any.
    """
    low = maximum(boxes[..., :2], others[..., :2])
    high = minimum(boxes[..., 2:], others[..., 2:])
    both = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(some[..., 2:] - some[..., :2]).prod(dim=-1) for some in (boxes, others)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-9)


def keep_apart(
    boxes: Float[Tensor, "box 4"],
    scores: Float[Tensor, " box"],
    *,
    least: float,
    most_overlap: float,
) -> list[int]:
    """Return which boxes overlap no surer one by `most_overlap`, the surest first (greedy NMS).

    Boxes without an area, and those whose score is below `least`, are left out.
    """
    kept: list[int] = []
    for at in argsort(scores, descending=True, stable=True).tolist():
        if float(scores[at]) < least:
            break
        if bool((boxes[at, :2] >= boxes[at, 2:]).any()):
            continue
        if not bool((box_overlap(boxes[at], boxes[kept]) >= most_overlap).any()):
            kept.append(at)
    return kept
