"""What we draw is what was looked at and kept, but for a trace of rounding."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from tests.render.golden_pictures import FOLDER, KINDS
from unipose.app.examples import example_pose
from unipose.body.body import Body, load_body
from unipose.render.comparison import draw_comparison
from unipose.render.drawing import draw_pose
from unipose.render.moved import MOST_M, SCALE, moved_colours, moved_joints, scale_colours
from unipose.render.shading import linear
from unipose.render.turntable import draw_turntable

TEXT_FREE = 0.995
"""Share of pixels that have to agree; letters are drawn by a library that may change."""


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_pictures_are_those_that_were_kept(body: Body, name: str) -> None:
    with Image.open(FOLDER / f"{name}.png") as image:
        kept = np.asarray(image.convert("RGB")).astype(int)
    drawn = KINDS[name](body).astype(int)
    assert drawn.shape == kept.shape
    assert (abs(drawn - kept).max(-1) <= 3).mean() >= TEXT_FREE


@pytest.mark.slow
def test_a_picture_of_512_pixels_takes_less_than_a_third_of_a_second(body: Body) -> None:
    pose = example_pose("balance")
    draw_pose(pose, body, size=512)  # compiles
    seconds = []
    for _ in range(3):
        start = time.process_time()  # what others do on this machine does not count
        draw_pose(pose, body, size=512)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.3


def test_the_arm_that_is_raised_is_what_moved(body: Body) -> None:
    before, after = example_pose("stand"), example_pose("wave")
    joints = moved_joints(before, after, body)
    assert joints[0][0] == "right_wrist"
    assert joints[0][1] > 0.5
    assert dict(joints)["left_foot"] < 0.05
    colours = moved_colours(before, after, body)
    hand = body.weights[:, 21].argmax()
    foot = body.weights[:, 10].argmax()
    assert colours[hand].allclose(linear(SCALE[2]), atol=1e-3)
    assert colours[foot].allclose(linear(SCALE[0]), atol=0.05)


def test_the_scale_begins_at_rest_and_ends_at_its_far_end() -> None:
    import torch

    ends = scale_colours(torch.tensor([0.0, MOST_M, 9.0]))
    assert ends[0].allclose(linear(SCALE[0]))
    assert ends[1].allclose(ends[2])


@pytest.mark.slow
def test_nothing_is_coloured_where_nothing_moved(body: Body) -> None:
    same = draw_comparison(example_pose("sit"), example_pose("sit"), body, size=96).astype(int)
    panel = same.shape[1] // 3
    third = same[: same.shape[0] * 3 // 4, 2 * panel :]
    assert (third.max(-1) - third.min(-1)).max() < 40


@pytest.mark.slow
def test_a_turntable_comes_round(body: Body) -> None:
    pictures = list(draw_turntable(example_pose("wave"), body, frames=5, size=64, supersample=1))
    assert len(pictures) == 5
    assert len({picture.shape for picture in pictures}) == 1
    assert pictures[0].shape[1] % 2 == 0
    assert (pictures[0] != pictures[2]).mean() > 0.05
