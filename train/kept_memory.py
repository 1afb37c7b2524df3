"""A training process on a CPU keeps its memory, rather than give it back at every step.

Every step allocates and frees the same large tensors. glibc gives such memory back to the system
each time, and fetching it again (page faults) costs more than the arithmetic.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping

SETTINGS = {
    "MALLOC_ARENA_MAX": (-8, 1),  # the thread of the backward pass shares it
    "MALLOC_MMAP_MAX_": (-4, 0),
    "MALLOC_TRIM_THRESHOLD_": (-1, -1),
    "MALLOC_TOP_PAD_": (-2, 2**28),
}
"""Variable that glibc reads when a process starts -> mallopt's parameter (malloc.h) and value."""


def keep_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Let this process keep the memory that it frees; return whether glibc took all settings.

    Without glibc nothing happens; variables of the environment that say otherwise hold.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or "GLIBC_TUNABLES" in environment:
        return False
    taken = [
        mallopt(parameter, value)
        for name, (parameter, value) in SETTINGS.items()
        if name not in environment
    ]
    return all(taken)
