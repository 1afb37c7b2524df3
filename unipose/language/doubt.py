"""How much of a guessed pose is believed: claim by claim, and code by code."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from unipose.language.claim_memory import starts_at_zero

STAYS = 2.0
"""Where the logit of keeping a guessed code starts: a guess is better than nothing learned yet."""

FAITH = 4.0
"""Added to that logit outside of training. Of the pictures it learned from the model knows more
than its eyes; of others it does not: on the validation split, the more is kept the better."""


class Doubt(nn.Module):
    """What is true of a guess becomes what is likely true of the person.

    A guess off a picture is wrong by a hand's breadth: what it claims by a hair's breadth is worth
    little. Each claim learns how far to trust the guess, and what the model has seen may shift it.
    A pose that is written keeps the guess's codes as far as each slot believes them, as pointer
    networks copy words: the mean of what is likely is a worse guess.
    """

    def __init__(self, claims: int, *, width: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.ones(claims))
        self.shift = nn.Linear(width, claims)
        starts_at_zero(self.shift)
        self.stay = nn.Linear(width, 1)
        starts_at_zero(self.stay)
        nn.init.constant_(self.stay.bias, STAYS)

    def forward(
        self, facts: Float[Tensor, "row claim"], hidden: Float[Tensor, "row width"]
    ) -> Float[Tensor, "row claim"]:
        """Return logits of the claims, from those of the guess."""
        return facts * self.trust + self.shift(hidden)

    def keep(
        self,
        logits: Float[Tensor, "pose slot code"],
        hidden: Float[Tensor, "pose slot width"],
        guess: Int[Tensor, "pose slot"],
    ) -> Float[Tensor, "pose slot code"]:
        """Return logits of codes that are partly the guess's, from those without it."""
        faith = 0.0 if self.training else FAITH
        stay = (self.stay(hidden).float() + faith).sigmoid()
        kept = functional.one_hot(guess, logits.shape[-1])
        return ((1 - stay) * logits.float().softmax(dim=-1) + stay * kept + 1e-9).log()
