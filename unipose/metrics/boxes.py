"""How much boxes have in common."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, maximum, minimum


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
