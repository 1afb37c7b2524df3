"""Pair mining: alike as a whole, different in enough small things, the same pairs every time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from data_builders.pair_mining import (
    MiningConfig,
    _Search,
    low_level_properties,
    mine_pairs,
    plain_features,
)
from tests.posecodes.conftest import figure_joints, random_turns
from unipose.errors import ConfigError, FileError, PoseError

COUNT = 400


@pytest.fixture(scope="module")
def pool():
    """Return features, properties, which of 20 walks a pose is from, and when it was."""
    starts, ends = random_turns(20, 1), random_turns(20, 2)
    share = np.linspace(0, 1, 20)[None, :, None, None]
    joints = figure_joints(
        (starts[:, None] * (1 - share) + ends[:, None] * share).reshape(-1, 22, 3)
    )
    sequences, times = np.repeat(np.arange(20), 20), np.tile(np.arange(20) / 10, 20)
    return plain_features(joints), low_level_properties(joints), sequences, times


def tuples(found):
    return list(zip(found.first.tolist(), found.second.tolist(), strict=True))


def by_hand(features, properties, config):
    """Return who passes for each second pose, every pair looked at."""
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    similarity = units.astype(np.float64) @ units.T.astype(np.float64)
    found = []
    for second in range(len(units)):
        order = np.argsort(-similarity[second], kind="stable")
        order = order[order != second][: config.neighbours]
        differ = (properties[order] != properties[second]).sum(axis=1)
        found.append(set(order[differ >= config.least_differences].tolist()))
    return found


def test_the_candidates_are_those_of_the_full_table(pool):
    features, properties, *_ = pool
    config = MiningConfig(neighbours=40, least_differences=12)
    found = _Search(features, properties, config, None, None).candidates(np.arange(COUNT))
    ends = np.cumsum(found["counts"])
    expected = by_hand(features, properties, config)
    for row, (end, size) in enumerate(zip(ends, found["counts"], strict=True)):
        assert set(found["first"][end - size : end].tolist()) == expected[row]
    assert sum(len(some) for some in expected) > 1000


def test_every_pair_is_near_and_different_enough(pool):
    features, properties, *_ = pool
    config = MiningConfig(neighbours=40, least_differences=12)
    found = mine_pairs(features, properties, config=config)
    expected = by_hand(features, properties, config)
    assert all(first in expected[second] for first, second in tuples(found))
    differ = (properties[found.first] != properties[found.second]).sum(axis=1)
    assert (found.differences == differ).all()
    assert sorted([*found.second, *found.unpaired]) == list(range(COUNT))
    assert all(not expected[pose] for pose in found.unpaired)
    known = found.statistics()
    assert known["pairs"] + known["unpaired"] == COUNT
    assert 12 <= known["differences_p5"] <= known["differences_p50"] <= known["differences_p95"]


def test_pairs_depend_on_the_seed_and_not_on_chunks(pool):
    features, properties, *_ = pool
    first = mine_pairs(features, properties, config=MiningConfig(seed=1))
    again = mine_pairs(features, properties, config=MiningConfig(seed=1, chunk=37))
    other = mine_pairs(features, properties, config=MiningConfig(seed=2))
    assert tuples(first) == tuples(again)
    assert tuples(first) != tuples(other)


def test_rare_first_poses_are_preferred(pool):
    features, properties, *_ = pool

    def largest(**options):
        found = mine_pairs(features, properties, config=MiningConfig(best=10, **options))
        return np.bincount(found.first).max(), found.statistics()["distinct_first_poses"]

    (rare, many), (any_, few) = largest(prefer_rare=True), largest(prefer_rare=False)
    assert rare < any_
    assert many > few


def test_rules_about_recordings_hold(pool):
    features, properties, sequences, times = pool
    known = {"sequences": sequences, "times_s": times}
    rules = {"least_differences": 3, "similarity": (-1.0, 0.95)}
    other = mine_pairs(
        features, properties, config=MiningConfig(sequence="other", **rules), **known
    )
    assert (sequences[other.first] != sequences[other.second]).all()
    assert other.similarity.max() <= 0.95
    same = mine_pairs(
        features, properties, config=MiningConfig(sequence="same", least_differences=3), **known
    )
    assert len(same.first) > 50
    assert (sequences[same.first] == sequences[same.second]).all()
    earlier = times[same.second] - times[same.first]
    assert ((earlier > 0) & (earlier < 0.5)).all()


def test_pairs_go_both_ways_where_they_can(pool):
    features, properties, *_ = pool
    found = mine_pairs(features, properties, config=MiningConfig(both_ways=True))
    pairs = set(tuples(found))
    assert len(pairs) == len(found.second)
    assert sum((b, a) in pairs for a, b in pairs) > len(pairs) / 2


def test_only_the_poses_asked_for_get_a_partner(pool):
    features, properties, *_ = pool
    wanted = np.arange(10, 60, 5)
    found = mine_pairs(features, properties, config=MiningConfig(), seconds=wanted)
    assert found.second.tolist() == wanted.tolist()


def test_mining_goes_on_after_the_last_kept_chunk(pool, tmp_path, monkeypatch):
    features, properties, *_ = pool
    config = MiningConfig(chunk=50)
    whole = mine_pairs(features, properties, config=config)
    search, chunks = _Search.candidates, []

    def killed(self, second):
        chunks.append(int(second[0]))
        if len(chunks) == 4:
            raise KeyboardInterrupt
        return search(self, second)

    monkeypatch.setattr(_Search, "candidates", killed)
    with pytest.raises(KeyboardInterrupt):
        mine_pairs(features, properties, config=config, folder=tmp_path)
    resumed = mine_pairs(features, properties, config=config, folder=tmp_path)
    assert tuples(resumed) == tuples(whole)
    assert chunks == [0, 50, 100, 150, *range(150, COUNT, 50)]
    mine_pairs(features, properties, config=MiningConfig(chunk=50, neighbours=9), folder=tmp_path)
    assert chunks[-8:] == list(range(0, COUNT, 50))  # other arguments, nothing reused
    for kept in tmp_path.glob("*-000000000.npz"):
        kept.write_bytes(b"broken")
    with pytest.raises(FileError, match="no candidates"):
        mine_pairs(features, properties, config=config, folder=tmp_path)


def test_a_pose_is_never_its_own_partner():
    joints = np.repeat(figure_joints(random_turns(3, 5)), 40, axis=0)
    features, properties = plain_features(joints), low_level_properties(joints)
    config = MiningConfig(neighbours=8, least_differences=0)
    found = mine_pairs(features, properties, config=config)
    assert (found.first != found.second).all()
    assert len(found.second) == 120
    none = mine_pairs(features, properties, config=MiningConfig(neighbours=8))
    assert (len(none.first), len(none.unpaired)) == (0, 120)
    assert none.statistics()["pairs"] == 0


def test_properties_are_counted_without_noise(pool):
    _, properties, *_ = pool
    joints = figure_joints(random_turns(50, 9))
    assert low_level_properties(joints).shape == (50, 77)
    assert (low_level_properties(joints) == low_level_properties(joints.copy())).all()
    assert properties.dtype == np.int8


def test_what_does_not_fit_is_named(pool):
    features, properties, sequences, _ = pool
    with pytest.raises(ConfigError, match="399 properties"):
        mine_pairs(features, properties[1:], config=MiningConfig())
    with pytest.raises(ConfigError, match="which recording"):
        mine_pairs(features, properties, config=MiningConfig(sequence="other"))
    with pytest.raises(ConfigError, match="time of each pose"):
        mine_pairs(features, properties, config=MiningConfig(sequence="same"), sequences=sequences)
    with pytest.raises(ConfigError, match="0 to 399"):
        mine_pairs(features, properties, config=MiningConfig(), seconds=np.array([400]))
    with pytest.raises(ConfigError, match="twice"):
        mine_pairs(features, properties, config=MiningConfig(), seconds=np.array([4, 4]))
    with pytest.raises(PoseError, match="NaN"):
        mine_pairs(features * np.nan, properties, config=MiningConfig())
    with pytest.raises(ConfigError, match="best"):
        MiningConfig(best=0)
    with pytest.raises(ConfigError, match="turned round"):
        MiningConfig(sequence="same", both_ways=True)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_52000_poses_are_mined_in_six_minutes_of_work_and_four_gigabytes():
    import resource

    turns = random_turns(2600, 1)
    near = np.random.default_rng(0).normal(0, 0.15, (20, *turns.shape))
    joints = figure_joints((turns[None] + near).reshape(-1, 22, 3))
    begin = time.process_time()
    found = mine_pairs(plain_features(joints), low_level_properties(joints), config=MiningConfig())
    assert time.process_time() - begin < 360
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4e6  # kilobytes
    assert len(found.second) > 50_000
