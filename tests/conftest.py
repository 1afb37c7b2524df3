"""What all tests share: the folder of recordings, and what happens where an extra is missing."""

from __future__ import annotations

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # workers share the cores; before torch is imported
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Generator

import pytest
from hypothesis import settings

from tests.missing_extras import reason

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


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Skip a file whose imports need an extra that is not installed."""
    report = yield
    if report.failed and (why := reason(str(report.longrepr))) is not None:
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {why}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test that finds on its way that an extra is not installed."""
    report = yield
    error = None if call.excinfo is None else call.excinfo.value
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    if error is not None and (why := reason(str(error))) is not None:
        report.outcome = "skipped"
        report.longrepr = (str(item.path), item.location[1] or 0, f"Skipped: {why}")
    return report
