"""Poses from words: the described poses themselves have no error, words are counted as failures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers
from eval.generation import (
    GenerationOptions,
    distances_mm,
    main,
    measure_edits,
    measure_prompts,
    rows_of,
)
from eval.program import ModelOptions
from eval.truth import OWN_SEEDS, front_joints
from tests.eval.test_truth import random_poses
from tests.fakes.honest_assistant import BabblingAssistant, HonestAssistant
from tests.fakes.retrieval import tiny_retrieval
from unipose.body.body import Body, load_body
from unipose.body.facing import face_front
from unipose.body.pose import Pose


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def mean_pose() -> Pose:
    return Pose(rotations=torch.eye(3).repeat(1, 24, 1, 1))


def pairs(body: Body, count: int) -> tuple[Pose, Pose, list[str]]:
    source, target = random_poses(count, 1), random_poses(count, 2)
    joints = front_joints(body, source), front_joints(body, target)
    return source, target, write_modifiers(*joints, seed=3, indices=range(count))


def test_the_described_pose_itself_scores_everything(body: Body) -> None:
    poses = random_poses(30)
    prompts = write_captions(front_joints(body, poses), seed=OWN_SEEDS, indices=range(30))
    told = HonestAssistant(body, {text: poses[i] for i, text in enumerate(prompts)})
    found = measure_prompts(told, poses, mean_pose(), tiny_retrieval("pose"), body, seed=0)
    assert found["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)
    assert found["fid"] == pytest.approx(0.0, abs=1e-6)
    assert (found["truth"], found["failed"], found["gallery"]) == (1.0, 0, 30)
    assert found["mean_recall"] == pytest.approx(found["recorded_mean_recall"])
    assert found["chance_mpjpe_mm"] > 50  # type: ignore[operator]


def test_words_in_place_of_poses_are_the_mean_pose_and_are_counted(body: Body) -> None:
    poses = random_poses(10)
    model = tiny_retrieval("pose")
    found = measure_prompts(BabblingAssistant(), poses, mean_pose(), model, body, seed=0)
    assert (found["failed"], found["truth"]) == (10, 0.0)
    assert found["mpjpe_mm"] == pytest.approx(found["mean_pose_mpjpe_mm"])
    assert found["pose_to_text_at_1"] == pytest.approx(found["chance_at_1"])


def test_an_edit_that_does_nothing_is_as_far_off_as_the_pose_as_it_was(body: Body) -> None:
    models = tiny_retrieval("pose"), tiny_retrieval("pair")
    found = measure_edits(BabblingAssistant(), pairs(body, 20), models, body)
    assert found["mpjpe_mm"] == pytest.approx(found["unchanged_mpjpe_mm"])
    assert found["failed"] == 0
    assert found["truth"] < 0.5  # type: ignore[operator]


def test_an_edit_that_reaches_the_other_pose_scores_everything(body: Body) -> None:
    some = pairs(body, 20)
    told = HonestAssistant(body, {text: some[1][i] for i, text in enumerate(some[2])})
    models = tiny_retrieval("pose"), tiny_retrieval("pair")
    found = measure_edits(told, some, models, body)
    assert found["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)
    assert found["truth"] == 1.0
    assert found["mean_recall"] == pytest.approx(found["recorded_mean_recall"])


def test_which_way_a_body_faces_is_no_error(body: Body) -> None:
    poses = random_poses(6)
    found = distances_mm(Pose(rotations=face_front(poses.rotations)), poses, body)
    assert found["mpjpe_mm"] == pytest.approx(0.0, abs=1e-2)


def test_the_program_reports_every_figure_beside_its_chance(
    mocap_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ModelOptions, "load_assistant", lambda _: BabblingAssistant())
    for kind in ("pose", "pair"):
        tiny_retrieval(kind).save_pretrained(tmp_path / kind)
    options = GenerationOptions(
        data=mocap_folder, only="*bvh*", limit=4, poses=12, pairs=20, json=True,
        pose=tmp_path / "pose", pair=tmp_path / "pair",
    )  # fmt: skip
    main(options)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["generated_gallery"] == 12
    assert result["generated"]["chance_at_5"] == pytest.approx(5 / 12)
    assert result["edited_mpjpe_mm"] > 0
    assert [str(row[0]).strip() for row in rows_of(result)][1:4] == [
        "recorded poses", "by chance", "mean pose",
    ]  # fmt: skip
