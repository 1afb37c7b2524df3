"""What a reader assumed or left out, said as a warning that a program can show or silence."""

from __future__ import annotations

import warnings
from pathlib import Path

from unipose.errors import FileNote


def add_note(path: Path | None, text: str) -> None:
    """Say `text` about a file, through the warnings module."""
    warnings.warn(f"{path}: {text}" if path else text, FileNote, stacklevel=2)
