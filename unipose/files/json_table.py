"""JSON of others, read with bounds: a size, a depth, and a clear error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from unipose.errors import FileError
from unipose.files.numbers import open_for_reading


def read_json_value(path: str | Path, *, largest_bytes: int) -> Any:
    """Return what a JSON file holds.

    Raises FileError (MissingFileError) if it is too large, nested without end, or no JSON.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        text = file.read(largest_bytes + 1)
    if len(text) > largest_bytes:
        raise FileError(path, f"is over {largest_bytes} bytes.")
    try:
        return json.loads(text)
    except RecursionError as error:
        raise FileError(path, "is nested far too deep.") from error
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise FileError(path, f"is no JSON ({str(error)[:120]}).") from error
