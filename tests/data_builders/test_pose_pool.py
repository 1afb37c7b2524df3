"""Poses to train on that nobody recorded: how far they go, and that they go no further."""

from __future__ import annotations

import roma
import torch

from data_builders.pose_pool import PoolConfig, PosePool
from unipose.body.skeletons import POSED_JOINTS, SMPL

STILL = {"mixed": 0.0, "turn": 0.0, "yaw": 0.0, "tilt": 0.0}


def draw(config: PoolConfig, *, bent: float = 0.5, count: int = 400) -> torch.Tensor:
    """Return drawings of the one pose whose lower spine is bent forward, as turns (radians)."""
    turns = torch.zeros(1, POSED_JOINTS, 3)
    turns[0, SMPL.index["spine1"], 0] = bent
    pool = PosePool(roma.rotvec_to_rotmat(turns))
    return roma.rotmat_to_rotvec(pool.draw(count, torch.Generator().manual_seed(0), config))


def test_without_shares_a_pose_is_drawn_as_recorded():
    assert draw(PoolConfig(**STILL))[:, SMPL.index["spine1"], 0].allclose(torch.tensor(0.5))


def test_a_stretched_back_bends_further_the_same_way():
    turns = draw(PoolConfig(**STILL, stretched=1.0))
    back = turns[:, SMPL.index["spine1"]]
    assert 0.5 <= back[:, 0].min() < 0.55
    assert 0.95 < back[:, 0].max() <= 1.0
    turns[:, SMPL.index["spine1"], 0] = 0.0
    assert float(turns.abs().max()) < 1e-4  # no other way, no other joint


def test_a_stretched_joint_does_not_flip_to_the_other_side():
    bent = draw(PoolConfig(**STILL, stretched=1.0), bent=2.0)[:, SMPL.index["spine1"], 0]
    assert bent.min() > 1.99
    assert 2.8 < bent.max() < 2.9


def test_wide_poses_turn_joints_up_to_the_reach():
    turns = draw(PoolConfig(**STILL, wide=1.0, reach=2.0), bent=0.0).norm(dim=-1)
    assert float(turns[:, 0].max()) == 0.0
    assert 1.9 < turns.max() <= 2.0 + 1e-4
    assert 0.45 < (turns[:, 1:] < 0.25).float().mean() < 0.55


def test_a_share_of_the_poses_is_wide():
    turns = draw(PoolConfig(**STILL, wide=0.25), bent=0.0).norm(dim=-1)
    assert 0.2 < (turns.amax(dim=1) > 0.1).float().mean() < 0.3


def test_a_free_root_looks_every_way_and_leaves_the_joints():
    turns = draw(PoolConfig(**STILL, free_root=1.0))
    up = roma.rotvec_to_rotmat(turns[:, 0])[:, :, 1]  # where the top of the body points
    assert float(up.mean(dim=0).abs().max()) < 0.1
    assert up.square().mean(dim=0).allclose(torch.tensor(1 / 3), atol=0.06)
    assert turns[:, SMPL.index["spine1"], 0].allclose(torch.tensor(0.5))
