"""How far a long command is, told in a file to whoever started it. Light to import."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PROGRESS_FILE = "UNIPOSE_PROGRESS"
"""Environment variable that names the file."""
EVERY_S = 0.5


def told_in_file(
    items: Iterable[Any], count: int | None, description: str, file: Path
) -> Iterator[Any]:
    """Give the items, and tell in a file how many have been given.

    Ends the program if whoever started it has gone: nobody else may work in its place meanwhile.
    """
    parent, last = os.getppid(), -EVERY_S
    done = 0
    for item in items:
        if (now := time.monotonic()) - last >= EVERY_S:
            last = now
            if os.getppid() != parent:
                raise SystemExit("whoever started this has gone")
            _tell(file, description, done, count)
        yield item
        done += 1
    _tell(file, description, done, count)


def _tell(file: Path, description: str, done: int, count: int | None) -> None:
    temporary = file.with_name(f".{file.name}-{os.getpid()}")
    told = {"doing": description, "done": done, "of": count}
    temporary.write_text(json.dumps(told), encoding="utf-8")
    temporary.replace(file)
