"""What is asked along the way of a training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_builders.picture_pool import PicturedPerson
from data_builders.pose_pool import PosePool
from tests.fakes.tiny_eyes import GUESSING_EYES, seeing_assistant, some_pixels
from train import instruct
from train.held_out import HeldOut, read_poses
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.errors import PoseParseError

REST = load_body().rest_joints


def poses() -> PosePool:
    return PosePool.random(20, seed=2)


class CutShort(UniPose):
    """An untrained model babbles until it is cut: here, soon."""

    def _answers(self, questions, decoding, *rest, **model):
        return super()._answers(questions, replace(decoding, max_tokens=8), *rest, **model)


class Knowing(UniPose):
    """Says and shows what the builders themselves would; the last question makes it wordy."""

    def __init__(self, held_out: HeldOut) -> None:
        self.held_out = held_out

    def describe_batch(self, shown: Pose) -> list[str]:
        return self.held_out.captions

    def generate(self, text: str, **_: object) -> Pose:
        return self._pose(self.held_out.captions.index(text), self.held_out.first)

    def edit(self, pose: Pose, text: str) -> Pose:
        return self._pose(self.held_out.changes.index(text), self.held_out.second)

    def _pose(self, i: int, of: torch.Tensor) -> Pose:
        if i == len(of) - 1:
            raise PoseParseError("words")
        return Pose.from_rotations(of[i][None])


def test_true_words_and_poses_are_true_and_an_answer_that_is_none_is_false():
    held_out = HeldOut(REST, poses=poses(), count=4, seed=5)
    found = held_out.ask(Knowing(held_out))
    assert found["described_true"] == 1.0
    assert found["answers_that_were_no_pose"] == 2
    assert 0.6 < found["generated_true"] < 1.0
    assert 0.6 < found["edited_true"] < 1.0
    assert found["described"] == held_out.captions[0]
    again = HeldOut(REST, poses=poses(), count=4, seed=5)
    assert again.captions == held_out.captions
    assert again.changes == held_out.changes


@pytest.mark.slow
def test_pictures_are_described_and_estimated():
    seeing = seeing_assistant(GUESSING_EYES)
    looks = [seeing.model.look(some_pixels(i)) for i in range(3)]
    known = [PicturedPerson(picture=looks[i], rotations=poses().rotations[i]) for i in range(2)]
    unknown = PicturedPerson(picture=looks[2], rotations=None)
    found = HeldOut(REST, shown=[*known, unknown]).ask(seeing)
    assert set(found) == {"image_true", "estimate_mpjpe_mm", "estimates_that_were_none", "image"}
    assert 50 < found["estimate_mpjpe_mm"] < 2000


@pytest.mark.slow
def test_a_run_logs_what_was_said_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("train.training_loop.UniPose", CutShort)
    config = replace(
        instruct.PRESETS["debug"], steps=2, save_every=2, checked=1, check_every=1, warmup=0
    )
    instruct.main(replace(config, out=tmp_path / "asked"))
    instruct.main(replace(config, out=tmp_path / "quiet", checked=0))
    lines = [json.loads(s) for s in (tmp_path / "asked" / "metrics.jsonl").read_text().splitlines()]
    glances = [line for line in lines if "described_true" in line]
    assert [line["step"] for line in glances] == [1, 2]
    assert {"generated_true", "edited_true", "image_true", "described", "image"} <= set(glances[0])
    one, other = (
        (tmp_path / name / "model" / "model.safetensors").read_bytes()
        for name in ("asked", "quiet")
    )
    assert one == other


def test_made_up_poses_are_asked_about_where_there_are_no_recordings():
    assert len(read_poses(Path())) == 64
