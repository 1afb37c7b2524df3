"""What is seen becomes people: shapes, missing landmarks, mirrors, files, and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.fakes.keypoint_detector import FakeKeypointDetector
from unipose.body.body import load_body
from unipose.body.keypoint_sets import BLAZEPOSE_33, COCO_17
from unipose.body.pose import Pose
from unipose.body.whole_body import WHOLE_BODY_NAMES, whole_body_points
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.vision.body_landmarks import (
    BLAZE,
    COCO,
    LANDMARK_MIRROR,
    LANDMARKS,
    WHOLE_BODY_ROWS,
    LandmarkedBody,
)
from unipose.vision.crops import Crops
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.landmark_lifter import (
    CropLandmarks,
    LandmarkLifter,
    LandmarkLifterConfig,
    SeenLandmarks,
)

BOXES = [(10.0, 10.0, 40.0, 80.0), (60.0, 5.0, 100.0, 60.0)]
PICTURE = np.zeros((90, 120, 3), dtype=np.uint8)


@pytest.fixture
def lifter() -> LandmarkLifter:
    torch.manual_seed(0)
    network = LandmarkLifter(LandmarkLifterConfig(width=32, blocks=2))
    torch.nn.init.normal_(network.answer.weight, std=0.3)
    return network.eval()


def seen_in_crops(count: int = 3) -> CropLandmarks:
    generator = torch.Generator().manual_seed(1)
    return CropLandmarks(
        points=0.4 * torch.randn(count, LANDMARKS, 2, generator=generator),
        scores=torch.rand(count, LANDMARKS, generator=generator),
        world=0.4 * torch.randn(count, BLAZE, 3, generator=generator),
    )


def test_landmarks_lie_on_the_posed_mesh_within_two_centimetres():
    body = load_body()
    generator = torch.Generator().manual_seed(0)
    pose = Pose.from_axis_angle(0.2 * torch.randn(4, 24, 3, generator=generator))
    betas = torch.randn(4, 10, generator=generator)
    joints, landmarks = LandmarkedBody(body)(pose.rotations, betas)
    mesh = body(pose.rotations, betas)
    places = whole_body_points(body).places(mesh.joints, mesh.vertices)[:, WHOLE_BODY_ROWS]
    apart = (landmarks - (places - mesh.joints[:, :1])).norm(dim=-1)
    torch.testing.assert_close(joints, mesh.joints - mesh.joints[:, :1], atol=1e-5, rtol=0)
    assert apart.max() < 0.02


def test_landmarks_are_named_as_the_networks_name_them():
    names = [*COCO_17.names, *BLAZEPOSE_33.names]
    other = [WHOLE_BODY_NAMES[row] for row in WHOLE_BODY_ROWS]
    assert len(names) == LANDMARKS
    assert dict(zip(names, other))["left_foot_index"] == "left_big_toe"
    mirrored = [names[i] for i in LANDMARK_MIRROR]
    assert mirrored[names.index("left_wrist")] == "right_wrist"
    assert mirrored[COCO + BLAZEPOSE_33.names.index("left_heel")] == "right_heel"


def test_the_answer_has_a_person_in_each_row(lifter: LandmarkLifter):
    found = lifter.lift(seen_in_crops())
    assert found.rotations.shape == (3, 24, 3, 3)
    assert found.betas.shape == (3, 10)
    assert (found.camera[:, 0] > 0).all()
    assert len(lifter.lift(SeenLandmarks.of([]).in_crops(Crops.around(torch.zeros(0, 4))))) == 0


def test_an_untrained_network_sees_somebody_who_faces_the_camera():
    torch.manual_seed(0)
    found = LandmarkLifter(LandmarkLifterConfig()).lift(seen_in_crops())
    assert (found.pose().rotations[:, 0] - torch.eye(3)).abs().max() < 0.3


def test_the_mirror_image_is_lifted_to_the_mirrored_person(lifter: LandmarkLifter):
    seen = seen_in_crops()
    found, other = lifter.lift(seen).mirrored(), lifter.lift(seen.mirrored())
    torch.testing.assert_close(other.rotations, found.rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(other.camera, found.camera, atol=1e-5, rtol=0)
    torch.testing.assert_close(seen.mirrored().mirrored().numbers(), seen.numbers())


def test_where_a_missing_landmark_stands_changes_nothing(lifter: LandmarkLifter):
    seen = seen_in_crops()
    seen.scores[:, 5:30] = 0
    before = lifter.lift(seen)
    seen.points[:, 5:30] = 1e6
    seen.world[:, : 30 - COCO] = 1e6
    after = lifter.lift(seen)
    assert torch.equal(before.rotations, after.rotations)
    seen.scores[:] = 0
    assert torch.isfinite(lifter.lift(seen).rotations).all()


def test_weights_are_read_as_they_were_written(lifter: LandmarkLifter, tmp_path: Path):
    lifter.errors.offsets[3] = torch.tensor([0.0123456, 0.0, 0.0])
    lifter.save_pretrained(tmp_path)
    again = LandmarkLifter.from_pretrained(tmp_path)
    assert torch.equal(again.errors.offsets, lifter.errors.offsets)
    torch.testing.assert_close(again.enter.weight, lifter.enter.weight, atol=1e-3, rtol=1e-3)
    (tmp_path / "config.json").write_text('{"width": 16, "blocks": 2, "body": "open"}')
    with pytest.raises(WeightsError, match="shape"):
        LandmarkLifter.from_pretrained(tmp_path)
    (tmp_path / "config.json").write_text('{"depth": 16}')
    with pytest.raises(WeightsError, match="config"):
        LandmarkLifter.from_pretrained(tmp_path)
    with pytest.raises(MissingFileError):
        LandmarkLifter.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(ConfigError):
        LandmarkLifterConfig(width=0)


def test_people_in_a_picture_have_keypoints_pose_and_camera(lifter: LandmarkLifter):
    estimator = LandmarkEstimator(FakeKeypointDetector(), lifter)
    people = estimator.people(PICTURE, BOXES)
    assert [one.box for one in people] == BOXES
    for one in people:
        assert one.keypoints is not None
        assert one.pose is not None
        assert one.camera is not None
        assert one.pose.translation is not None
        assert one.pose.translation[0, 2] < 0  # ahead of a camera that looks along -z
    pose = estimator.estimate(PICTURE, box=BOXES[0])
    torch.testing.assert_close(pose.rotations, people[0].pose.rotations, atol=1e-3, rtol=0)  # type: ignore[union-attr]
