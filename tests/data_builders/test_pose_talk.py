"""Pairs to compare and edit: what is replaced, what stays, and that a seed decides it."""

from __future__ import annotations

import torch

from data_builders.pose_pool import LIMBS, PoolConfig, PosePool
from data_builders.pose_talk import THINGS, replace_limbs, replace_one
from unipose.body.facing import yaw_of
from unipose.body.skeletons import SMPL

POOL = PosePool.random(4000, seed=3)
AS_THEY_ARE = PoolConfig(mixed=0.0, turn=0.0, tilt=0.0)


def replaced(first: torch.Tensor, second: torch.Tensor) -> list[tuple[int, ...]]:
    """Return of each pair the limbs of which a joint is turned otherwise."""
    turned = ~torch.isclose(first, second, atol=1e-6).flatten(2).all(dim=2)
    return [
        tuple(i for i, limb in enumerate(LIMBS) if bool(row[SMPL.indices(*limb)].any()))
        for row in turned
    ]


def test_a_brief_pair_differs_in_one_thing_and_faces_the_same_way():
    first = POOL.draw(200, torch.Generator().manual_seed(0), AS_THEY_ARE)
    second = replace_one(first, POOL, torch.Generator().manual_seed(1), AS_THEY_ARE)
    things = replaced(first, second)
    assert set(things) == set(THINGS)
    apart = yaw_of(first[:, 0]) - yaw_of(second[:, 0])
    assert torch.allclose(torch.cos(apart), torch.ones(len(first)), atol=1e-5)


def test_one_to_three_limbs_are_replaced_and_the_root_never():
    first = POOL.draw(100, torch.Generator().manual_seed(0), AS_THEY_ARE)
    second = replace_limbs(first, POOL, torch.Generator().manual_seed(1), AS_THEY_ARE)
    for limbs in replaced(first, second):
        assert 1 <= len(limbs) <= 3
        assert 0 not in limbs


def test_the_same_seed_replaces_the_same():
    first = POOL.draw(20, torch.Generator().manual_seed(0), AS_THEY_ARE)
    for replace in (replace_one, replace_limbs):
        same = [replace(first, POOL, torch.Generator().manual_seed(s), AS_THEY_ARE) for s in (1, 1)]
        other = replace(first, POOL, torch.Generator().manual_seed(2), AS_THEY_ARE)
        assert torch.equal(*same)
        assert not torch.equal(same[0], other)
