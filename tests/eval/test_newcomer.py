"""From an empty clone to two answers: what is timed and what is counted."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eval import newcomer
from eval.newcomer import NewcomerOptions, disk_mb, empty_caches, measure, timed
from unipose.errors import ConfigError


def test_caches_are_empty_and_no_other_environment_is_active(tmp_path, monkeypatch):
    monkeypatch.setenv("VIRTUAL_ENV", "/elsewhere")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("PIP_INDEX_URL", "https://index.example")
    kept = empty_caches(tmp_path)
    assert kept["UNIPOSE_CACHE"] == kept["XDG_CACHE_HOME"] == str(tmp_path / "caches")
    assert kept["PIP_NO_CACHE_DIR"] == "1"
    assert kept["PIP_INDEX_URL"] == "https://index.example"
    assert not {"VIRTUAL_ENV", "PYTHONPATH"} & kept.keys()


def test_whole_blocks_of_all_files_are_counted(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "big").write_bytes(bytes(range(256)) * 4096)
    assert 1.0 < disk_mb(tmp_path) < 1.2


def test_a_command_that_fails_says_its_last_line(tmp_path):
    seconds, said = timed([sys.executable, "-c", "print('yes')"], tmp_path, {})
    assert (seconds > 0, said) == (True, "yes")
    with pytest.raises(ConfigError, match="failed: no room left"):
        timed([sys.executable, "-c", "raise SystemExit('no room left')"], tmp_path, {})


def test_the_steps_of_a_newcomer_are_taken_in_order(tmp_path, monkeypatch):
    taken: list[str] = []

    def step(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, str]:
        taken.append(" ".join(Path(word).name for word in command if not word.startswith("file:")))
        return 2.0, '{"torch": 800.0, "rich": 3.0}' if "-c" in command else "Yes."

    monkeypatch.setattr(newcomer, "timed", step)
    found = measure(NewcomerOptions(starts=1, largest=1), tmp_path)
    assert [words.split()[0] for words in taken[:3]] == ["git", "make", "unipose"]
    assert taken[3:7] == [
        "unipose poses squat --out pose.npz", "unipose convert pose.npz pose.bvh",
        "unipose convert pose.npz pose.png", f"unipose ask pose.bvh {newcomer.QUESTION}",
    ]  # fmt: skip
    assert found["until_both_answers_s"] == 8.0
    assert found["packages_mb"] == {"torch": 800.0}
    assert found["answers"] == ["Yes.", "Yes."]
