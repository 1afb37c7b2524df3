"""SimCC: a keypoint's column and row as two 1D classifications (Li et al. 2022; RTMPose's form)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.wholebody.config import SPLIT
from unipose.wholebody.keypoint_head import Columns, Rows

PUBLISHED_SIGMAS = {(192, 256): (4.9, 5.66), (288, 384): (6.0, 6.93)}
"""Width and height of the crop -> spread of the targets in bins, across and down (RTMPose)."""


def sigmas_of(size: tuple[int, int]) -> tuple[float, float]:
    """Return the spread of targets for crops of this width and height.

    RTMPose's for its two sizes; otherwise in the same proportion to the root of each side, which
    is what those two follow to a percent: 4.9 = 0.3536 sqrt(192), 6.0 = 0.3536 sqrt(288).
    """
    fitting = (round(0.35355 * side**0.5, 2) for side in size)
    across, down = PUBLISHED_SIGMAS.get(size) or tuple(fitting)
    return across, down


def simcc_targets(
    points: Float[Tensor, "person keypoint 2"],
    visible: Float[Tensor, "person keypoint"],
    size: tuple[int, int],
) -> tuple[Columns, Rows, Float[Tensor, "person keypoint"]]:
    """Return what the bins should say (a Gaussian of height 1 around the nearest bin), and weights.

    `points` are pixels of the crop, `visible` is 1 or 0. A weight is `visible`, but 0 where not
    even three sigmas of the Gaussian reach into the crop:

        crop 192 wide, sigma 4.9     x  -5    bin -10, reaches to 5.7   weight 1
                                     x  -9    bin -18, reaches to -2.3  weight 0
    """
    weight = (visible >= 0.5).to(points.dtype)
    targets = []
    for axis, (side, sigma) in enumerate(zip(size, sigmas_of(size))):
        count = SPLIT * side
        middle = (points[..., axis] * SPLIT).round()
        bins = torch.arange(count, dtype=points.dtype, device=points.device)
        targets.append(torch.exp(-(bins - middle[..., None]).square() / (2 * sigma**2)))
        reaches = (middle - 3 * sigma < count) & (middle + 3 * sigma + 1 >= 0)
        weight = weight * reaches
    return targets[0], targets[1], weight


def decode_simcc(
    x: Columns, y: Rows
) -> tuple[Float[Tensor, "person keypoint 2"], Float[Tensor, "person keypoint"]]:
    """Return places (pixels of the crop) and scores: the lower one of both axes' largest logits.

    The networks learn logits near the targets' own scale, so scores lie in about 0 to 1; one of 0
    or less says that nothing was found.
    """
    (best_x, column), (best_y, row) = x.max(dim=-1), y.max(dim=-1)
    places = torch.stack([column, row], dim=-1).to(x.dtype) / SPLIT
    return places, torch.minimum(best_x, best_y)
