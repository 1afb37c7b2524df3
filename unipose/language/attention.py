"""Mixed attention: text is causal, the slots of one pose see each other."""

from __future__ import annotations

from jaxtyping import Bool, Int
from torch import Tensor

from unipose.language.rendering import READ_POSE, WRITTEN_POSE, Batch


def seen_places(
    batch: Batch, *, read_both_ways: bool
) -> tuple[Bool[Tensor, "row 1 place place"], Int[Tensor, "row place"]]:
    """Return which places each place of whole rows sees, and all positions."""
    seen = mixed_attention(
        kinds=batch.kinds, spans=batch.spans, real=batch.real, new=batch.ids.shape[1],
        read_both_ways=read_both_ways,
    )  # fmt: skip
    if batch.branches is None or batch.positions is None:
        return seen, (batch.real.cumsum(dim=1) - 1).clamp(min=0)
    branches = batch.branches
    own = (branches[:, :, None] == branches[:, None, :]) | (branches[:, None, :] == 0)
    return seen & own[:, None], batch.positions


def mixed_attention(
    *,
    kinds: Int[Tensor, "row place"],
    spans: Int[Tensor, "row place"],
    real: Bool[Tensor, "row place"],
    new: int,
    read_both_ways: bool,
) -> Bool[Tensor, "row 1 new place"]:
    """Return which places each of the last `new` places sees.

    Causal everywhere; within one written pose every slot sees every slot (UniPose 2.4), and with
    `read_both_ways` the codes of one read pose do too. Filled places are seen by nobody but
    themselves (a row of the mask may not be empty). Row of the slots q0 q1 after text a S:

        places   a  S  q0 q1 E
        a        1  0  0  0  0
        S        1  1  0  0  0
        q0       1  1  1  1  0
        q1       1  1  1  1  0
        E        1  1  1  1  1
    """
    length = kinds.shape[1]
    place = kinds.new_tensor(range(length))
    causal = place[None, :] <= place[-new:, None]
    both_ways = kinds == WRITTEN_POSE
    if read_both_ways:
        both_ways = both_ways | (kinds == READ_POSE)
    group = spans * both_ways
    together = (group[:, -new:, None] == group[:, None, :]) & (group[:, -new:, None] > 0)
    itself = place[None, :] == place[-new:, None]
    return (((causal | together) & real[:, None, :]) | itself)[:, None]
