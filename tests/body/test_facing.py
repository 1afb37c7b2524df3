"""To face the front is to lose the turn about the vertical, and nothing else."""

from __future__ import annotations

import pytest
import roma
import torch

from unipose.body.facing import face_front, yaw_of


def poses(seed: int) -> torch.Tensor:
    return roma.random_rotmat((6, 22), generator=torch.Generator().manual_seed(seed)).double()


def test_where_a_pose_faced_changes_nothing():
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 1.2, 0.0]).double())
    first = poses(0)
    other = torch.cat([turn @ first[:, :1], first[:, 1:]], dim=1)
    torch.testing.assert_close(face_front(other), face_front(first))


def test_facing_the_front_keeps_lean_and_limbs():
    turned = poses(1)
    front = face_front(turned)
    assert yaw_of(front[:, 0]).tolist() == pytest.approx([0.0] * 6, abs=1e-9)
    torch.testing.assert_close(front[:, 0, 1], turned[:, 0, 1])  # heights of the body's axes
    assert torch.equal(front[:, 1:], turned[:, 1:])


def test_of_no_pose_there_is_none_to_turn():
    assert face_front(torch.empty(0, 22, 3, 3)).shape == (0, 22, 3, 3)
