"""How much of a guessed pose is believed, claim by claim."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.language.claim_memory import starts_at_zero


class Doubt(nn.Module):
    """What is true of a guess becomes what is likely true of the person.

    A guess off a picture is wrong by a hand's breadth: what it claims by a hair's breadth is worth
    little. Each claim learns how far to trust the guess, and what the model has seen may shift it.
    """

    def __init__(self, claims: int, *, width: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.ones(claims))
        self.shift = nn.Linear(width, claims)
        starts_at_zero(self.shift)

    def forward(
        self, facts: Float[Tensor, "row claim"], hidden: Float[Tensor, "row width"]
    ) -> Float[Tensor, "row claim"]:
        """Return logits of the claims, from those of the guess."""
        return facts * self.trust + self.shift(hidden)
