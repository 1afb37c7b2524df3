"""Random choices that depend on (seed, index) alone: not on process, batch, order or machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float, UInt64

Item = TypeVar("Item")

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _mix(state: UInt64[np.ndarray, "*any"]) -> UInt64[np.ndarray, "*any"]:
    """Return the finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def keys(seed: int, indices: Sequence[int] | np.ndarray) -> UInt64[np.ndarray, " pose"]:
    """Return one 64-bit key per index."""
    with np.errstate(over="ignore"):
        start = _mix(np.array([(seed * _GOLDEN + 1) & _MASK], dtype=np.uint64))
        rows = np.asarray(indices, dtype=np.int64).astype(np.uint64)
        return _mix(start + _mix(rows * np.uint64(_GOLDEN) + np.uint64(_GOLDEN)))


def uniform(key: UInt64[np.ndarray, " pose"], columns: int) -> Float[np.ndarray, "pose column"]:
    """Return numbers in [0, 1), `columns` for each key."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, columns + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        return (_mix(key[:, None] + steps) >> np.uint64(11)) * 2.0**-53


class KeyedRandom:
    """A small, fast generator for one text (a 64-bit linear congruential one, upper bits used)."""

    __slots__ = ("_state",)

    def __init__(self, key: int) -> None:
        self._state = key

    def random(self) -> float:
        """Return a number in [0, 1)."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 32) * 2.0**-32

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of `items`."""
        return items[int(self.random() * len(items))]
