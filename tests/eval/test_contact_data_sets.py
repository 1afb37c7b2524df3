"""Hi4D, CHI3D, FlickrCI3D and MOYO in the contact benchmark, in tiny files of their layouts."""

from __future__ import annotations

import json

import pytest
import torch

from eval import contact_data_sets
from eval.contact import measure
from eval.contact_data_sets import file_of
from eval.contact_options import ContactOptions
from tests.fakes.contact_datasets import write_chi3d, write_flickrci3d, write_hi4d, write_moyo
from tests.fakes.keypoint_detector import FakeKeypointDetector
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.errors import ConfigError, FileError
from unipose.files import save_pose
from unipose.files.keypoint_writing import write_people
from unipose.vision.landmark_estimator import LandmarkEstimator


def options_of(dataset: str, folder, **changed) -> ContactOptions:
    return ContactOptions(dataset=dataset, folder=folder, own=False, steps=2, samples=2, **changed)  # type: ignore[arg-type]


def test_a_scene_has_its_file(tmp_path):
    (tmp_path / "chi3d-s03-Hug-1-50591643.json").write_text("{}")
    key = "chi3d/s03/Hug 1@50591643"
    assert file_of(tmp_path, key, (".npz", ".json")).suffix == ".json"
    with pytest.raises(FileError, match=r"chi3d-s03-Hug-1-50591643\.npz"):
        file_of(tmp_path, key, (".npz",))


def test_recordings_or_a_data_set_are_needed():
    with pytest.raises(ConfigError, match="--dataset"):
        ContactOptions()


@pytest.mark.slow
def test_hi4d_is_measured_by_its_true_bodies(tmp_path):
    write_hi4d(tmp_path)
    result = measure(options_of("hi4d", tmp_path, corrupted=True))
    assert result["initial_poses"] == "the truth with errors"
    assert result["true_shapes"] == "mean of the body"
    assert result["oracle.scenes"] == 2
    for method in ("initial", "heuristic", "oracle", "random", "anywhere"):
        assert result[f"{method}.joint_pa_mpjpe_mm"] > 10
        assert 0 <= result[f"{method}.average_pcc"] <= 100
    with pytest.raises(ConfigError, match="no picture"):
        measure(options_of("hi4d", tmp_path))


@pytest.mark.slow
def test_chi3d_is_refined_from_an_estimators_files(tmp_path):
    write_chi3d(tmp_path)
    name = "chi3d-s03-Hug-1-50591643"
    places = torch.tensor([[-0.3, -1.0, -4.0], [0.3, -1.0, -4.2]])
    pose = Pose(rotations=torch.eye(3).repeat(2, 24, 1, 1), translation=places)
    save_pose(pose, tmp_path / f"{name}.npz")
    points = 100 + 300 * torch.rand(2, 1, 17, 2, generator=torch.Generator().manual_seed(0))
    people = tuple(PersonInImage(keypoints=Keypoints.of(COCO_17, row)) for row in points)
    write_people([ImagePeople(image=name, people=people)], tmp_path / f"{name}.json")
    result = measure(
        options_of("chi3d", tmp_path, initial=tmp_path, keypoints=tmp_path, methods=("oracle",))
    )
    assert result["initial_poses"] == "from files"
    assert result["initial.scenes"] == 1
    assert result["initial.joint_pa_mpjpe_mm"] > 50  # the true people lie
    assert result["oracle.average_pcc"] >= result["initial.average_pcc"]


@pytest.mark.slow
def test_flickrci3d_is_measured_without_true_poses(tmp_path, monkeypatch):
    write_flickrci3d(tmp_path)
    monkeypatch.setattr(
        contact_data_sets, "LandmarkEstimator", lambda: LandmarkEstimator(FakeKeypointDetector())
    )
    said = {"flickrci3d/test/a:0": {"people": 2, "samples": [[["chest", "hand"]]]}}
    (tmp_path / "answers.json").write_text(json.dumps(said))
    result = measure(
        options_of(
            "flickrci3d", tmp_path, answers=tmp_path / "answers.json", methods=("answers",)
        )
    )  # fmt: skip
    assert result["initial_poses"] == "our own estimator"
    assert result["answers_f1"] == 1.0  # in either order of the two
    assert result["dropped"] == 1
    assert result["true_shapes"] == "no true poses"
    assert "initial.joint_pa_mpjpe_mm" not in result
    assert 0 <= result["answers.average_pcc"] <= 100


@pytest.mark.slow
def test_moyo_has_one_person_who_touches_themselves(tmp_path):
    write_moyo(tmp_path, left_knee=2.6)
    result = measure(options_of("moyo", tmp_path, corrupted=True, methods=("oracle", "rule")))
    assert result["oracle.scenes"] == 1
    assert result["initial.joint_pa_mpjpe_mm"] > 10


@pytest.mark.slow
def test_a_data_set_in_which_nobody_touches_is_named(tmp_path):
    write_moyo(tmp_path)
    with pytest.raises(ConfigError, match="no usable scene in which something touches"):
        measure(options_of("moyo", tmp_path, corrupted=True))
