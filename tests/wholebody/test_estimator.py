"""From a picture and boxes to keypoints, with a network that finds bright spots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.wholebody.test_network import TINY
from unipose.body.keypoint_sets import COCO_17
from unipose.body.people import PersonInImage
from unipose.errors import PoseQueryError
from unipose.metrics.keypoints import keep_different
from unipose.wholebody.estimator import WholeBodyEstimator, instance_score
from unipose.wholebody.network import MEAN, normalised_crops


class BrightSpot:
    """Says that all keypoints are where the crop is brightest."""

    config = replace(TINY, width_px=96, height_px=128)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.batches.append(len(images))
        light = images.sum(1)
        x = torch.zeros(len(images), 17, 192)
        y = torch.zeros(len(images), 17, 256)
        for row, picture in enumerate(light):
            at = int(picture.argmax())
            x[row, :, 2 * (at % 96)] = 0.9
            y[row, :, 2 * (at // 96)] = 0.8
        return x, y


def spotted(*spots: tuple[int, int]) -> np.ndarray:
    picture = np.zeros((300, 400, 3), dtype=np.uint8)
    for x, y in spots:
        picture[y - 2 : y + 3, x - 2 : x + 3] = 120
        picture[y, x] = 255
    return picture


SPOTS = ((60, 100), (200, 180), (395, 20))
BOXES = [(20.0, 40.0, 110.0, 160.0), (150.0, 120.0, 240.0, 240.0), (350.0, 0.0, 400.0, 70.0)]


@pytest.mark.parametrize("flip_test", [False, True])
def test_keypoints_are_where_they_are_in_the_picture(flip_test):
    estimator = WholeBodyEstimator(BrightSpot(), flip_test=flip_test)
    found = estimator.look(spotted(*SPOTS), BOXES)
    assert found.points.shape == (3, 17, 2)
    off = (found.points[:, 0] - torch.tensor(SPOTS)).abs()
    assert float(off.max()) < 1.0
    assert float(found.scores.min()) == pytest.approx(0.8)


def test_the_mirror_image_moves_nothing():
    picture = spotted(*SPOTS)
    plain, both = (
        WholeBodyEstimator(BrightSpot(), flip_test=flip).look(picture, BOXES)
        for flip in (False, True)
    )
    assert torch.equal(plain.points, both.points)


def test_people_of_a_picture_are_looked_at_together():
    engine = BrightSpot()
    estimator = WholeBodyEstimator(engine, flip_test=False, batch=2)
    picture = spotted(*SPOTS)
    together = estimator.look(picture, BOXES)
    assert engine.batches == [2, 1]
    for i, box in enumerate(BOXES):
        assert torch.equal(estimator.look(picture, [box]).points[0], together.points[i])
    assert len(estimator.look(picture, [])) == 0


def test_confidence_is_that_of_box_and_keypoints_and_doubles_go():
    estimator = WholeBodyEstimator(BrightSpot())
    people = [
        PersonInImage(box=BOXES[0], confidence=0.5),
        PersonInImage(box=(21.0, 41.0, 111.0, 161.0), confidence=0.9),
        PersonInImage(box=BOXES[1], confidence=0.4),
    ]
    found = estimator.find(spotted(*SPOTS), people)
    assert [round(one.confidence, 3) for one in found] == [0.72, 0.32]
    assert len(estimator.find(spotted(*SPOTS), people, different=False)) == 3
    with pytest.raises(PoseQueryError, match="a box for each person"):
        estimator.find(spotted(), [PersonInImage()])


def test_a_box_outside_of_the_picture_is_named():
    with pytest.raises(PoseQueryError, match="of person 1 lies outside of the picture"):
        WholeBodyEstimator(BrightSpot()).look(spotted(), [BOXES[0], (500.0, 0.0, 600.0, 90.0)])


def test_red_is_the_first_channel():
    crop = np.zeros((1, 2, 2, 3), dtype=np.uint8)
    crop[..., 0] = 200
    red, green, blue = normalised_crops(crop)[0, :, 0, 0].tolist()
    assert red == pytest.approx((200 - MEAN[0]) / 58.395)
    assert green < 0 > blue


def test_what_is_hardly_seen_does_not_count_for_the_score():
    assert instance_score(torch.tensor([0.9, 0.5, 0.1])) == pytest.approx(0.7)
    assert instance_score(torch.tensor([0.1, 0.2])) == 0


def test_of_two_alike_the_surer_one_is_kept():
    points = torch.zeros(3, 17, 2)
    points[2] += 300
    kept = keep_different(
        points, torch.tensor([0.2, 0.8, 0.5]), area_px=torch.full((3,), 1e4),
        sigmas=COCO_17.sigmas, most=0.9,
    )  # fmt: skip
    assert kept == [1, 2]
