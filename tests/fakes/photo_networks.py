"""The real networks for photographs, where `make setup` could fetch them."""

from __future__ import annotations

from pathlib import Path

import pytest

from unipose.errors import MissingFileError
from unipose.vision.network_files import network_file


def fetched(name: str) -> Path:
    """Return a network's file; the test is skipped, and says how to get it, where it is not."""
    try:
        return network_file(name)
    except MissingFileError as error:
        pytest.skip(str(error))
