"""The library of named poses as the product reads it."""

from __future__ import annotations

import pytest
import torch

from unipose.errors import PoseQueryError, WeightsError
from unipose.posecodes.named_poses import NAMED_POSES_FILE, NamedPoses


@pytest.fixture(scope="module")
def named() -> NamedPoses:
    return NamedPoses.load()


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_draws_the_same_pose(named):
    first, again = (named.draw("squat", generator(5)) for _ in range(2))
    assert torch.equal(first, again)
    drawn = {tuple(named.draw("squat", generator(i)).flatten().tolist()) for i in range(40)}
    assert len(drawn) > 9  # nine poses and their mirror images


def test_a_pose_with_a_side_in_its_name_is_never_mirrored(named):
    name = "waving with the left hand"
    poses = named.poses(name)
    for seed in range(20):
        drawn = named.draw(name, generator(seed))
        assert min(float((drawn - pose).abs().max()) for pose in poses) == 0


def test_the_other_side_is_the_mirror_image(named):
    left = named.centre("waving with the left hand")
    right = named.centre("waving with the right hand")
    assert torch.allclose(left.mirrored().rotations, right.rotations, atol=1e-6)


def test_wordings_of_both_splits_are_apart_and_belong_to_one_pose(named):
    said = [
        wording
        for name in named.names
        for split in ("train", "test")
        for wording in named.wordings(name, split)
    ]
    assert len(said) == len(set(said)) > 8 * 150


def test_rotations_are_rotations(named):
    poses = torch.cat([named.poses(name) for name in named.names])
    assert float((poses @ poses.mT - torch.eye(3)).abs().max()) < 1e-4


def test_a_name_is_found_however_it_is_written(named):
    assert named.find("Waving with-the LEFT hand") == "waving with the left hand"
    assert named.find("seiza") == "kneeling on the heels"
    assert named.find("tree pose") == "tree pose on the left leg"


def test_an_unknown_name_is_answered_with_near_ones(named):
    with pytest.raises(PoseQueryError, match=r"near it: .*downward dog"):
        named.find("downwrd dog")
    assert named.nearest("tre pose", 2) == [
        "tree pose on the left leg",
        "tree pose on the right leg",
    ]
    with pytest.raises(PoseQueryError, match="near it"):
        named.wordings("nothing", "train")


def test_a_file_of_something_else_is_refused(tmp_path):
    broken = tmp_path / "named.safetensors"
    broken.write_bytes(NAMED_POSES_FILE.read_bytes()[:100])
    with pytest.raises(WeightsError, match="cannot be read"):
        NamedPoses.load(broken)


def test_the_file_is_small():
    assert NAMED_POSES_FILE.stat().st_size < 700_000
