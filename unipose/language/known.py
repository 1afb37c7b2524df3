"""What a question makes known before its answer is written."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a batch before the language model runs."""

    embeddings: Float[Tensor, "row place width"]
    newest: Float[Tensor, "row group width"] | None
    """What the geometry of each row's newest read pose was read as; zeros in rows without."""
    facts: Float[Tensor, "row claim"] | None
    """Logits of what is true of that pose, and of the way to it from the one before."""
    believed: Float[Tensor, "row claim"] | None
    """How likely each of these is; in training, most rows are told the truth."""
    looking: Bool[Tensor, " row"]
    """Which rows hold a picture."""
