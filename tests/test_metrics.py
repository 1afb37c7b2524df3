"""The field's errors of joints and keypoints, beside other implementations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import roma
import torch
from scipy.linalg import orthogonal_procrustes

from unipose.body.keypoint_sets import COCO_17
from unipose.errors import ConfigError, PoseError
from unipose.metrics import (
    acceleration_error,
    auc,
    limb_symmetry_error,
    mpjpe,
    mpvpe,
    object_keypoint_similarity,
    pa_mpjpe,
    pck,
    procrustes_aligned,
    root_aligned,
    segment_length_error,
)


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


def masked(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return joints, truth and which joints are present, of which missing ones are far off."""
    truth = skeletons(seed)
    joints = truth + 0.1 * skeletons(seed + 1)
    present = torch.rand(8, 22, generator=torch.Generator().manual_seed(seed)) > 0.3
    joints[~present] = 1e6
    return joints, truth, present


def test_a_missing_joint_is_left_out_of_the_mean() -> None:
    truth = torch.zeros(1, 3, 3)
    joints = torch.tensor([[[0.1, 0.0, 0.0], [0.0, 0.3, 0.0], [0.0, 0.0, 9.0]]])
    assert float(mpjpe(joints, truth, torch.tensor([[True, True, False]]))) == pytest.approx(0.2)


@pytest.mark.parametrize("error", [mpjpe, pa_mpjpe])
def test_what_stands_at_a_missing_joint_changes_nothing(error) -> None:
    joints, truth, present = masked(8)
    expected = error(joints, truth, present)
    joints[~present], truth[~present] = torch.nan, -1e6
    assert torch.equal(error(joints, truth, present), expected)


@pytest.mark.parametrize("error", [mpjpe, pa_mpjpe])
def test_with_every_joint_present_the_mask_changes_nothing(error) -> None:
    truth = skeletons(10)
    joints = truth + 0.1 * skeletons(11)
    everything = torch.ones(8, 22, dtype=torch.bool)
    torch.testing.assert_close(error(joints, truth, everything), error(joints, truth))


def test_masked_errors_agree_with_a_plain_loop() -> None:
    joints, truth, present = masked(12)
    plain, aligned = [], []
    for a, b, known in zip(joints.numpy(), truth.numpy(), present.numpy(), strict=True):
        distances = [np.sqrt(((a[j] - b[j]) ** 2).sum()) for j in range(22) if known[j]]
        plain.append(sum(distances) / len(distances))
        aligned.append(aligned_by_scipy(a[known], b[known]))
    assert mpjpe(joints, truth, present).tolist() == pytest.approx(plain)
    assert pa_mpjpe(joints, truth, present).tolist() == pytest.approx(aligned)


def test_a_pose_of_which_too_little_is_present_is_refused() -> None:
    truth = skeletons(14)
    present = torch.ones(8, 22, dtype=torch.bool)
    present[5, 2:] = False
    assert float(mpjpe(truth, truth, present).max()) == 0.0
    with pytest.raises(PoseError, match=r"fewer than 3 joints present.* pose 5"):
        procrustes_aligned(truth, truth, present)
    present[5] = False
    with pytest.raises(PoseError, match=r"fewer than 1 joints present.* pose 5"):
        mpjpe(truth, truth, present)


def test_root_aligned_joints_are_seen_from_the_pelvis() -> None:
    joints = skeletons(15)
    found = root_aligned(joints)
    assert float(found[:, 0].abs().max()) == 0.0
    torch.testing.assert_close(found + joints[:, :1], joints)


def test_the_error_of_vertices_is_their_mean_distance() -> None:
    truth = torch.zeros(2, 4, 3)
    moved = truth.clone()
    moved[0, 0] = torch.tensor([0.3, 0.0, 0.4])
    moved[1] = torch.tensor([0.0, 0.1, 0.0])
    torch.testing.assert_close(mpvpe(moved, truth), torch.tensor([0.5 / 4, 0.1]))


