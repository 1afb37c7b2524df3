"""Gaps, smoothing and exchanged sides, against the truth that was spoiled."""

from __future__ import annotations

import math

import pytest
import roma
import torch
from torch import Tensor

from tests.fakes.walkers import walker_points
from unipose.body.body import load_body
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseError
from unipose.metrics.joints import acceleration_error, mpjpe
from unipose.vision.gaps import bridge_keypoints, bridge_poses
from unipose.vision.side_flips import restore_sides
from unipose.vision.smoothing import (
    OneEuroConfig,
    OneEuroFilter,
    smooth_keypoints,
    smooth_poses,
)

FPS = 30.0


def times(count: int) -> Tensor:
    return torch.arange(count, dtype=torch.float64) / FPS


def walk(count: int = 60) -> Keypoints:
    points = torch.stack([walker_points(100 + 3 * i, phase=i / 30) for i in range(count)])
    return Keypoints.of(COCO_17, points)


def dance(count: int = 60) -> Pose:
    """A slow dance: the body turns once, arms and knees swing."""
    seconds = times(count).float()
    axis_angle = torch.zeros(count, 24, 3)
    axis_angle[:, 0, 1] = math.pi * seconds
    for joint, axis, size, hertz in ((16, 2, 0.8, 0.7), (17, 1, 0.6, 1.0), (4, 0, 0.7, 0.9)):
        axis_angle[:, joint, axis] = size * torch.sin(2 * math.pi * hertz * seconds)
    place = torch.stack([seconds, 0.1 * torch.sin(6 * seconds), 4 + 0 * seconds], dim=1)
    return Pose.from_axis_angle(axis_angle, translation=place, fps=FPS)


def trembling(poses: Pose, *, seed: int = 0) -> Pose:
    noise = torch.Generator().manual_seed(seed)
    turns = 0.06 * torch.randn(len(poses), 24, 3, generator=noise)
    shift = 0.02 * torch.randn(len(poses), 3, generator=noise)
    assert poses.translation is not None
    return Pose(
        rotations=poses.rotations @ roma.rotvec_to_rotmat(turns),
        translation=poses.translation + shift,
        betas=0.3 * torch.randn(len(poses), 10, generator=noise),
        fps=poses.fps,
    )


def joints_of(poses: Pose) -> Tensor:
    joints = load_body().joints(poses.rotations)
    assert poses.translation is not None
    return joints + poses.translation[:, None]


def test_smoothing_a_pose_sequence_lowers_acceleration_error_and_no_accuracy_is_lost() -> None:
    truth = dance()
    found = trembling(truth)
    smooth = smooth_poses(found)
    joints, before, after = (joints_of(poses) for poses in (truth, found, smooth))
    assert acceleration_error(after, joints, fps=FPS).mean() < 0.2 * (
        acceleration_error(before, joints, fps=FPS).mean()
    )
    assert mpjpe(after, joints).mean() < 0.8 * mpjpe(before, joints).mean()
    assert smooth.betas is not None
    assert (smooth.betas == smooth.betas[:1]).all()
    assert smooth.fps == FPS


def test_smoothing_over_a_track_has_no_delay() -> None:
    seconds = times(90).float()
    axis_angle = torch.zeros(90, 24, 3)
    axis_angle[:, 16, 2] = torch.sin(2 * math.pi * seconds)
    angle = smooth_poses(Pose.from_axis_angle(axis_angle, fps=FPS)).axis_angle[15:75, 16, 2]
    lags = torch.stack([
        (angle - axis_angle[15 - lag : 75 - lag, 16, 2]).abs().mean() for lag in range(-3, 4)
    ])  # fmt: skip
    assert int(lags.argmin()) == 3
    assert float(lags.min()) < 0.01


def test_smoothing_keypoints_keeps_gaps_and_lowers_the_error() -> None:
    truth = walk()
    noise = torch.randn(truth.points.shape, generator=torch.Generator().manual_seed(0))
    present = torch.ones(60, 17, dtype=torch.bool)
    present[20:25, 3] = False
    found = Keypoints.of(COCO_17, truth.points + 2 * noise, present=present)
    smooth = smooth_keypoints(found, fps=FPS)
    assert torch.equal(smooth.present, present)
    assert (smooth.points[20:25, 3] == 0).all()
    off, still_off = (
        (some.points - truth.points)[present].norm(dim=-1) for some in (found, smooth)
    )
    assert still_off.mean() < 0.75 * off.mean()


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_a_short_sequence_that_stands_still_stays_as_it_is(count: int) -> None:
    still = Pose.from_axis_angle(torch.full((count, 24, 3), 0.3), fps=FPS)
    assert torch.allclose(smooth_poses(still).rotations, still.rotations, atol=1e-5)


def test_what_cannot_be_smoothed_is_said() -> None:
    with pytest.raises(PoseError, match="no frame rate"):
        smooth_poses(Pose.from_axis_angle(torch.zeros(4, 24, 3)))
    with pytest.raises(ConfigError, match="known up to 5 Hz"):
        smooth_keypoints(walk(), fps=10.0, cutoff_hz=6.0)


