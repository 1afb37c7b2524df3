"""Claims as an auxiliary loss: read off hidden states in training, and then thrown away."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from unipose.language.rendering import Batch, ClaimsAtPlaces

INITIAL_CLAIM_LOGIT = -8.0
"""Where the logit of a claim starts at each word: unlikely, also after fifty words."""
NOT_THE_ONLY_ONE = 0.1
"""Label smoothing: many words for one named pose are not wrong for another."""


class ClaimTeacher(nn.Module):
    """Reads claims off hidden states in training, and is then thrown away.

    At the end of a pose that is read, what is true of it; of a request, what any of its words
    claims, and which of the named poses it is for. It makes the language model understand sooner,
    and no answer ever passes through it.
    """

    def __init__(self, claims: int, *, width: int, names: int = 0) -> None:
        super().__init__()
        self.names = nn.Linear(width, names) if names else None
        self.facts, self.told = nn.Linear(width, claims), nn.Linear(width, claims)
        nn.init.constant_(self.facts.bias, -1.0)  # about as often as claims are true
        nn.init.constant_(self.told.bias, INITIAL_CLAIM_LOGIT)

    def losses(
        self, hidden: Float[Tensor, "row place width"], batch: Batch
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
        """Return the cross entropies of what is true, of what is told, and of which is named."""
        facts = told = named = hidden.sum() * 0
        if batch.true_at is not None:
            seen = hidden[batch.true_at.rows, batch.true_at.places]
            facts = _cross_entropy(self.facts(seen.to(self.facts.weight.dtype)), batch.true_at)
        if batch.told_at is not None:
            rows, ends = batch.told_at.rows, batch.told_at.places
            places = torch.arange(hidden.shape[1], device=hidden.device)
            asking = batch.real[rows] & (places <= ends[:, None])
            if batch.branches is not None:
                own = batch.branches[rows]
                asking = asking & (own == own.gather(1, ends[:, None]))
            each = self.told(hidden.to(self.told.weight.dtype))[rows].float()
            pooled = each.masked_fill(~asking[..., None], -torch.inf).logsumexp(dim=1)
            told = _cross_entropy(pooled, batch.told_at)
        if batch.named_at is not None and self.names is not None:
            seen = hidden[batch.named_at.rows, batch.named_at.places]
            logits = self.names(seen.to(self.names.weight.dtype)).float()
            named = functional.cross_entropy(
                logits, batch.named_at.claims.int().argmax(dim=1), label_smoothing=NOT_THE_ONLY_ONE
            )
        return facts, told, named


def _cross_entropy(
    logits: Float[Tensor, "state claim"], truth: ClaimsAtPlaces
) -> Float[Tensor, ""]:
    return functional.binary_cross_entropy_with_logits(
        logits.float(), truth.claims.to(torch.float32)
    )
