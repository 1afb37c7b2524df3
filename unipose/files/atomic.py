"""Files appear whole or not at all: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from unipose.errors import FileError, MissingFileError


@contextmanager
def written_whole(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside `path` (same ending), which becomes `path` when all went well.

    Raises MissingFileError if the folder does not exist and FileError if it cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise MissingFileError(path, "its folder does not exist.", "Make the folder first.")
    writer = f"{socket.gethostname()}-{os.getpid()}"  # several machines may share a disk
    temporary = path.with_name(f".{path.stem}.{writer}.part{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        if isinstance(error, FileError):
            raise
        reason = error.strerror or str(error)
        raise FileError(path, f"cannot be written ({reason}).", "Choose another place.") from error
    finally:
        temporary.unlink(missing_ok=True)
