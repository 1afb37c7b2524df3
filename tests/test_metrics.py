"""The field's joint errors, beside another implementation and what must not change them."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch
from scipy.linalg import orthogonal_procrustes

from unipose.metrics import mpjpe, mpvpe, pa_mpjpe


def skeletons(seed: int) -> torch.Tensor:
    return torch.randn(8, 22, 3, generator=torch.Generator().manual_seed(seed)).double()


def aligned_by_scipy(joints: np.ndarray, truth: np.ndarray) -> float:
    """Return PA-MPJPE of one pose, where the best orthogonal matrix is a rotation."""
    a, b = joints - joints.mean(0), truth - truth.mean(0)
    turn, strength = orthogonal_procrustes(a, b)
    assert np.linalg.det(turn) > 0, "scipy may reflect; this example should not need it"
    moved = strength / (a * a).sum() * a @ turn
    return float(np.linalg.norm(moved - b, axis=1).mean())


def test_a_shift_of_all_joints_is_the_error_itself() -> None:
    truth = skeletons(0)
    shift = torch.tensor([0.03, 0.0, 0.04]).double()
    torch.testing.assert_close(mpjpe(truth + shift, truth), torch.full((8,), 0.05).double())


def test_alignment_agrees_with_scipy() -> None:
    truth = skeletons(1)
    joints = truth + 0.2 * skeletons(2)
    expected = [aligned_by_scipy(a, b) for a, b in zip(joints.numpy(), truth.numpy(), strict=True)]
    assert pa_mpjpe(joints, truth).tolist() == pytest.approx(expected)


def test_alignment_undoes_a_similarity() -> None:
    truth = skeletons(3)
    turn = roma.rotvec_to_rotmat(skeletons(7)[:, 0])
    joints = 1.7 * truth @ turn.mT + torch.tensor([1.0, 2.0, 3.0]).double()
    assert float(pa_mpjpe(joints, truth).max()) < 1e-9


def test_alignment_does_not_reflect() -> None:
    truth = skeletons(4)
    mirrored = truth * torch.tensor([-1.0, 1.0, 1.0]).double()
    assert float(pa_mpjpe(mirrored, truth).min()) > 0.1


def test_alignment_never_makes_the_error_much_larger() -> None:
    truth = skeletons(5)
    joints = truth + 0.1 * skeletons(6)
    assert bool((pa_mpjpe(joints, truth) < mpjpe(joints, truth) * 1.05).all())


def test_the_error_of_vertices_is_their_mean_distance() -> None:
    truth = torch.zeros(2, 4, 3)
    moved = truth.clone()
    moved[0, 0] = torch.tensor([0.3, 0.0, 0.4])
    moved[1] = torch.tensor([0.0, 0.1, 0.0])
    torch.testing.assert_close(mpvpe(moved, truth), torch.tensor([0.5 / 4, 0.1]))
