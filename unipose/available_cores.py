"""The processor cores that a process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Return how many cores this process may use: those it is bound to, where that is known."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS and Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
