"""The cores that a process may use, wherever it runs."""

from __future__ import annotations

import os

import pytest

from unipose.available_cores import available_cores


def test_cores_that_a_process_is_bound_to_are_counted(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 5, 6}, raising=False)
    assert available_cores() == 3


def test_all_cores_are_counted_where_binding_is_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert available_cores() == 7
