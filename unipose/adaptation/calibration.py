"""From which cosine on a motion counts as its action, in a space of one's own.

MotionCLIP's 0.75 means nothing in another space: what carries over is how much is accepted. The
published threshold filled in 36 % more 2D points on 3DPW (semantics-aware adaptation, section 5.4):
so the threshold is the cosine that this share of validation segments reaches once a film has been
adapted to.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError

ACCEPTED = 0.36


def threshold_of(cosines: Float[Tensor, " segment"], *, accepted: float = ACCEPTED) -> float:
    """Return the cosine that a share of segments exceeds.

    Of 0.1 0.4 0.6 0.9 a half exceeds 0.5. Raises ConfigError for no segments or no share.
    """
    if not len(cosines) or not 0 < accepted < 1:
        raise ConfigError(f"expected cosines and a share, got {len(cosines)} and {accepted}")
    return float(torch.quantile(cosines.double(), 1 - accepted))
