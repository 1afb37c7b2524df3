"""Teaching the lifter: pairs agree with the studio, made-up people with real ones, runs resume."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.studio.labels import SEEN
from tests.fakes.keypoint_detector import FakeKeypointDetector
from train import landmark_lifter, landmark_shards
from train.landmark_batches import Lenders, draw_batch, make_up_people
from train.landmark_lifter import PRESETS
from train.landmark_shards import LandmarkPairs, LandmarkShardConfig, joined, make_pairs
from train.lifter_errors import measure_errors
from train.run_folder import RunFolder
from unipose.body.body import load_body
from unipose.errors import ConfigError, FileError
from unipose.vision.body_landmarks import LANDMARKS, LandmarkedBody
from unipose.vision.crops import project
from unipose.vision.landmark_lifter import LandmarkLifter

CONFIG = LandmarkShardConfig(
    studio=replace(PRESETS["debug"].studio, height_px=96, width_px=96), data=Path(), split="train",
    pictures=8, per_shard=4, box_error=0.05,
)  # fmt: skip
BODY = LandmarkedBody(load_body())


@pytest.fixture(autouse=True)
def no_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landmark_shards, "KeypointDetector", FakeKeypointDetector)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_pairs(tmp_path, CONFIG)
    return tmp_path


@pytest.fixture
def pairs(folder: Path) -> LandmarkPairs:
    return make_pairs(folder, CONFIG)


def test_a_missing_shard_is_made_again_to_the_same_bytes(folder: Path):
    second = sorted(folder.glob("shard-*.npy"))[1]
    before = second.read_bytes()
    second.unlink()
    make_pairs(folder, CONFIG)
    assert second.read_bytes() == before


def test_damaged_shards_and_those_of_another_studio_are_named(folder: Path):
    with pytest.raises(ConfigError, match="another studio"):
        make_pairs(folder, replace(CONFIG, box_error=0.1))
    first = min(folder.glob("shard-*.npy"))
    first.write_bytes(first.read_bytes()[:-100])
    with pytest.raises(FileError, match="no whole shard"):
        make_pairs(folder, CONFIG)
    np.save(first, np.zeros(3))
    with pytest.raises(FileError, match="another layout"):
        make_pairs(folder, CONFIG)


def test_true_points_lie_in_the_true_boxes(pairs: LandmarkPairs):
    batch = draw_batch(pairs, BODY, None)
    points = batch.points[:, 24:][pairs.shown == SEEN]
    assert points.abs().max() < 0.55
    assert points.abs().max() > 0.3


def test_the_weak_camera_of_the_truth_shows_it_where_it_is(pairs: LandmarkPairs):
    for generator in (None, torch.Generator().manual_seed(0)):
        batch = draw_batch(pairs, BODY, generator)
        shown = project(torch.cat([batch.joints, batch.landmarks], dim=1), batch.camera)
        apart = (shown - batch.points).norm(dim=-1)
        assert apart.median() < 0.02  # perspective is left out


def test_a_mirrored_person_is_the_person_of_the_mirrored_pose(pairs: LandmarkPairs):
    batch = draw_batch(pairs, BODY, torch.Generator().manual_seed(2))
    joints, landmarks = BODY(batch.rotations, batch.betas)
    # the open body itself is mirrored to within centimetres
    torch.testing.assert_close(joints, batch.joints, atol=0.02, rtol=0)
    torch.testing.assert_close(landmarks, batch.landmarks, atol=0.03, rtol=0)


def test_made_up_people_err_as_their_lenders(pairs: LandmarkPairs):
    lenders, pool = Lenders.of(pairs, BODY), PosePool.random(32, seed=0)
    draw = lambda: make_up_people(  # noqa: E731
        200, pool, lenders, BODY, torch.Generator().manual_seed(5), config=PoolConfig(mixed=0.2)
    )
    people = draw()
    assert len(joined(people, pairs)) == 200 + len(pairs)
    made, real = draw_batch(people, BODY, None), draw_batch(pairs, BODY, None)
    errors = [(b.seen.points - b.points[:, 24:])[p.shown > 0].norm(dim=-1).median()
              for b, p in ((made, people), (real, pairs))]  # fmt: skip
    torch.testing.assert_close(errors[0], errors[1], rtol=0.5, atol=0)
    assert torch.equal(people.seen.points, draw().seen.points)
    assert (made.camera[:, 0] > 0.2).all()


def test_landmarks_are_dropped_and_never_all_of_them_moved(pairs: LandmarkPairs):
    batch = draw_batch(pairs, BODY, torch.Generator().manual_seed(3), dropped=1.0)
    assert (batch.seen.scores == 0).any()
    assert torch.isfinite(batch.seen.numbers()).all()


def test_measured_errors_are_a_precision(pairs: LandmarkPairs):
    network = LandmarkLifter(PRESETS["debug"].network).eval()
    errors = measure_errors(network, BODY, draw_batch(pairs, BODY, None), pairs)
    assert torch.linalg.eigvalsh(errors.precision.double()).min() > 0
    assert errors.offsets.shape == (LANDMARKS, 3)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path):
    whole = replace(PRESETS["debug"], out=tmp_path / "whole", pairs=tmp_path / "pairs")
    landmark_lifter.main(whole)
    stopped = replace(whole, out=tmp_path / "stopped")
    run = RunFolder(stopped.out, stopped)
    step, weights, state = RunFolder.read(whole.out / "step-00000002.safetensors")
    run.write(step, weights, state)
    landmark_lifter.main(stopped)
    first, second = (
        LandmarkLifter.from_pretrained(config.out / "model").state_dict()
        for config in (whole, stopped)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
