"""People in pictures and over time."""

import pytest
import torch

from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage, Track
from unipose.body.pose import Pose
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


def test_sightings_of_a_track_are_stacked_row_by_row() -> None:
    points = torch.arange(2 * 17 * 2.0).view(2, 17, 2)
    keypoints = Keypoints.of(COCO_17, points)
    pose = Pose.from_axis_angle(torch.rand(2, 24, 3), translation=torch.rand(2, 3))
    people = tuple(PersonInImage(keypoints=keypoints[i], pose=pose[i]) for i in range(2))
    track = Track(frames=(0, 4), people=people, seconds=(0.0, 0.4))
    assert torch.equal(track.keypoints.points, points)
    assert torch.equal(track.poses.rotations, pose.rotations)
    assert track.poses.betas is None
    assert track.poses.translation is not None
    assert torch.equal(track.poses.translation, pose.translation)
    nobody = Track(frames=(0, 1), people=(people[0], PersonInImage()))
    with pytest.raises(PoseError, match="expected keypoints of one set"):
        _ = nobody.keypoints
    with pytest.raises(PoseError, match="expected a pose of one body"):
        _ = nobody.poses
    with pytest.raises(PoseError, match="1 times for 2"):
        Track(frames=(0, 1), people=people, seconds=(0.0,))
    with pytest.raises(PoseError, match="times of a track have to go up"):
        Track(frames=(0, 1), people=people, seconds=(1.0, 0.0))
