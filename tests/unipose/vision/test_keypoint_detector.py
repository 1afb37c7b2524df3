"""Squares, joined keypoint sets, and the three networks on pictures of which the truth is known."""

import math

import numpy as np
import pytest
import torch

from tests.fakes.photo_networks import fetched
from unipose.body.keypoint_sets import COCO_17, KeypointSet, keypoint_set
from unipose.body.keypoints import Keypoints
from unipose.vision.keypoint_detector import KeypointDetector, body_square, joined
from unipose.vision.turned_square import TurnedSquare


@pytest.fixture(scope="module")
def detector():
    fetched("nanodet")
    return KeypointDetector(hands_and_face=True)


def marked_picture():
    """Return a black picture with a white spot of 4 x 4 pixels around (70, 30)."""
    pixels = np.zeros((100, 120, 3), dtype=np.uint8)
    pixels[28:32, 68:72] = 255
    return pixels


@pytest.mark.parametrize("angle", [0.0, 0.5, math.pi / 2, -2.0])
@pytest.mark.parametrize("side", [60.0, 400.0])
def test_a_square_says_where_what_it_shows_lies(angle, side):
    square = TurnedSquare(centre=(60.0, 40.0), side=side, angle=angle)
    seen = square.cut(marked_picture(), 64)[..., 0].astype(float)
    rows, columns = np.mgrid[:64, :64] + 0.5
    middle = np.array([[(seen * columns).sum(), (seen * rows).sum()]]) / seen.sum() / 64
    assert square.to_picture(middle)[0] == pytest.approx((70, 30), abs=side / 64)


def test_a_square_far_beyond_the_picture_is_black():
    square = TurnedSquare(centre=(-5000.0, 40.0), side=900.0)
    assert not square.cut(marked_picture(), 64).any()


def test_a_square_is_turned_with_the_body():
    up = TurnedSquare.around_circle(np.array([5.0, 9.0]), np.array([5.0, 4.0]))
    assert (up.side, up.angle) == (10.0, 0.0)
    right = TurnedSquare.around_circle(np.array([5.0, 9.0]), np.array([9.0, 9.0]), scale=1.5)
    assert (right.side, right.angle) == pytest.approx((12.0, math.pi / 2))


def standing(scores=1.0):
    """Return COCO's keypoints of somebody who stands upright, hips around (50, 60)."""
    points = torch.zeros(1, 17, 2)
    places = {"nose": (50, 20), "shoulder": (50, 35), "hip": (50, 60), "ankle": (50, 95)}
    for i, name in enumerate(COCO_17.names):
        points[0, i] = torch.tensor(places.get(name.split("_")[-1], (50, 60)))
    return Keypoints.of(COCO_17, points.float(), torch.full((1, 17), scores))


@pytest.mark.parametrize("scores", [1.0, 0.0])
def test_the_body_square_is_upright_and_holds_everybody_even_who_is_hardly_seen(scores):
    square = body_square(standing(scores))
    assert square.centre == (50, 60)
    assert square.angle == pytest.approx(0)
    assert square.side >= 2 * 40


def test_joined_keypoints_keep_the_first_of_a_name():
    one = KeypointSet(name="one", names=("a", "b"))
    two = KeypointSet(name="two", names=("b", "c"))
    first = Keypoints.of(one, torch.tensor([[[1.0, 1.0], [2.0, 2.0]]]))
    second = Keypoints.of(two, torch.tensor([[[9.0, 9.0], [3.0, 3.0]]]))
    both = joined([first, second])
    assert both.point("b").tolist() == [[2.0, 2.0]]
    assert both.point("c").tolist() == [[3.0, 3.0]]


def test_nobody_is_found_on_a_wall(detector):
    wall = np.full((300, 400, 3), 180, dtype=np.uint8)
    assert detector.find(wall) == []
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert detector.find(noise) == []


def test_a_box_gets_its_person_whatever_is_in_it(detector):
    wall = np.full((300, 400, 3), 180, dtype=np.uint8)
    (one,) = detector.find(wall, boxes=[(10.0, 10.0, 10.0, 10.0)])
    assert float(one.body.scores.mean()) < 0.3
    for name in ("coco17", "wholebody133", "openpose25", "blazepose33", "halpe26"):
        found = one.keypoints(keypoint_set(name))
        assert found.keypoint_set is keypoint_set(name)
        assert len(found) == 1
