"""What goes into the refiner and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Kind = Literal["caption", "change"]
"""A description of one pose, or an instruction that leads from one pose to another."""
MOST_WORDS = 44
"""A refined text stays under 45 words."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A text to be refined."""

    key: str
    """Names the text in results and reports."""
    text: str
    kind: Kind = "caption"
    joints: Float[np.ndarray, "joint 3"] | None = None
    """The described (or second) pose, metres, body frame: what is true of it is no invention."""
    joints_before: Float[np.ndarray, "joint 3"] | None = None
    """The first pose of a pair."""


@dataclass(frozen=True, kw_only=True)
class Refined:
    """A text that passed, and who wrote it."""

    key: str
    text: str
    by: str
    """Name of the model, "rules", or "draft" where nothing could be made of the text."""
    attempts: int = 0
    """Answers of the model that were looked at."""
    added: int = 0
    """Claims that the draft does not make."""
    unread: int = 0
    """Clauses that the reader does not know, so that nobody has checked them."""
