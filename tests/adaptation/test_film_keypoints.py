"""2D labels by name, moved and filled in as the equations say."""

from __future__ import annotations

import pytest
import torch

from unipose.adaptation.film_keypoints import BODY_AND_FEET, CROP_PX, KeypointLabels
from unipose.body.keypoint_sets import OPENPOSE_25, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.errors import PoseError
from unipose.vision.crops import Crops

CROPS = Crops(centre=torch.tensor([[100.0, 50.0]]), side=torch.tensor([200.0]))


def test_keypoints_of_any_set_arrive_by_name():
    points = torch.zeros(1, 25, 2)
    places = {"left_knee": (140.0, 90.0), "left_big_toe": (100.0, 150.0)}
    for name, place in places.items():
        points[0, OPENPOSE_25.index[name]] = torch.tensor(place)
    scores = torch.zeros(1, 25)
    scores[0, OPENPOSE_25.indices(*places)] = torch.tensor([0.9, 0.31])
    scores[0, OPENPOSE_25.index["nose"]] = 0.3  # not above the threshold
    labels = KeypointLabels.of(
        Keypoints.of(OPENPOSE_25, points, scores, present=scores > 0), CROPS, least_score=0.3
    )
    counted = [BODY_AND_FEET.names[i] for i in labels.counted[0].nonzero()[:, 0].tolist()]
    assert counted == ["left_knee", "left_big_toe"]
    knee = labels.points[0, BODY_AND_FEET.index["left_knee"]]
    assert knee.tolist() == pytest.approx([0.2 * CROP_PX, 0.2 * CROP_PX])


def test_a_set_without_a_known_name_is_refused():
    strange = KeypointSet(name="tail", names=("tail",))
    with pytest.raises(PoseError, match="shares no keypoint"):
        KeypointLabels.of(Keypoints.of(strange, torch.ones(1, 1, 2)), CROPS, least_score=0.3)


def test_labels_move_and_fill_in_as_the_rows_say():
    points = torch.zeros(3, 23, 2)
    points[0, 0] = torch.tensor([3.0, 4.0])
    counted = torch.zeros(3, 23, dtype=torch.bool)
    counted[0, 0] = True
    labels = KeypointLabels(points=points, counted=counted, filled=torch.zeros_like(counted))
    projected = torch.full((3, 23, 2), 5.0)
    filled = labels.filled_in(projected, torch.tensor([True, True, False]))
    assert filled.points[:, 0].tolist() == [[3.0, 4.0], [5.0, 5.0], [0.0, 0.0]]
    assert filled.filled[:, 0].tolist() == [False, True, False]
    moved = labels.moved(projected, keep=0.9)
    assert moved.points[0, 0].tolist() == pytest.approx([3.2, 4.1])
    assert moved.points[1, 0].tolist() == [0.0, 0.0]
    assert float(labels.loss(projected)) == pytest.approx((2.0 + 1.0) / (3 * 23 * 2))
