"""A test that needs an extra which is not installed is skipped and says what it would need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import missing_extras
from tests.missing_extras import reason
from unipose.app import installation


def test_only_a_missing_package_of_an_extra_is_a_reason(monkeypatch):
    monkeypatch.setattr(missing_extras, "find_spec", lambda name: None)
    assert reason("E   ModuleNotFoundError: No module named 'faiss'") == (
        "needs faiss: `make setup-all` or `pip install -e '.[data]'`"
    )
    assert reason("No module named 'ray.serve'") is not None
    assert reason("No module named 'torch'") is None
    assert reason("No module named 'unipose.bodies'") is None


def test_a_package_that_is_there_is_no_reason():
    assert reason("No module named 'datasets.nothing'") is None


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    gone = ModuleNotFoundError("No module named 'faiss'", name="faiss.contrib")
    told = "faiss is not installed; `make setup-all` or `pip install -e '.[data]'` brings it"
    assert installation.missing_package(gone) == told
    outer = RuntimeError("of whatever went on")
    outer.__cause__ = gone
    assert installation.missing_package(outer) == told
    assert installation.command_for("h5py") == "`pip install -e '.[mat73]'`"  # not in setup-all
    assert installation.command_for("PIL") == "`make setup`"
    assert installation.missing_package(ModuleNotFoundError("x", name="nobody_s")) is None
    assert installation.missing_package(ValueError("something else")) is None


def test_a_submodule_that_an_installed_package_lacks_is_another_error():
    assert installation.missing_package(ModuleNotFoundError("x", name="torch.nothing")) is None


def test_other_errors_are_shown_as_they_were(monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(sys, "excepthook", lambda *error: seen.append(error[0]))
    installation.tell_missing_packages()
    sys.excepthook(ValueError, ValueError("x"), None)
    assert (seen, capsys.readouterr().err) == ([ValueError], "")


WITHOUT = """
import runpy, sys
from importlib.machinery import PathFinder

_, left, *sys.argv = sys.argv


class Poorer(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] not in left.split(","):
            return PathFinder.find_spec(name, path, target)


sys.meta_path[:] = [Poorer if finder is PathFinder else finder for finder in sys.meta_path]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a program as if some packages were not installed."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("left", "program"),
    [("datatrove", "data_builders.imagescript"), ("pyarrow,datasets", "train.pose_codes")],
)
def test_a_program_without_a_package_ends_in_one_line(left: str, program: str):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, left, program, "--help"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    name = left.partition(",")[0]
    assert done.stderr == (
        f"error: {name} is not installed; `make setup-all` or `pip install -e '.[data]'` "
        "brings it\n"
    )
