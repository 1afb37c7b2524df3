"""The measures of truth: right answers score 1, babble scores 0, chance is what others score."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.scores import drift_mm, score_changes, score_statements, untouched
from eval.program import ModelOptions
from eval.truth import (
    OWN_SEEDS,
    EditPairs,
    TruthOptions,
    ceiling_of_descriptions,
    ceiling_of_prompts,
    draw_pairs,
    draw_poses,
    front_joints,
    main,
    measure_descriptions,
    measure_edits,
    measure_prompts,
    together,
)
from tests.fakes.honest_assistant import BabblingAssistant, HonestAssistant
from tests.fakes.tiny_model import tiny_assistant
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.posecodes.changes import Change


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


def random_poses(count: int, seed: int = 0, spread: float = 0.5) -> Pose:
    generator = torch.Generator().manual_seed(seed)
    turns = torch.randn(count, 24, 3, generator=generator) * spread
    turns[:, 0, 0] = turns[:, 0, 2] = 0.0  # turned about the vertical only
    return Pose.from_axis_angle(turns)


def bent(knee: float, yaw: float = 0.0) -> Pose:
    turns = torch.zeros(1, 24, 3)
    turns[0, SMPL.index["left_knee"], 0] = knee
    turns[0, 0, 1] = yaw
    return Pose.from_axis_angle(turns)


def made(count: int) -> np.ndarray:
    return np.ones(count, dtype=bool)


def test_what_our_writer_says_is_true_and_beats_chance(body: Body) -> None:
    score = measure_descriptions(HonestAssistant(body), random_poses(60), body)
    assert score.true == 1.0
    assert score.unread == 0
    assert score.votes > 200
    assert 0.2 < score.chance < 0.9
    assert score.true_strict <= score.true
    assert score.chance_strict <= score.chance


def test_words_that_cannot_be_read_are_false(body: Body) -> None:
    score = measure_descriptions(BabblingAssistant(), random_poses(5), body)
    assert score.true == score.chance == 0.0
    assert score.unread == score.votes >= 5
    assert score.unread_clauses[0] == ("weather is fine", 5)
    assert score.true_of_read == 0.0


def test_words_that_cannot_be_read_can_be_left_out(body: Body) -> None:
    texts = ["The left knee is bent at a right angle. The mood is good."] * 2
    poses = Pose(rotations=torch.cat([bent(k).rotations for k in (1.6, 0.0)]))
    score = score_statements(texts, front_joints(body, poses), made(2))
    assert (score.true, score.true_of_read, score.unread) == (0.25, 0.5, 2)
    assert score.unread_clauses == (("mood is good", 2),)
    joined = together([score, score])
    assert joined.unread_clauses == (("mood is good", 4),)


def test_the_rules_reach_all_that_our_writer_says_of_the_pose_itself(body: Body) -> None:
    poses = random_poses(20)
    assert ceiling_of_descriptions(poses, body, seed=3).true == 1.0
    assert ceiling_of_prompts(HonestAssistant(body), poses, body, seed=3).true == 1.0


def test_a_tokenizer_that_loses_the_pose_lowers_the_ceiling(body: Body) -> None:
    assistant = tiny_assistant()  # its tokenizer is untrained
    poses = random_poses(20)
    ceiling = ceiling_of_prompts(assistant, poses, body, seed=3)
    assert ceiling.true < 0.9


def test_an_empty_answer_is_one_false_vote(body: Body) -> None:
    score = score_statements([""], front_joints(body, bent(0.0)), made(1))
    assert (score.true, score.votes, score.unread) == (0.0, 1, 1)


def test_chance_is_the_mean_over_all_other_poses(body: Body) -> None:
    poses = Pose(rotations=torch.cat([bent(k).rotations for k in (1.6, 0.0, 1.6, 0.0)]))
    texts = ["The left knee is bent at a right angle."] * 4
    score = score_statements(texts, front_joints(body, poses), made(4))
    assert score.true == 0.5
    # beside a bent one stand one bent and two straight, beside a straight one two and one
    assert score.chance == pytest.approx((2 * 1 / 3 + 2 * 2 / 3) / 4)


def test_a_turn_of_the_whole_body_changes_no_truth(body: Body) -> None:
    texts = ["The left foot is behind the right foot."] * 2
    pose = Pose(rotations=torch.cat([bent(1.5).rotations, bent(1.5, yaw=2.0).rotations]))
    score = score_statements(texts, front_joints(body, pose), made(2))
    assert score.true == 1.0


def test_prompts_are_checked_on_the_pose_that_was_made(body: Body) -> None:
    poses = random_poses(70)
    prompts = write_captions(front_joints(body, poses), seed=OWN_SEEDS + 3, indices=range(70))
    right = HonestAssistant(body, {text: poses[i] for i, text in enumerate(prompts)})
    wrong = HonestAssistant(body, {text: poses[(i + 1) % 70] for i, text in enumerate(prompts)})
    assert measure_prompts(right.generate_batch, poses, body, seed=3).true == 1.0
    assert right.batches == [32, 32, 6]
    score = measure_prompts(wrong.generate_batch, poses, body, seed=3)
    assert score.true < 0.95
    assert score.true == pytest.approx(score.chance, abs=0.1)


def test_an_answer_without_a_pose_makes_nothing_true(body: Body) -> None:
    score = measure_prompts(BabblingAssistant().generate_batch, random_poses(3), body, seed=0)
    assert score.true == 0.0
    assert score.votes > 3


def edited(body: Body, seed: int = 1) -> EditPairs:
    recorded = [random_poses(20, seed=seed + i).rotations[:, :22] for i in range(3)]
    return draw_pairs(recorded, 40, body, seed=seed)[1]


def test_edits_that_reach_their_target_have_happened(body: Body) -> None:
    pairs = edited(body)
    remembered = {text: pairs.target[i] for i, text in enumerate(pairs.texts)}
    found = measure_edits(HonestAssistant(body, remembered), pairs, body)
    assert found.score.true == found.ceiling.true == 1.0
    assert found.score.chance < 0.8
    assert found.drift_mm == pytest.approx(found.target_drift_mm)
    assert found.chance_drift_mm > found.drift_mm


def test_an_edit_that_does_nothing_has_no_drift_and_little_truth(body: Body) -> None:
    found = measure_edits(BabblingAssistant(), edited(body), body)
    assert found.drift_mm == 0.0
    assert found.score.true < 0.3


def test_a_change_must_have_the_direction_that_was_asked_for(body: Body) -> None:
    straight, folded = (body.joints(bent(k).rotations).numpy() for k in (0.0, 1.5))
    text = ["Bend your left knee."]
    assert score_changes(text, straight, folded, made(1)).true == 1.0
    assert score_changes(text, folded, straight, made(1)).true == 0.0


def test_drift_counts_only_the_joints_that_the_text_leaves_alone(body: Body) -> None:
    before = body.joints(bent(0.0).rotations).numpy()
    after = before.copy()
    after[0, SMPL.index["left_ankle"]] += 0.5
    assert drift_mm(["Bend your left knee."], before, after, made(1)) == 0.0
    after[0, SMPL.index["right_ankle"], 1] += 0.17
    free = int(untouched([Change("left_knee", "bend")]).sum())
    assert free == 22 - 1 - 4  # without the pelvis and the left leg
    drift = drift_mm(["Bend your left knee."], before, after, made(1))
    assert drift == pytest.approx(170 / free)


def test_without_a_made_pose_there_is_no_drift(body: Body) -> None:
    joints = front_joints(body, bent(0.0))
    assert drift_mm(["Bend your left knee."], joints, joints, ~made(1)) is None


def test_the_same_seed_draws_the_same_poses() -> None:
    recorded = [random_poses(30).rotations[:, :22]]
    first, second = (draw_poses(recorded, 10, seed=5) for _ in range(2))
    assert torch.equal(first.rotations, second.rotations)
    assert not torch.equal(first.rotations, draw_poses(recorded, 10, seed=6).rotations)


def test_the_program_reports_every_figure_with_its_chance(
    mocap_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ModelOptions, "load_assistant", lambda _: BabblingAssistant())
    main(TruthOptions(data=mocap_folder, limit=2, poses=6, pairs=8, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ("described_true", "generated_true", "edited_true"):
        assert 0.0 <= result[name] <= 1.0
        assert math.isfinite(result[f"chance_{name}"])
        assert result[f"ceiling_{name}"] == 1.0
    assert len(result["described_unread_clauses"]) == 2
    assert {"edit_drift_mm", "chance_edit_drift_mm"} <= set(result)