def test_the_one_euro_filter_lags_as_it_says_and_less_in_fast_motion() -> None:
    config = OneEuroConfig(rest_cutoff_hz=1.0, speed_gain=0.0)
    quick = OneEuroConfig(rest_cutoff_hz=1.0, speed_gain=2.0)
    lags = []
    for chosen in (config, quick):
        smoother = OneEuroFilter(chosen)
        for i in range(200):
            out = smoother.update(torch.tensor([[i / FPS]]), i / FPS)
        lags.append(199 / FPS - float(out))
    assert lags[0] == pytest.approx(config.delay_s, rel=1e-3)
    assert lags[1] == pytest.approx(config.delay_s / 3, rel=1e-2)


def test_the_one_euro_filter_smooths_rotations_and_keeps_the_sides_of_a_gap() -> None:
    truth, found = dance(), trembling(dance())
    turning, moving = OneEuroFilter(of="rotations"), OneEuroFilter(size=1.7)
    rows, places = [], []
    assert found.translation is not None
    for i, seconds in enumerate(times(60).tolist()):
        rows.append(turning.update(found.rotations[i], seconds))
        places.append(moving.update(found.translation[i : i + 1], seconds)[0])
    smooth = Pose(rotations=torch.stack(rows), translation=torch.stack(places), fps=FPS)
    joints, before, after = (joints_of(poses) for poses in (truth, found, smooth))
    assert acceleration_error(after, joints, fps=FPS).mean() < 0.5 * (
        acceleration_error(before, joints, fps=FPS).mean()
    )
    missing = OneEuroFilter()
    for i, value in enumerate([1.0, math.nan, 1.0]):
        out = missing.update(torch.tensor([[value, value]]), i / FPS)
        assert math.isnan(float(out[0, 0])) == (i == 1)
    assert out[0].tolist() == [1.0, 1.0]
    with pytest.raises(PoseError, match="time has to go up"):
        missing.update(torch.zeros(1, 2), 0.0)


def test_short_gaps_of_keypoints_are_bridged_and_long_ones_left_out() -> None:
    truth = walk(30)
    seen = [i for i in range(30) if i not in (5, 6, 7, *range(12, 24))]
    points = truth.points[seen].clone()
    present = torch.ones(len(seen), 17, dtype=torch.bool)
    present[1, 4] = False
    found = Keypoints.of(COCO_17, points, present=present)
    whole = bridge_keypoints(found, times(30)[seen], times(30), longest_s=4 / FPS)
    expected = torch.ones(30, 17, dtype=torch.bool)
    expected[12:24] = False
    assert torch.equal(whole.present, expected)
    assert torch.equal(whole.points[seen][present], points[present])
    assert torch.allclose(whole.points[6], (points[4] + points[5]) / 2, atol=1e-4)
    cut = bridge_keypoints(found, times(30)[seen], times(30), longest_s=0.0)
    assert int(cut.present[:, 0].sum()) == len(seen)
    assert not cut.present[1, 4]


def test_short_gaps_of_poses_are_bridged_joint_by_joint_at_constant_speed() -> None:
    truth = dance(30)
    seen = [i for i in range(30) if i not in (5, 6, 7, *range(12, 24))]
    found = Pose(rotations=truth.rotations[seen], translation=truth.translation[seen])  # type: ignore[index]
    (start, first), (later, second) = bridge_poses(
        found, times(30)[seen], times(30), longest_s=4 / FPS
    )
    assert (start, len(first), later, len(second)) == (0, 12, 24, 6)
    assert first.fps == pytest.approx(FPS)
    first_seen = [i for i in seen if i < 12]
    assert torch.allclose(first.rotations[first_seen], truth.rotations[first_seen], atol=1e-5)
    assert torch.allclose(first.axis_angle[5:8, 0, 1], truth.axis_angle[5:8, 0, 1], atol=1e-4)
    turns = roma.rotmat_geodesic_distance(first.rotations[4:8], first.rotations[5:9])
    assert torch.allclose(turns, turns[:1].expand_as(turns), atol=1e-3)
    assert len(bridge_poses(found, times(30)[seen], times(30), longest_s=0.0)) == 3
    with pytest.raises(PoseError, match="have to go up"):
        bridge_poses(found, times(30)[seen].flip(0), times(30), longest_s=1.0)


@pytest.mark.parametrize("wrong", [[7], [0, 1], [30, 31, 32, 45], list(range(20, 40)), []])
def test_exchanged_sides_are_noticed_and_put_back(wrong: list[int]) -> None:
    truth = walk()
    points = truth.points + torch.randn(60, 17, 2, generator=torch.Generator().manual_seed(0))
    spoiled = points.clone()
    spoiled[wrong] = spoiled[wrong][:, list(COCO_17.mirror)]
    restored, rows = restore_sides(Keypoints.of(COCO_17, spoiled))
    assert rows == wrong
    assert torch.equal(restored.points, points)


def test_sides_of_nobody_and_of_legs_that_cross_are_left_alone() -> None:
    gone = Keypoints.of(COCO_17, torch.full((5, 17, 2), torch.nan))
    assert restore_sides(gone)[1] == []
    points = walk().points
    left, right = COCO_17.indices("left_ankle", "right_ankle")
    swing = 60 * torch.sin(torch.arange(60) / 3)
    points[:, left, 0] = points[:, 0, 0] + swing
    points[:, right, 0] = points[:, 0, 0] - swing
    assert restore_sides(Keypoints.of(COCO_17, points))[1] == []
