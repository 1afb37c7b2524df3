"""Farthest point sampling: the picks of the plain loop, in a fraction of its time, resumable."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from data_builders.selection import choose_farthest
from unipose.body.body import load_body
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.errors import ConfigError, FileError, PoseError


def plain_loop(joints, count, start):
    """Return picks and their distances, every distance measured anew: what ours must equal."""
    places = np.ascontiguousarray((joints - joints[:, :1]).transpose(1, 0, 2))  # joint pose 3
    nearest = np.full(len(joints), np.inf)
    picks, distances = [start], [np.inf]
    for _ in range(count - 1):
        steps = np.sqrt(((places - places[:, picks[-1], None]) ** 2).sum(axis=-1))
        nearest = np.minimum(nearest, steps.mean(axis=0))
        picks.append(int(nearest.argmax()))
        distances.append(nearest.max())
    return picks, distances


def walks(count, seed):
    """Return poses as recordings have them: a few long random walks."""
    draw = np.random.default_rng(seed)
    steps = draw.normal(0, 0.03, (count, 22, 3))
    steps[:: max(count // 7, 1)] = draw.normal(0, 0.4, steps[:: max(count // 7, 1)].shape)
    return np.cumsum(steps, axis=0)


@pytest.mark.parametrize("seed", range(4))
def test_the_picks_are_those_of_the_plain_loop(seed):
    joints = walks(700, seed)
    found = choose_farthest(joints, 200, start=5)
    picks, distances = plain_loop(joints, 200, 5)
    assert found.picks.tolist() == picks
    assert found.distances.tolist() == distances


def test_ties_fall_as_in_the_plain_loop():
    grid = np.random.default_rng(0).integers(0, 2, (300, 4, 3)).astype(float)
    joints = np.concatenate([grid, grid[::-1]])
    found = choose_farthest(joints, 80, start=17)
    assert found.picks.tolist() == plain_loop(joints, 80, 17)[0]
    assert len(set(found.distances.tolist())) < 30  # there were ties


def test_copies_of_picks_are_not_picked():
    joints = np.repeat(walks(6, 1), 5, axis=0)
    found = choose_farthest(joints, 20, seed=3)
    assert len(found.picks) == 6
    assert sorted(found.picks // 5) == list(range(6))


def test_where_the_people_stand_does_not_matter():
    joints = walks(200, 2)
    moved = joints + np.arange(200)[:, None, None] * 0.25
    a, b = choose_farthest(joints, 50, seed=4), choose_farthest(moved, 50, seed=4)
    assert a.picks.tolist() == b.picks.tolist()
    assert choose_farthest(joints, 50, seed=5).picks[0] != a.picks[0]


def test_a_selection_goes_on_where_it_stopped(tmp_path):
    joints, save = walks(500, 3), tmp_path / "picks.npz"
    whole = choose_farthest(joints, 150, seed=1)
    assert (
        choose_farthest(joints, 70, seed=1, save=save).picks.tolist() == whole.picks[:70].tolist()
    )
    rest = choose_farthest(joints, 150, seed=1, save=save, progress=True)
    assert rest.picks.tolist() == whole.picks.tolist()
    assert rest.distances.tolist() == whole.distances.tolist()
    written = save.stat().st_mtime_ns
    assert (
        choose_farthest(joints, 20, seed=1, save=save).picks.tolist() == whole.picks[:20].tolist()
    )
    assert save.stat().st_mtime_ns == written


def test_a_killed_selection_keeps_what_was_saved(tmp_path, monkeypatch):
    joints, save = walks(400, 6), tmp_path / "picks.npz"
    from data_builders import selection

    extend = selection._SelectionState.extend

    def killed(state, places, until):
        if state.done >= 128:
            raise KeyboardInterrupt
        extend(state, places, until)

    monkeypatch.setattr(selection._SelectionState, "extend", killed)
    with pytest.raises(KeyboardInterrupt):
        choose_farthest(joints, 300, start=0, save=save, save_every=64)
    monkeypatch.undo()
    with np.load(save) as kept:
        assert len(kept["picks"]) == 128
    resumed = choose_farthest(joints, 300, start=0, save=save)
    assert resumed.picks.tolist() == choose_farthest(joints, 300, start=0).picks.tolist()


def test_a_selection_of_other_poses_is_refused(tmp_path):
    save = tmp_path / "picks.npz"
    choose_farthest(walks(50, 1), 5, start=0, save=save)
    with pytest.raises(FileError, match="other poses"):
        choose_farthest(walks(50, 2), 5, start=0, save=save)
    with pytest.raises(FileError, match="another start"):
        choose_farthest(walks(50, 1), 5, start=1, save=save)
    save.write_bytes(b"not a selection")
    with pytest.raises(FileError, match="no selection"):
        choose_farthest(walks(50, 1), 5, start=0, save=save)


def test_what_cannot_be_chosen_is_named():
    joints = walks(10, 0)
    with pytest.raises(ConfigError, match="11 of 10"):
        choose_farthest(joints, 11)
    with pytest.raises(ConfigError, match="pose 12"):
        choose_farthest(joints, 3, start=12)
    joints[4, 2, 1] = np.nan
    with pytest.raises(PoseError, match="pose 4"):
        choose_farthest(joints, 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_thousand_of_20000_real_poses_take_a_fifth_of_the_plain_loop(mocap_folder):
    from data_builders.pose_pool import PosePool

    rotations = PosePool.read(mocap_folder, "train").rotations
    kept = np.sort(np.random.default_rng(0).permutation(len(rotations))[:20_000])
    rest = load_body().rest_joints
    joints = forward_kinematics(face_front(rotations[kept]), rest).double().numpy()
    choose_farthest(joints[:100], 10)  # compiled before the clock starts
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        begin = time.process_time()
        found = choose_farthest(joints, 1000, start=0)
        ours = time.process_time() - begin
        begin = time.process_time()
        picks = torch_loop(torch.from_numpy(joints).float(), 1000)
        plain = time.process_time() - begin
    finally:
        torch.set_num_threads(threads)
    assert found.picks.tolist() == picks
    assert plain / ours >= 5


def torch_loop(joints, count):
    """Return the picks of the loop as one writes it with torch."""
    joints = joints - joints[:, :1]
    nearest, picks = torch.full((len(joints),), torch.inf), [0]
    for _ in range(count - 1):
        nearest = torch.minimum(nearest, (joints - joints[picks[-1]]).norm(dim=-1).mean(dim=-1))
        picks.append(int(nearest.argmax()))
    return picks