def test_oks_is_cocos_and_counts_what_is_present() -> None:
    sigmas = (0.1, 0.05)
    truth = torch.tensor([[[10.0, 10.0], [50.0, 50.0]], [[0.0, 0.0], [9.0, 9.0]]])
    found = torch.tensor([[[13.0, 14.0], [50.0, 50.0]]])
    present = torch.tensor([[True, True], [False, False]])
    area = torch.tensor([625.0, 100.0])
    alike = object_keypoint_similarity(
        found, truth, present=present, area_px=area, sigmas=sigmas
    )  # 5 px off at 2 sigma sqrt(area) = 5 px: exp(-1/2)
    assert alike.tolist() == [[pytest.approx((math.exp(-0.5) + 1) / 2), 0.0]]
    only_first = object_keypoint_similarity(
        found, truth[:1], present=present[:1], area_px=area[:1], sigmas=sigmas,
        found_present=torch.tensor([[True, False]]),
    )  # fmt: skip
    assert float(only_first) == pytest.approx(math.exp(-0.5))
    with pytest.raises(ConfigError, match="expected 2 positive sigmas"):
        object_keypoint_similarity(found, truth, present=present, area_px=area, sigmas=(0.1,))
    with pytest.raises(ConfigError, match="positive areas"):
        object_keypoint_similarity(found, truth, present=present, area_px=area * 0, sigmas=sigmas)


def test_oks_agrees_with_cocoeval_written_out() -> None:
    draw = torch.Generator().manual_seed(0)
    found = 50 * torch.rand(3, 17, 2, generator=draw)
    truth = 50 * torch.rand(4, 17, 2, generator=draw)
    present = torch.rand(4, 17, generator=draw) > 0.3
    area = 500 + 500 * torch.rand(4, generator=draw)
    alike = object_keypoint_similarity(
        found, truth, present=present, area_px=area, sigmas=COCO_17.sigmas
    )
    for i in range(3):
        for j in range(4):
            variances = (2 * np.array(COCO_17.sigmas)) ** 2
            d = (found[i] - truth[j]).square().sum(-1).numpy()
            e = (d / variances / (float(area[j]) + np.spacing(1)) / 2)[present[j].numpy()]
            assert float(alike[i, j]) == pytest.approx(np.sum(np.exp(-e)) / len(e), rel=1e-5)


def test_acceleration_error_is_in_metres_per_second_squared() -> None:
    seconds = torch.arange(5.0) / 10
    falling = torch.zeros(5, 2, 3)
    falling[..., 1] = -0.5 * 9.81 * seconds[:, None] ** 2
    still = torch.zeros(5, 2, 3)
    assert acceleration_error(still, falling, fps=10.0).tolist() == pytest.approx(
        [9.81] * 3, rel=1e-4
    )
    with pytest.raises(PoseError, match="three frames"):
        acceleration_error(still[:2], falling[:2], fps=10.0)


def test_correct_keypoints_and_the_area_under_their_curve_are_counted_one_by_one() -> None:
    truth = skeletons(0) * 0.1
    said = truth + 0.05 * skeletons(1)
    present = torch.rand(8, 22, generator=torch.Generator().manual_seed(2)) < 0.8
    for kept in (None, present):
        shares, areas = pck(said, truth, kept), auc(said, truth, kept)
        for i in range(len(truth)):
            off = [
                math.dist(a, b)
                for j, (a, b) in enumerate(zip(said[i].tolist(), truth[i].tolist(), strict=True))
                if kept is None or kept[i, j]
            ]
            assert shares[i].item() == pytest.approx(sum(d < 0.15 for d in off) / len(off))
            curve = [sum(d < t / 1000 for d in off) / len(off) for t in range(0, 151, 5)]
            assert areas[i].item() == pytest.approx(sum(curve) / 31)


def test_lengths_of_segments_are_off_by_so_many_percent_of_the_papers_definition() -> None:
    truth, said = skeletons(0), skeletons(3)
    left, right = ((0, 1), (4, 5)), ((2, 3), (6, 7))
    for i in range(len(said)):

        def length(pose: torch.Tensor, pair: tuple[int, int]) -> float:
            return math.dist(pose[pair[0]].tolist(), pose[pair[1]].tolist())

        pairs = [(length(said[i], a), length(said[i], b)) for a, b in zip(left, right, strict=True)]
        lse = sum(100 * abs((a - b) / ((a + b) / 2)) for a, b in pairs) / 2
        lengths = [(length(said[i], p), length(truth[i], p)) for p in left + right]
        bsle = sum(100 * abs(1 - a / b) for a, b in lengths) / 4
        assert limb_symmetry_error(said, left, right)[i].item() == pytest.approx(lse)
        assert segment_length_error(said, truth, left + right)[i].item() == pytest.approx(bsle)
    assert float(segment_length_error(truth, truth, left).abs().max()) == 0.0
    worked = torch.tensor([[[0.0, 0, 0], [0.3, 0, 0], [0, 0, 0], [0.2, 0, 0]]])
    assert limb_symmetry_error(worked, ((0, 1),), ((2, 3),)).item() == pytest.approx(40.0)
