"""Files of a folder in the order in which people count them: frame 2 before frame 10."""

from __future__ import annotations

import re
from pathlib import Path


def files_in_order(folder: Path) -> list[Path]:
    """Return what lies in a folder, without the hidden companions that macOS puts beside files."""
    return sorted((f for f in folder.iterdir() if f.name[0] != "."), key=_as_people_count)


def _as_people_count(path: Path) -> list[str | int]:
    """Return what sorts names with numbers: text and numbers in turn."""
    parts = re.split(r"([0-9]+)", path.name)
    return [int(part) if i % 2 else part.casefold() for i, part in enumerate(parts)]
