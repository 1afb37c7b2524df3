"""What lifters read and refuse, and frames by sequence."""

from __future__ import annotations

import pytest
import torch

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, HUMAN36M_17, MPI_INF_3DHP_17
from unipose.errors import LiftingError
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.lifting_scores import (
    lift_all,
    mean_scores,
    part_scores,
    pose_scores,
    scores_by_action,
    spread,
)
from unipose.lifting.screen import check_frames, check_seen, on_screen, usable
from unipose.lifting.segments import segments_of


def frames(count: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(count, 17, 3, generator=generator) * 0.5
    truth = truth - truth[:, :1]
    return truth[..., :2] * 0.5, truth


def test_the_screen_keeps_the_pictures_aspect():
    corners = torch.tensor([[0.0, 0.0], [1000.0, 500.0], [500.0, 250.0]])
    assert on_screen(corners, (1000, 500)).tolist() == [[-1.0, -0.5], [1.0, 0.5], [0.0, 0.0]]
    with pytest.raises(LiftingError, match="0 x 5 pixels"):
        on_screen(corners, (0, 5))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda seen, truth: seen[2].fill_(float("nan")), "frame 2 has a keypoint that is missing"),
        (lambda seen, truth: seen[1, 3].fill_(9.0), "frame 1 has a keypoint far off the screen"),
        (
            lambda seen, truth: truth[3, 5].fill_(float("inf")),
            "frame 3 has a joint that is missing",
        ),
        (lambda seen, truth: truth[1].mul_(1000), "frame 1 has .*millimetres for metres"),
        (lambda seen, truth: truth[0].mul_(0.01), "frame 0 has all joints within"),
    ],
)
def test_a_frame_that_cannot_be_lifted_is_named(change, said: str):
    seen, truth = frames()
    check_frames(seen, truth, 17)
    change(seen, truth)
    with pytest.raises(LiftingError, match=said):
        check_frames(seen, truth, 17)
    assert int((~usable(seen, truth)).sum()) == 1


def test_another_skeleton_is_named():
    seen, _ = frames()
    with pytest.raises(LiftingError, match="expected 16 joints in each frame, got 17"):
        check_seen(seen, 16)


def data(lengths: tuple[int, ...] = (3, 4)) -> LiftingData:
    seen, truth = frames(sum(lengths))
    return LiftingData(
        keypoint_set=HUMAN36M_17, seen=seen, truth=truth,
        sequence=torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths)),
        names=tuple(
            SequenceName(subject="S9", action=f"a{i}", camera="") for i in range(len(lengths))
        ),
        fps=10.0,
    )  # fmt: skip


def test_windows_repeat_the_end_frames_of_their_own_sequence():
    some = data()
    assert some.frames_of_windows(torch.tensor([3]), 5).tolist() == [[3, 3, 3, 4, 5]]
    assert some.frames_of_windows(torch.tensor([2]), 3).tolist() == [[1, 2, 2]]
    assert data((7,)).middles(3).tolist() == [1, 4, 5]
    assert data((3, 1)).middles(5).tolist() == [1, 3]


@pytest.mark.parametrize("lengths", [(7,), (3, 1, 9), (2, 5)])
def test_windows_of_all_frames_say_each_frame(lengths: tuple[int, ...]):
    class Echo(torch.nn.Module):
        frames, says_all = 5, True

        def forward(self, seen):
            return torch.nn.functional.pad(seen, (0, 1))

    some = data(lengths)
    said = lift_all(Echo(), some)
    torch.testing.assert_close(said[..., :2], some.seen)


def test_scores_are_means_over_frames_and_actions_apart():
    some = data()
    said = some.truth + (some.sequence == 1).float()[:, None, None] * 0.2 * torch.eye(17)[:, :3]
    found = mean_scores(said, some)
    by_action = scores_by_action(said, some)
    assert by_action["a0"]["mpjpe_mm"] == pytest.approx(0.0, abs=1e-3)
    both = by_action["a0"]["mpjpe_mm"], by_action["a1"]["mpjpe_mm"]
    assert by_action["all actions"]["mpjpe_mm"] == pytest.approx(sum(both) / 2)
    assert found["mpjpe_mm"] == pytest.approx((3 * both[0] + 4 * both[1]) / 7)
    assert spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))


def test_an_answer_that_is_not_finite_is_named_by_its_frame():
    some = data()
    said = some.truth.clone()
    said[5, 2, 0] = float("nan")
    with pytest.raises(LiftingError, match="frame 5"):
        pose_scores(said, some.truth, HUMAN36M_17)


def test_parts_of_a_whole_body_lie_on_their_own_roots():
    truth = torch.rand(2, 133, 3)
    said = truth.clone()
    said[:, 23:91] += 0.01  # the face moves without its nose
    said[:, 91:112] += 0.02  # the left hand with its root
    found = part_scores(said, truth, COCO_WHOLEBODY_133)
    off = 10 * 3**0.5
    assert found["face_nose_mm"] == pytest.approx(off, rel=1e-4)
    assert found["hands_wrist_mm"] == pytest.approx(0.0, abs=1e-3)
    assert found["hands_mm"] == pytest.approx(off, rel=1e-4)
    assert found["body_mm"] == pytest.approx(0.0, abs=1e-3)
    assert found["whole_mm"] == pytest.approx((68 * off + 21 * 2 * off) / 133, rel=1e-4)


def test_segments_are_the_six_pairs_that_are_compared():
    names = HUMAN36M_17.names
    pairs = segments_of(HUMAN36M_17)
    assert {tuple(names[i] for i in pair) for pair in pairs.left} == {
        ("pelvis", "left_hip"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
        ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"),
    }  # fmt: skip
    assert len(pairs.bones) == 16
    assert [names[b] for _, b in pairs.right] == [
        names[b].replace("left", "right") for _, b in pairs.left
    ]
    assert len(segments_of(MPI_INF_3DHP_17).left) == 6
    whole = segments_of(COCO_WHOLEBODY_133)
    of_bodies = [pair for pair in whole.left if max(pair) < 17]
    assert [tuple(COCO_WHOLEBODY_133.names[i] for i in pair) for pair in of_bodies] == [
        ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("left_hip", "left_knee"),
        ("left_knee", "left_ankle"),
    ]  # fmt: skip
    assert not any(23 <= joint < 91 for pair in whole.bones for joint in pair)
