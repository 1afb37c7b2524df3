"""What several rooms' tests share: the folder of real recordings, when it is there."""

from __future__ import annotations

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

settings.register_profile("unipose", deadline=None, max_examples=30, print_blob=True)
settings.load_profile("unipose")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def mocap_folder() -> Path:
    """Return the folder of real motion capture; skip where it is not (a user does not have it)."""
    folder = Path(os.environ.get("UNIPOSE_MOCAP", ROOT.parent / "shared" / "mocap"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no motion capture at {folder}; set UNIPOSE_MOCAP to run this test")
    return folder
