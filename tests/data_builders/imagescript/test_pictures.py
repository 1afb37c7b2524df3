"""What is cut out of a picture, and where its labels are then."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from data_builders.imagescript.pictures import Window, outside, person_of
from data_builders.records import Record
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import keypoint_set_of
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL


def test_a_window_is_a_square_around_the_box_as_far_as_there_is_picture():
    window = Window.around((100.0, 50.0, 140.0, 150.0), (400, 300), margin=1.5, most_px=448)
    assert (window.left, window.top, window.width, window.height) == (45, 25, 150, 150)
    at_the_edge = Window.around((0.0, 0.0, 40.0, 100.0), (400, 300), margin=1.5, most_px=448)
    assert (at_the_edge.left, at_the_edge.top) == (0, 0)
    assert (at_the_edge.width, at_the_edge.height) == (95, 125)


def test_without_a_margin_the_picture_stays_whole_but_is_made_smaller():
    window = Window.around((100.0, 50.0, 140.0, 150.0), (800, 400), margin=0.0, most_px=200)
    assert window.stored_px == (200, 100)
    data = window.cut(np.zeros((400, 800, 3), dtype=np.uint8))
    assert Image.open(io.BytesIO(data)).size == (200, 100)


@given(
    left=st.floats(-20, 300), top=st.floats(-20, 200), width=st.floats(2, 300),
    height=st.floats(2, 300), margin=st.sampled_from([0.0, 1.0, 1.5, 3.0]),
)  # fmt: skip
def test_what_is_stored_is_never_empty_and_never_larger(left, top, width, height, margin):
    size = (320, 240)
    box = (left, top, left + width, top + height)
    window = Window.around(box, size, margin=margin, most_px=100)
    assert 1 <= max(window.stored_px) <= 100
    assert window.left + window.width <= 320 or window.width == 1
    assert window.top + window.height <= 240 or window.height == 1


def test_a_bright_dot_is_where_its_label_says():
    pixels = np.zeros((300, 400, 3), dtype=np.uint8)
    pixels[118:123, 208:213] = 255  # its middle: (210.5, 120.5)
    window = Window.around((150.0, 60.0, 260.0, 200.0), (400, 300), margin=1.5, most_px=80)
    stored = np.asarray(Image.open(io.BytesIO(window.cut(pixels))).convert("L")).astype(float)
    rows, columns = np.indices(stored.shape) + 0.5
    bright = np.where(stored > 20, stored, 0)
    middle = np.array([(bright * columns).sum(), (bright * rows).sum()]) / bright.sum()
    assert window.place(np.array([210.5, 120.5])) == pytest.approx(middle, abs=0.35)


def _record(**known: object) -> Record:
    return Record(key="a/b:1", source="a", split="train", **known)


def test_projecting_with_the_stored_camera_gives_the_stored_keypoints():
    camera = Camera.look_at(torch.tensor([0.3, 1.2, 4.0]), torch.tensor([0.0, 1.0, 0.0]))
    points = torch.tensor([[0.1, 1.5, 0.2], [-0.2, 0.3, 0.0]], dtype=torch.float64)
    pixels = camera.project(points, height_px=600, width_px=800)
    record = _record(
        pose=Pose(rotations=torch.eye(3).expand(1, 24, 3, 3)),
        box=(300.0, 100.0, 500.0, 550.0),
        camera=camera,
        keypoints_2d=Keypoints.of(keypoint_set_of(("nose", "left_knee")), pixels[None]),
    )
    window = Window.around(record.box, (800, 600), margin=1.2, most_px=224)
    person = person_of(record, np.zeros((22, 3)), window, (800, 600))
    seen = camera.to_camera(points).numpy()
    again = seen[:, :2] / seen[:, 2:] * np.array(person["focal_px"]) + np.array(person["centre_px"])
    np.testing.assert_allclose(again, person["keypoints_2d"]["points"], atol=1e-6)
    turn = torch.tensor(person["root_in_camera"])
    assert float(turn.norm()) == pytest.approx(np.pi, abs=0.2)  # faces the camera, y is down there


def test_joints_outside_of_the_stored_picture_are_known_to_be_so():
    window = Window.around(None, (100, 100), margin=0.0, most_px=100)
    marked = keypoint_set_of(("left_knee", "right_ankle", "left_wrist"))
    points = torch.tensor([[[50.0, 120.0], [50.0, 50.0], [torch.nan, torch.nan]]])
    keypoints = Keypoints.of(marked, points)
    found = {SMPL.joints[i] for i in np.flatnonzero(outside(keypoints, window))}
    assert found == {"left_knee", "left_wrist"}


def test_a_foot_goes_with_its_ankle_where_there_are_no_toes():
    window = Window.around(None, (100, 100), margin=0.0, most_px=100)
    keypoints = Keypoints.of(keypoint_set_of(("left_ankle",)), torch.tensor([[[50.0, 120.0]]]))
    found = {SMPL.joints[i] for i in np.flatnonzero(outside(keypoints, window))}
    assert found == {"left_ankle", "left_foot"}
