"""Whether a pose could be a person's: lengths of body segments (SEAL-Pose, sections 5.1 and 5.2).

All in percent, one number per pose: the mean over segments. A segment is a pair of joints, given
by their positions.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

Segments = Sequence[tuple[int, int]]
SHORTEST_M = 1e-6
"""Metres: segments shorter than this have no length to compare with."""


def segment_lengths(
    joints: Float[Tensor, "batch joint 3"], segments: Segments
) -> Float[Tensor, "batch segment"]:
    """Return the length of each segment (metres)."""
    first, second = zip(*segments, strict=True)
    return (joints[:, list(first)] - joints[:, list(second)]).norm(dim=-1)


def limb_symmetry_error(
    joints: Float[Tensor, "batch joint 3"], left: Segments, right: Segments
) -> Float[Tensor, " batch"]:
    """Return LSE: 100 |l - r| / ((l + r) / 2), the mean over pairs of a left and a right limb.

    0.30 m beside 0.20 m is 40 percent. It needs no truth.
    """
    l, r = segment_lengths(joints, left), segment_lengths(joints, right)  # noqa: E741
    return (200 * (l - r).abs() / (l + r).clamp(min=SHORTEST_M)).mean(dim=1)


def segment_length_error(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    segments: Segments,
) -> Float[Tensor, " batch"]:
    """Return BSLE: 100 |1 - said / true length|, the mean over segments; of limbs alone it is LLE.

    0.27 m for 0.30 m is 10 percent.
    """
    said, true = segment_lengths(joints, segments), segment_lengths(truth, segments)
    return (100 * (1 - said / true.clamp(min=SHORTEST_M)).abs()).mean(dim=1)
