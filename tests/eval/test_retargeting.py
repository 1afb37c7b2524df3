"""The retargeting benchmark, and what all benchmarks share."""

from __future__ import annotations

import json

import numpy as np
import pytest

from data_builders.mocap import COLUMNS, read_manifest
from eval.program import EvalOptions, print_result, run, select
from eval.retargeting import RetargetingOptions, angle_deg, main, measure
from tests.fakes.motion_files import bvh_text, write_bvh_text
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.files.bvh import read_bvh


@pytest.fixture
def folder(tmp_path):
    rows = [",".join(COLUMNS)]
    for i in range(4):
        frames = [{"chest": (0, 30 * k, 0), "left_hip": (0, -20 * k, 5 * i)} for k in range(3)]
        write_bvh_text(tmp_path, bvh_text(frames), f"{i}.bvh")
        rows.append(f"{i}.bvh,s,g,label,{'train' if i else 'test'},30,3,bvh,")
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    return tmp_path


def test_the_last_line_is_one_json_object_with_the_figure(folder, capsys):
    main(RetargetingOptions(data=folder, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert 0 <= result["direction_error_deg"] < 5
    assert result["recordings"] == 4
    assert result["bones"]["left_hip"]["mean"] < 0.01
    assert result["bones"]["trunk"]["max"] < 0.01


def test_a_body_that_does_not_follow_is_seen(folder, monkeypatch):
    motion = read_bvh(folder / "2.bvh")
    frames = np.arange(3)
    still = measure(motion, load_body(), frames)["left_hip"]
    import eval.retargeting as benchmark

    keep_rest = benchmark.retarget
    monkeypatch.setattr(
        benchmark, "retarget", lambda m, rest, frames: keep_rest(m, rest, frames=0 * frames)
    )
    wrong = measure(motion, load_body(), frames)["left_hip"]
    assert still.max() < 0.01
    assert wrong[2] == pytest.approx(40, abs=3)


def test_angles_are_exact_where_they_are_tiny():
    assert angle_deg(np.array([[1.0, 0, 0]]), np.array([[1, 1e-9, 0]]))[0] == pytest.approx(
        np.degrees(1e-9)
    )


def test_a_limit_draws_the_same_recordings_again(folder):
    recordings = read_manifest(folder)
    options = EvalOptions(data=folder, split="train", limit=2, seed=3)
    first = [r.path for r in select(recordings, options)]
    assert first == [r.path for r in select(recordings, options)]
    assert len(first) == 2
    assert all(r.split == "train" for r in select(recordings, options))


def test_nothing_left_and_nonsense_are_refused(folder):
    with pytest.raises(ConfigError, match="no recording is left"):
        select(read_manifest(folder), EvalOptions(data=folder, only="hdm05/*"))
    with pytest.raises(ConfigError, match="--limit"):
        EvalOptions(data=folder, limit=0)
    with pytest.raises(ConfigError, match="--split"):
        EvalOptions(data=folder, split="dev")


def test_a_result_without_json_is_read_by_people(capsys):
    print_result({"error_mm": 1.23456, "poses": 7, "bones": {"a": 1}}, as_json=False)
    assert capsys.readouterr().out == "error_mm = 1.235\nposes = 7\n"


def test_an_error_is_one_line_and_a_status(folder, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["eval.retargeting", "--data", str(folder / "nowhere")])
    with pytest.raises(SystemExit) as status:
        run(main, RetargetingOptions)
    assert status.value.code == 1
    assert "manifest.csv" in capsys.readouterr().err
