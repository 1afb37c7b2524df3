"""Compile a plain loop with numba once, keep the machine code on disk, run it slowly without."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def compiled(function: Callable[..., None]) -> Callable[..., None]:
    """Return `function` compiled; without numba the function itself, a hundred times slower.

    Floating-point results are the same either way: nothing is reordered (no fastmath).
    """
    plain = inspect.unwrap(function)  # the tests' shape checks wrap every function
    try:
        from numba import njit
    except ImportError:
        return plain
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(plain)
    except RuntimeError:  # no folder is writable to keep the machine code in
        return njit(nogil=True, error_model="numpy")(plain)
