"""Random numbers one at a time, drawn in blocks: a good deal faster than the generator's own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import cos, log, pi, sqrt
from typing import TypeVar

import numpy as np

Thing = TypeVar("Thing")

BLOCK = 160
"""About as many numbers as a picture takes."""


class BlockRandom:
    """The draws that belong to some numbers: the same numbers, the same draws."""

    def __init__(self, *seed: int) -> None:
        self._generator = np.random.default_rng(seed)
        self._left: list[float] = []

    def random(self) -> float:
        """Return a number from 0 to 1 (never 1)."""
        if not self._left:
            self._left = self._generator.random(BLOCK).tolist()
        return self._left.pop()

    def uniform(self, low: float, high: float) -> float:
        """Return a number from `low` to `high`."""
        return low + (high - low) * self.random()

    def normal(self, mean: float, deviation: float) -> float:
        """Return a normally distributed number (Box and Muller 1958)."""
        far = sqrt(-2 * log(1 - self.random()))
        return mean + deviation * far * cos(2 * pi * self.random())

    def below(self, count: int) -> int:
        """Return one of 0, 1, ... `count` - 1."""
        return int(self.random() * count)

    def pick(self, things: Sequence[Thing], odds: Sequence[float] | None = None) -> Thing:
        """Return one of `things`, each as likely or by `odds` (which sum to 1)."""
        drawn = self.random()
        if odds is None:
            return things[int(drawn * len(things))]
        for thing, end in zip(things, accumulate(odds)):
            if drawn < end:
                return thing
        return things[-1]
