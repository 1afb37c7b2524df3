"""A test that needs an extra which is not installed is skipped and says what it would need."""

from __future__ import annotations

from tests import missing_extras
from tests.missing_extras import PACKAGES, reason


def test_only_a_missing_package_of_an_extra_is_a_reason(monkeypatch):
    monkeypatch.setattr(missing_extras, "find_spec", lambda name: None)
    assert reason("E   ModuleNotFoundError: No module named 'faiss'") == (
        "needs faiss: make setup-all, or pip install -e '.[data]'"
    )
    assert reason("No module named 'ray.serve'") is not None
    assert reason("No module named 'torch'") is None
    assert reason("No module named 'unipose.bodies'") is None


def test_a_package_that_is_there_is_no_reason():
    assert reason("No module named 'datasets.nothing'") is None
    assert PACKAGES["bitsandbytes"] == "training"
