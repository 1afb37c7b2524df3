"""Codes of finite scalar quantisation by the levels that they are made of."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional


class CodeDigits(nn.Module):
    """Embeds a code at a slot as the sum of its levels, and scores codes the same way.

    A codebook of finite scalar quantisation is a grid: 2,048 codes are 8 x 8 x 8 x 4 levels, and
    what a level means depends on the slot. 28 vectors per slot learn faster than 2,048 rows.
    """

    levels: Tensor
    grid: Tensor

    def __init__(self, digits: Int[Tensor, "code digit"], *, slots: int, width: int) -> None:
        super().__init__()
        with torch.device("cpu"):  # computed, so never on the meta device
            counts = digits.max(dim=0).values + 1
            levels = digits + counts.cumsum(0) - counts
            grid = torch.zeros(int(counts.sum()), len(digits)).scatter_(0, levels.T, 1.0)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("grid", grid, persistent=False)
        total = int(counts.sum())
        self.read = nn.Parameter(torch.randn(slots, total, width) * 0.1)
        self.write = nn.Parameter(torch.randn(slots, total, width) * 0.02)
        self.keep = nn.Linear(width, 1)

    def embed(self, codes: Int[Tensor, "pose slot"]) -> Float[Tensor, "pose slot width"]:
        """Return what each slot's code adds to its embedding."""
        slot = torch.arange(codes.shape[1], device=codes.device)[:, None]
        return self.read[slot, self.levels[codes]].sum(dim=2)

    def score(
        self,
        hidden: Float[Tensor, "pose slot width"],
        source: Int[Tensor, "pose slot"] | None,
    ) -> Float[Tensor, "pose slot code"]:
        """Return what each slot's levels add to the logits of all codes.

        Where there is a pose to start from (codes, not -1), each slot also decides how much it
        keeps of the levels that the code had there: what an edit does not speak of stays.
        """
        by_level = torch.einsum("psw,slw->psl", hidden, self.write)
        if source is not None:
            there = (source >= 0)[..., None]
            kept = self.grid.T[source.clamp(min=0)].to(hidden) * there
            by_level = by_level + functional.softplus(self.keep(hidden)) * kept
        return by_level @ self.grid.to(by_level)
