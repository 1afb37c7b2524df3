"""Pictures of poses: whole, the same every time, left and right told apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tests.fakes.torch_rasterizer import rasterize_with_torch
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError
from unipose.render import shading
from unipose.render.drawing import contact_sheet, draw_pose, draw_sequence
from unipose.render.shading import side_colours


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def turned(*turns: tuple[float, float, float]) -> Pose:
    """Return poses that differ in the root only."""
    axis_angle = torch.zeros(len(turns), 24, 3)
    axis_angle[:, 0] = torch.tensor(turns)
    return Pose.from_axis_angle(axis_angle)


def coloured(picture: np.ndarray) -> np.ndarray:
    """Return where limbs are: blue or orange, unlike backdrop, floor and shadow."""
    levels = picture.astype(int)
    return levels.max(-1) - levels.min(-1) > 50


LYING = (-math.pi / 2, 0.0, 0.0)


@pytest.mark.parametrize(
    "turn", [(0.0, 0.0, 0.0), LYING, (math.pi / 2, 0.0, 0.0), (0.0, 0.0, 1.6), (0.0, 2.4, 0.0)]
)
def test_the_whole_body_is_in_the_picture(body: Body, turn: tuple[float, float, float]) -> None:
    limbs = coloured(draw_pose(turned(turn), body, size=96))
    assert limbs.sum() > 150
    border = np.concatenate([limbs[:2].ravel(), limbs[-2:].ravel(), limbs[:, :2].ravel()])
    assert not border.any()
    assert not limbs[:, -2:].any()


def test_a_pose_is_drawn_with_the_same_bytes_twice(body: Body) -> None:
    first, second = (draw_pose(turned((0.1, 0.5, 0.0)), body, size=64) for _ in range(2))
    assert first.tobytes() == second.tobytes()


def test_a_heading_keeps_the_camera_where_it_is_for_all_but_the_lying(body: Body) -> None:
    front, back = (draw_pose(turned((0.0, a, 0.0)), body, size=48, heading=0.0) for a in (0.0, 3.1))
    assert (front != back).mean() > 0.05
    own = draw_pose(turned(LYING), body, size=48)
    assert own.tobytes() == draw_pose(turned(LYING), body, size=48, heading=0.0).tobytes()


def test_the_plain_rasteriser_draws_the_same_picture(
    body: Body, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = draw_pose(turned((0.1, 0.5, 0.0)), body, size=96).astype(int)
    monkeypatch.setattr(shading, "rasterize", rasterize_with_torch)
    plain = draw_pose(turned((0.1, 0.5, 0.0)), body, size=96)
    assert (abs(compiled - plain).max(-1) <= 1).mean() >= 0.999


def test_left_limbs_are_cool_and_right_limbs_are_warm(body: Body) -> None:
    picture = draw_pose(turned((0.0, 0.0, 0.0)), body, size=96, view="front").astype(int)
    red_minus_blue = picture[..., 0] - picture[..., 2]
    width = picture.shape[1]  # it faces us: its left is on our right
    assert red_minus_blue[:, : width // 2].max() > 50
    assert red_minus_blue[:, width // 2 :].min() < -50
    assert abs(red_minus_blue[:, : width // 2].min()) < 20


def test_colours_are_true_shares_of_light(body: Body) -> None:
    colours = side_colours(body.weights)
    assert float(colours.min()) >= 0
    assert float(colours.max()) <= 1


def test_several_poses_stand_side_by_side_under_their_titles(body: Body) -> None:
    poses = turned((0.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    alone = draw_pose(poses[0], body, size=96)
    both = draw_pose(poses, body, size=96, labels=["first", "second"])
    assert both.shape[1] == pytest.approx(2 * alone.shape[1], rel=0.05)
    assert both.shape[0] > alone.shape[0]
    assert both[: both.shape[0] - 96].min() < 120  # ink above the pictures


def test_labels_must_count_the_poses(body: Body) -> None:
    with pytest.raises(ConfigError, match="expected 1 labels, got 2"):
        draw_pose(turned((0.0, 0.0, 0.0)), body, labels=["first", "second"])


def test_no_pose_is_no_picture(body: Body) -> None:
    with pytest.raises(ConfigError, match="no pose"):
        contact_sheet(Pose(rotations=torch.zeros(0, 24, 3, 3)), body)


def test_a_sheet_has_a_place_for_every_pose(body: Body) -> None:
    sheet = contact_sheet(turned(*[(0.0, 0.0, 0.0)] * 5), body, columns=3, size=48)
    assert sheet.shape[0] == 2 * 48
    assert sheet.shape[1] % 3 == 0


def test_a_walking_body_stays_in_the_picture_and_its_floor_moves(body: Body) -> None:
    steps = torch.zeros(8, 3)
    steps[:, 2] = torch.linspace(0, 4, 8)
    still = Pose(rotations=torch.eye(3).expand(8, 24, 3, 3), translation=steps, fps=2.0)
    pictures = list(draw_sequence(still, body, size=96, supersample=1))
    assert len(pictures) == 8
    for picture in pictures:
        limbs = coloured(picture)
        assert limbs.sum() > 150
        assert not limbs[:, :1].any()
        assert not limbs[:, -1:].any()
    assert (pictures[3] != pictures[4]).any()


def test_the_camera_is_on_the_side_the_body_faces(body: Body) -> None:
    """A body turned by any angle looks the same from its own front."""
    straight = draw_pose(turned((0.0, 0.0, 0.0)), body, size=64, view="front").astype(int)
    turned_round = draw_pose(turned((0.0, 2.0, 0.0)), body, size=64, view="front").astype(int)
    assert (abs(straight - turned_round).max(-1) <= 24).mean() > 0.97
    assert SMPL.joints[0] == "pelvis"
