"""People in pictures and over time."""

import pytest
import torch

from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage, Track
from unipose.errors import PoseError


def test_a_person_has_one_row_of_keypoints_and_a_box_the_right_way_round():
    with pytest.raises(PoseError, match="got 2"):
        PersonInImage(keypoints=Keypoints.of(COCO_17, torch.rand(2, 17, 2)))
    with pytest.raises(PoseError, match="left, top, right, bottom"):
        PersonInImage(box=(10.0, 0.0, 5.0, 5.0))


def test_a_track_names_its_gaps():
    track = Track(frames=(2, 3, 7, 9), people=(PersonInImage(),) * 4)
    assert track.gaps == [range(4, 7), range(8, 9)]
    with pytest.raises(PoseError, match="go up"):
        Track(frames=(2, 2), people=(PersonInImage(),) * 2)
    with pytest.raises(PoseError, match="1 frames for 2"):
        Track(frames=(2,), people=(PersonInImage(),) * 2)
