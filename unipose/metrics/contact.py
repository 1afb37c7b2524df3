"""Contacts: people's joints together, how many true contacts hold, whether the right ones are said.

Radii and errors are metres; ProsePose's code has its radii in metres too, 0 to 0.95.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.metrics.joints import pa_mpjpe

RADII_M: tuple[float, ...] = tuple(0.05 * i for i in range(20))
"""Of the average PCC."""


def joint_pa_mpjpe(
    joints: Float[Tensor, "scene person joint 3"], truth: Float[Tensor, "scene person joint 3"]
) -> Float[Tensor, " scene"]:
    """Return the error (metres) of all people of a scene under one similarity.

    Unlike each person's own PA-MPJPE it tells how the people stand to each other.
    """
    return pa_mpjpe(joints.flatten(1, 2), truth.flatten(1, 2))


def correct_contacts(
    distances: Float[Tensor, " contact"], radii: Sequence[float] = RADII_M
) -> Float[Tensor, " radius"]:
    """Return PCC: which share of a scene's true contacts are nearer than each radius (metres).

    `distances` are those between the two regions of each true contact, in the estimate. At radius
    0 there are none. NaN without contacts.
    """
    limits = torch.tensor(radii).to(distances)
    return (distances[:, None] < limits).to(distances.dtype).mean(dim=0)


def table_scores(
    said: Sequence[Collection[frozenset[tuple[str, str]]]],
    truth: Sequence[Collection[frozenset[tuple[str, str]]]],
) -> tuple[float, float, float]:
    """Return precision, recall and F1 of pairs that are said of scenes, over all of them.

    A pair is the set of pairs of words that it may mean ("shoulder", back or front); it is right if
    one of them is true.
    """
    hits = found = named = true = 0
    for some, real in zip(said, truth, strict=True):
        hits += sum(any(one & other for other in real) for one in some)
        found += sum(any(one & other for one in some) for other in real)
        named, true = named + len(some), true + len(real)
    precision, recall = hits / max(1, named), found / max(1, true)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)
