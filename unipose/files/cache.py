"""The folder for what is made or fetched once per user."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_cache_dir


def cache_folder() -> Path:
    """Return UNIPOSE_CACHE, or the platform's folder for caches; it need not be there yet."""
    given = os.environ.get("UNIPOSE_CACHE")
    return Path(given).expanduser() if given else Path(user_cache_dir("unipose"))
