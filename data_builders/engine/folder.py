"""The folder of a run: one run at a time, its workers included; what it keeps is whole."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unipose.errors import ConfigError

_PATIENCE_S = 15.0
"""Workers of a run that was killed notice it and leave; three times what they take at most."""


@contextmanager
def sole_use(folder: Path) -> Iterator[int]:
    """Hold the folder's lock and give its file descriptor; whoever holds a copy holds the lock.

    Workers are handed a copy: the folder stays locked until the last worker of a killed run is
    gone, so no task is ever done by two runs at once. The system frees the lock of the dead.

    Raises ConfigError if another run is at work here.
    """
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _wait_for(lock, folder)
        yield lock
    finally:
        os.close(lock)


def keep(path: Path, value: Any) -> None:
    """Write a small JSON file, whole or not at all.

    By hand, for `unipose.files` loads torch, and workers whose step needs none start at once.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(value) + "\n", encoding="utf-8")
    temporary.replace(path)


def _wait_for(lock: int, folder: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                raise ConfigError(
                    f"another run is at work in {folder}; wait for it, stop it, or choose another "
                    "folder"
                ) from error
            time.sleep(0.1)
        else:
            return
