"""Poses from pictures: right answers have no error, no answer is the mean pose and is counted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from eval import estimation
from eval.estimation import (
    EstimationOptions,
    NetworkEstimator,
    errors_mm,
    estimate_all,
    main,
    score,
)
from eval.pictures import (
    SeenPerson,
    as_seen,
    built_people,
    mean_rotations,
    poses_of,
    studio_people,
)
from eval.program import ModelOptions
from tests.fakes.image_talk import make_person, make_row, write_rows
from tests.fakes.keypoint_detector import FakeKeypointDetector
from tests.fakes.studio import make_studio
from tests.fakes.tiny_eyes import seeing_assistant
from tests.fakes.tiny_model import tiny_assistant
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import BlindModelError, ConfigError, MissingFileError, PoseParseError
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.landmark_lifter import LandmarkLifter, LandmarkLifterConfig
from unipose.vision.mesh_recovery import MeshHeadConfig, MeshRecoveryConfig
from unipose.vision.mesh_recovery import MeshRecoveryNetwork as Network
from unipose.vision.mesh_recovery_protocol import LEVEL
from unipose.vision.pose_vit import PoseViTConfig


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="module")
def people() -> list[SeenPerson]:
    return studio_people(make_studio(mixed=0.0), 5)


class Knowing:
    """Answers with the truth for known boxes, and with words where it is told to fail."""

    def __init__(self, people: list[SeenPerson], *, silent: int = 0) -> None:
        self.known = {person.box: person for person in people[silent:]}

    def estimate(self, image: np.ndarray, *, box: tuple[float, float, float, float]) -> Pose:
        if box not in self.known:
            raise PoseParseError("expected one pose, the model answered with 0 poses")
        person = self.known[box]
        betas = None if person.betas is None else person.betas[None]
        return Pose(rotations=person.rotations[None], betas=betas)


def looking_people(folder: Path, count: int, split: str) -> None:
    known = {"root_in_camera": [np.pi, 0.0, 0.0]}
    rows = [
        make_row("imagescript-a", 2 * i, person=make_person(2 * i, **known)) for i in range(count)
    ]
    rows.append(make_row("imagescript-a", 1))  # joints only: nobody's pose
    write_rows(folder, "imagescript-a", rows, split=split)


def test_right_answers_have_no_error(people: list[SeenPerson], body: Body) -> None:
    mean = mean_rotations(torch.stack([person.rotations for person in people]))
    found = errors_mm(estimate_all(Knowing(people), people, ""), people, mean, body)
    assert found["failed"] == 0
    assert found["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)
    assert found["mpvpe_mm"] == pytest.approx(0.0, abs=1e-2)


def test_an_answer_that_is_no_pose_counts_as_the_mean_pose(
    people: list[SeenPerson], body: Body
) -> None:
    mean = mean_rotations(torch.stack([person.rotations for person in people]))
    answers = estimate_all(Knowing(people, silent=2), people, "")
    assert [answer is None for answer in answers] == [True, True, False, False, False]
    some, none = errors_mm(answers, people, mean, body), errors_mm([None] * 5, people, mean, body)
    own = errors_mm([None] * 2, people[:2], mean, body)
    assert (some["failed"], none["failed"]) == (2, 5)
    assert some["mpjpe_mm"] == pytest.approx(own["mpjpe_mm"] * 2 / 5, rel=1e-3)


def test_a_turn_of_the_whole_body_is_an_error_that_procrustes_forgives(
    people: list[SeenPerson], body: Body
) -> None:
    turn = roma.rotvec_to_rotmat(torch.tensor([0.0, 1.0, 0.0]))
    answers: list[Pose | None] = []
    for person in people:
        rotations = person.rotations.clone()
        rotations[0] = turn @ rotations[0]
        assert person.betas is not None
        answers.append(Pose(rotations=rotations[None], betas=person.betas[None]))
    found = errors_mm(answers, people, people[0].rotations, body)
    assert found["mpjpe_mm"] > 50
    assert found["pa_mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)


def test_the_answer_of_a_body_of_another_kind_has_the_mean_shape(
    people: list[SeenPerson], body: Body
) -> None:
    wide = torch.full((1, 10), 3.0)
    some = people[:1]
    rotations = some[0].rotations[None]
    mean = some[0].rotations
    other = errors_mm([Pose(rotations=rotations, betas=wide, body="smpl")], some, mean, body)
    plain = errors_mm([Pose(rotations=rotations)], some, mean, body)
    assert other == plain


def test_somebody_who_faces_the_camera_in_the_middle_faces_the_front() -> None:
    rotations = torch.eye(3).expand(24, 3, 3)
    seen = as_seen(rotations, LEVEL, (40.0, 20.0, 60.0, 80.0), 100.0, (50.0, 50.0))
    assert torch.allclose(seen[0], torch.eye(3), atol=1e-6)
    aside = as_seen(rotations, LEVEL, (90.0, 20.0, 110.0, 80.0), 100.0, (50.0, 50.0))
    assert float(roma.rotmat_to_rotvec(aside[0])[1].abs()) == pytest.approx(np.arctan(0.5), 1e-4)


def test_people_of_a_folder_are_those_whose_pose_is_known(tmp_path: Path, body: Body) -> None:
    looking_people(tmp_path, 4, "test")
    people = built_people(tmp_path, body, split="test", count=3, seed=0)
    assert len(people) == 3
    assert all(
        person.pixels is not None and person.pixels.shape == (96, 96, 3) for person in people
    )
    blind = built_people(tmp_path, body, split="test", count=3, seed=0, pixels=False)
    assert [person.key for person in blind] == [person.key for person in people]
    assert torch.equal(poses_of(blind).rotations, poses_of(people).rotations)
    assert blind[0].pixels is None
    with pytest.raises(MissingFileError, match="val"):
        built_people(tmp_path, body, split="val", count=3, seed=0)


def test_the_program_measures_a_folder_and_says_what_the_mean_pose_would_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    looking_people(tmp_path, 3, "test")
    looking_people(tmp_path, 4, "train")
    people = built_people(tmp_path, load_body(), split="test", count=3, seed=0)
    monkeypatch.setattr(ModelOptions, "load_assistant", lambda _: Knowing(people))
    main(EstimationOptions(pictures=tmp_path, people=3, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["people"] == 3
    assert result["asked"] == "model"
    assert 0 <= result["mpjpe_mm"] < result["mean_pose_mpjpe_mm"] + 100
    assert result["mean_pose_mpjpe_mm"] > 0
    assert result["by"]["model"]["failed"] == result["failed"]


def test_a_network_is_asked_as_an_assistant_is(tmp_path: Path, body: Body) -> None:
    vit = PoseViTConfig(
        image_px=32, dropped_px=8, patch_px=16, width=16, depth=1, heads=2, feed_forward=32
    )
    head = MeshHeadConfig(width=16, depth=1, heads=2, head_width=8, feed_forward=16)
    network = Network(MeshRecoveryConfig(vit=vit, head=head))
    looking_people(tmp_path, 3, "test")
    looking_people(tmp_path, 3, "train")
    options = EstimationOptions(pictures=tmp_path, people=2)
    result = score({"network": NetworkEstimator(network)}, options, body)
    by = result["by"]
    assert isinstance(by, dict)
    assert by["network"]["failed"] == 0
    assert result["mpjpe_mm"] == by["network"]["mpjpe_mm"] > 0


def test_eyes_for_photographs_are_asked_in_place_of_the_models_own(
    people: list[SeenPerson],
) -> None:
    lifter = LandmarkLifter(LandmarkLifterConfig(width=16, blocks=1)).eval()
    assistant = seeing_assistant()
    assistant.eyes = "photo"
    assistant.photo_eyes = LandmarkEstimator(FakeKeypointDetector(), lifter)
    (answer,) = estimate_all(assistant, people[:1], "")
    assert answer is not None
    expected = assistant.photo_eyes.estimate(people[0].pixels, box=people[0].box)
    assert torch.allclose(answer.rotations, expected.rotations, atol=1e-5)


def test_a_language_model_that_sees_is_asked(people: list[SeenPerson]) -> None:
    answers = estimate_all(seeing_assistant(), people[:1], "")
    assert len(answers) == 1
    assert answers[0] is None or len(answers[0]) == 1


def test_a_model_without_eyes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelOptions, "load_assistant", lambda _: tiny_assistant())
    with pytest.raises(BlindModelError):
        estimation.measure(EstimationOptions(pictures=tmp_path))


def test_pictures_come_from_somewhere() -> None:
    with pytest.raises(ConfigError, match="--pictures"):
        EstimationOptions()
