"""People and poses as a reader sees them: small pictures, and what was said, errors too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eval import examples
from eval.estimation import EstimationOptions
from eval.examples import SIDE_PX, as_viewed, row_of, show, show_people, show_poses
from eval.pictures import SeenPerson, studio_people
from tests.eval.test_truth import random_poses
from tests.fakes.studio import make_studio
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import PoseParseError


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="module")
def people() -> list[SeenPerson]:
    return studio_people(make_studio(mixed=0.0), 2)


class Witness:
    """Knows the poses of some people, says the same of all."""

    def __init__(self, people: list[SeenPerson]) -> None:
        self.known = {person.box: person for person in people}

    def describe(self, shown: Pose | np.ndarray, *, box: tuple | None = None) -> str:
        return "Somebody stands."

    def estimate(self, image: np.ndarray, *, box: tuple[float, float, float, float]) -> Pose:
        if box not in self.known:
            raise PoseParseError("expected one pose, the model answered with 0 poses")
        person = self.known[box]
        assert person.betas is not None
        return Pose(rotations=person.rotations[None], betas=person.betas[None])


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.abs(a.astype(float) - b).mean()) < 0.5


def test_a_row_shows_picture_estimated_and_true_pose(
    people: list[SeenPerson], body: Body, tmp_path: Path
) -> None:
    told = show_people(Witness(people[:1]), people, tmp_path, body)
    assert [one["said"] for one in told] == ["Somebody stands."] * 2
    assert told[0]["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)
    assert told[1]["mpjpe_mm"] is None
    for one in told:
        assert (tmp_path / one["file"]).stat().st_size < 40_000
        with Image.open(tmp_path / one["file"]) as picture:
            assert picture.format == "WEBP"
            assert picture.width == 3 * SIDE_PX


def test_the_right_answer_looks_like_the_truth_and_none_like_nothing(
    people: list[SeenPerson], body: Body
) -> None:
    known = row_of(people[0], Pose(rotations=people[0].rotations[None]), body)
    side = known.shape[0] - SIDE_PX  # below the names
    _, estimated, true = np.split(known[side:], 3, axis=1)
    assert alike(estimated, true)
    _, nothing, alone = np.split(row_of(people[0], None, body)[side:], 3, axis=1)
    assert len(np.unique(nothing.reshape(-1, 3), axis=0)) == 1
    assert alike(alone, true)
    assert not alike(alone, nothing)


def test_a_pose_is_drawn_as_whoever_takes_the_picture_sees_it(body: Body) -> None:
    facing = torch.eye(3).repeat(1, 24, 1, 1)
    away = facing.clone()
    away[0, 0] = torch.diag(torch.tensor([-1.0, 1.0, -1.0]))
    front, back = as_viewed(torch.cat([facing, away]), body)
    middle = SIDE_PX // 2
    colder = [  # the left arm is cool: on the right of who faces us
        np.subtract(*half[..., [2, 0]].astype(float).mean(axis=(0, 1)))
        for half in (front[:, middle:], front[:, :middle], back[:, middle:], back[:, :middle])
    ]
    assert colder[0] > colder[1]
    assert colder[2] < colder[3]


def test_a_model_without_eyes_is_shown_recorded_poses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: Body
) -> None:
    poses = random_poses(2)
    monkeypatch.setattr(examples, "read_manifest", lambda folder: [])
    monkeypatch.setattr(examples, "select", lambda recordings, options: recordings)
    monkeypatch.setattr(examples, "read_sparsely", lambda recordings: [poses.rotations[:, :22]])
    options = EstimationOptions(data=tmp_path / "mocap", people=2)
    found = show(Witness([]), options, tmp_path, body, sees=False)
    assert not found["sees"]
    assert [one["file"] for one in found["shown"]] == ["report_pose_1.webp", "report_pose_2.webp"]
    assert all((tmp_path / one["file"]).is_file() for one in found["shown"])


def test_the_same_pose_is_the_same_file(tmp_path: Path, body: Body) -> None:
    pose = random_poses(1)
    files = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        told = show_poses(Witness([]), pose, tmp_path / name, body)
        files.append((tmp_path / name / told[0]["file"]).read_bytes())
    assert files[0] == files[1]
