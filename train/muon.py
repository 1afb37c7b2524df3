"""Muon for the matrices inside a network, AdamW for the rest: one optimiser.

Muon (Jordan, 2024; torch.optim.Muon) turns the momentum of each weight matrix into the nearest
orthogonal one: all directions learn at the same pace. A convolution counts as the matrix from all
that it sees to its channels.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


class MuonAndAdamW(torch.optim.Optimizer):
    """Two of torch's optimisers behind one set of rates; group 0 is Muon's, group 1 AdamW's."""

    def __init__(
        self,
        matrices: Iterable[Tensor],
        others: Iterable[Tensor],
        *,
        lr: float,
        weight_decay: float,
    ) -> None:
        """`matrices` are (out, in, ...); vectors among `others` are not decayed."""
        matrices, others = list(matrices), list(others)
        super().__init__([{"params": matrices}, {"params": others}], {"lr": lr})
        self.flat = [weight.detach().flatten(1) for weight in matrices]
        self.muon = torch.optim.Muon(
            self.flat, lr=lr, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"
        )
        wide, thin = [[w for w in others if (w.ndim > 1) == wide] for wide in (True, False)]
        self.adamw = torch.optim.AdamW(
            [{"params": wide}, {"params": thin, "weight_decay": 0.0}],
            lr=lr, weight_decay=weight_decay, fused=True,
        )  # fmt: skip

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all weights one step."""
        for flat, weight in zip(self.flat, self.param_groups[0]["params"], strict=True):
            flat.data = weight.data.flatten(1)  # the same memory, also after a move to a GPU
            flat.grad = None if weight.grad is None else weight.grad.flatten(1)
        for optimizer, group in ((self.muon, 0), (self.adamw, 1)):
            for part in optimizer.param_groups:
                part["lr"] = self.param_groups[group]["lr"]
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all weights, Muon's first."""
        states = dict(self.muon.state_dict()["state"])
        states |= {len(self.flat) + i: s for i, s in self.adamw.state_dict()["state"].items()}
        return {"state": states, "param_groups": super().state_dict()["param_groups"]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        states, count = state_dict["state"], len(self.flat)
        for optimizer, own in (
            (self.muon, {i: s for i, s in states.items() if i < count}),
            (self.adamw, {i - count: s for i, s in states.items() if i >= count}),
        ):
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": own, "param_groups": groups})
