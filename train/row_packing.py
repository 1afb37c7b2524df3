"""Rows that begin alike become one: the shared beginning is read once, the rest side by side.

Three rows (each letter a token; the shared beginning is `s p u`):

    s p u a b          ids       s p u a b c d e f
    s p u c            position  0 1 2 3 4 3 3 4 5
    s p u d e f        branch    0 0 0 1 1 2 3 3 3

A place sees what came before it in its own row: the shared beginning, and its own branch. So the
losses are those of the rows apart, for two thirds of the tokens where rows are short.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.language.rendering import NOTHING, Row


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """Rows of text as one row of a batch."""

    ids: Int[Tensor, "1 place"]
    positions: Int[Tensor, "1 place"]
    branches: Int[Tensor, "1 place"]
    """Which row a place belongs to, from 1; 0 is the shared beginning."""
    targets: Int[Tensor, "1 place"]

    def mask(self, dtype: torch.dtype) -> Float[Tensor, "1 1 place place"]:
        """Return what is added to attention scores: 0 where a place is seen, else the lowest."""
        branches = self.branches[0]
        places = torch.arange(len(branches), device=branches.device)
        before = places[:, None] >= places
        own = (branches[:, None] == branches) | (branches == 0)
        lowest = torch.finfo(dtype).min
        return torch.where(before & own, 0.0, lowest).to(dtype)[None, None]

    def to(self, device: torch.device | str) -> PackedRows:
        """Return the rows on a device."""
        return PackedRows(**{name: value.to(device) for name, value in vars(self).items()})


def pack_rows(rows: Sequence[Row], *, learn_shared: bool = True) -> PackedRows:
    """Return rows of text as one; what they share at the beginning, and is not learned, is once.

    Without `learn_shared` all that they begin alike with is once, and none of it is learned.
    """
    shared = _shared(rows, learned=not learn_shared)
    ids, targets = list(rows[0].ids[:shared]), [NOTHING] * shared
    positions, branches = list(range(shared)), [0] * shared
    for branch, row in enumerate(rows, start=1):
        ids += row.ids[shared:]
        targets += row.targets[shared:]
        positions += range(shared, len(row.ids))
        branches += [branch] * (len(row.ids) - shared)
    return PackedRows(
        ids=torch.tensor([ids]), positions=torch.tensor([positions]),
        branches=torch.tensor([branches]), targets=torch.tensor([targets]),
    )  # fmt: skip


def _shared(rows: Sequence[Row], *, learned: bool) -> int:
    """Return how many places all rows begin alike with; up to what is learned, unless `learned`."""
    count = 0
    for column in zip(*(row.ids for row in rows), strict=False):
        teaches = any(row.targets[count] != NOTHING for row in rows)
        if len(set(column)) > 1 or (teaches and not learned):
            break
        count += 1
    return count
