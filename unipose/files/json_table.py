"""JSON of others, read with bounds: a size, a depth, and a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unipose.errors import FileError
from unipose.files.numbers import read_bytes


def read_json_value(path: str | Path, *, largest_bytes: int) -> Any:
    """Return what a JSON file holds.

    Raises FileError (MissingFileError) if it is too large, nested without end, or no JSON.
    """
    path = Path(path)
    text = read_bytes(path, largest_bytes=largest_bytes)
    try:
        return json.loads(text)
    except RecursionError as error:
        raise FileError(path, "is nested far too deep.") from error
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise FileError(path, f"is no JSON ({str(error)[:120]}).") from error
