"""The benchmark of the data builders compares like with like."""

from __future__ import annotations

import json

import numpy as np
import pytest
import roma
import torch

from data_builders.selection import choose_farthest
from eval.building import (
    BuildingOptions,
    Recorded,
    count_contradictions,
    main,
    plain_choice,
    time_choice,
    time_words,
)
from eval.interrupted_build import resumed_equal
from tests.posecodes.conftest import figure_joints, random_turns
from unipose.errors import ConfigError


@pytest.fixture(scope="module")
def recorded() -> Recorded:
    turns = random_turns(60, 4)
    turns[:, 0] = 0.0  # faces the front, as recorded poses are turned to
    rotations = roma.rotvec_to_rotmat(torch.from_numpy(turns)).numpy()
    return Recorded(rotations=rotations, joints=figure_joints(turns))


def test_the_plain_loop_picks_what_the_pruned_one_picks(recorded):
    plain = plain_choice(torch.from_numpy(recorded.joints).double(), 20)
    np.testing.assert_array_equal(plain, choose_farthest(recorded.joints, 20, start=0).picks)
    assert time_choice(recorded.joints, 20, repeats=1)["fps_same_picks"]


def test_words_are_counted_by_the_second(recorded):
    found = time_words(recorded.joints, repeats=1)
    assert found["plain_captions_per_cpu_s"] > found["modifiers_per_cpu_s"] / 100 > 0


@pytest.mark.slow
def test_nothing_false_is_counted_where_nothing_false_is_said(recorded):
    found = count_contradictions(recorded)
    assert found["contradictions"] == 0
    assert found["statements"] > 60 * 10


def test_a_number_that_makes_no_sense_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 2"):
        BuildingOptions(data=tmp_path, poses=1)


def test_the_program_prints_its_figures(mocap_folder, capsys):
    main(
        BuildingOptions(
            data=mocap_folder,
            json=True,
            limit=2,
            split="test",
            parts=("words", "choice"),
            poses=30,
            texts=20,
            picks=5,
            repeats=1,
        )
    )
    found = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert {"captions_per_cpu_s", "modifiers_per_cpu_s", "fps_speedup"} <= set(found)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_build_that_is_killed_ends_with_the_same_bytes(mocap_folder, tmp_path):
    found = resumed_equal(mocap_folder, tmp_path, pictures=24)
    assert found["resumed_equal"]
    assert found["kills"] >= 2
