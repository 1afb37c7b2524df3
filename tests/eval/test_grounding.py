"""Parts of a model taken away: what comes through the language model is gone, all else stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from data_builders.pose_pool import PosePool
from eval.comprehension import draw_both_kinds
from eval.grounding import (
    A_POSE,
    GroundingOptions,
    batches_of,
    draw_mixed_questions,
    main,
    measure_answers,
    measure_described,
    measure_edited,
    measure_generated,
    partners_of,
    rows_of,
)
from eval.interventions import beside_silenced, poses_exchanged, slots_erased, states_erased
from eval.program import ModelOptions
from eval.truth import EditPairs
from tests.fakes.honest_assistant import HonestAssistant
from tests.fakes.tiny_model import tiny_assistant, tiny_plain_assistant
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.language.attention import seen_places
from unipose.language.concepts import QuestionClaims
from unipose.language.rendering import collate, render_question
from unipose.posecodes.questions import answer_call, show_pose

TEXTS = ["Kneel.", "Both hands are above the head.", "The left knee is bent."]


@pytest.fixture(scope="module")
def body() -> Body:
    return load_body()


@pytest.fixture(scope="module")
def concept() -> UniPose:
    return tiny_assistant()


@pytest.fixture(scope="module")
def slots() -> UniPose:
    return tiny_plain_assistant()


@pytest.fixture(scope="module")
def expert() -> UniPose:
    return tiny_plain_assistant(expert=True)


@pytest.fixture(params=["slots", "expert"])
def plain(request: pytest.FixtureRequest) -> UniPose:
    return request.getfixturevalue(request.param)


def some_poses(count: int, seed: int = 0) -> Pose:
    generator = torch.Generator().manual_seed(seed)
    turns = torch.randn(count, 22, 3, generator=generator) * 0.5
    turns[:, 0] = 0.0
    return Pose.from_axis_angle(turns)


def made(assistant: UniPose, texts: list[str] = TEXTS) -> torch.Tensor:
    return assistant.generate_batch(texts, decoding=A_POSE).rotations


def heard(assistant: UniPose, poses: Pose) -> tuple[torch.Tensor, QuestionClaims | None]:
    """Return the states behind which a description begins, and what is kept beside them."""
    model, vocabulary = assistant.model, assistant.vocabulary
    rows = [
        render_question(["Describe ", codes, "."], vocabulary) for codes in assistant.codes(poses)
    ]
    batch = collate(rows, pad=vocabulary.pad)
    seen, positions = seen_places(batch, read_both_ways=model.config.read_both_ways)
    with torch.inference_mode():
        states, beside = model.hidden_states(batch, seen, positions)
    return states[:, -1], beside


def alike(rotations: torch.Tensor) -> bool:
    return torch.equal(rotations, rotations[:1].expand_as(rotations))


def test_without_states_a_plain_model_writes_the_same_to_everything(plain: UniPose):
    assert not alike(made(plain))
    with states_erased(plain.model):
        assert alike(made(plain))


def test_without_states_a_plain_model_is_exactly_at_chance(plain: UniPose, body: Body):
    found = measure_generated(plain, some_poses(6), body, seed=0)
    assert found["generated_without_llm"] == pytest.approx(
        found["chance_generated_without_llm"], abs=1e-9
    )


def test_without_states_edits_through_slots_are_exactly_at_chance(slots: UniPose, body: Body):
    recorded = [some_poses(9, seed).rotations[:, :22] for seed in range(2)]
    a, b, texts = draw_both_kinds(recorded, 6, body, seed=0)
    found = measure_edited(slots, EditPairs(source=a, target=b, texts=texts), body)
    assert found["edited_without_llm"] == pytest.approx(
        found["chance_edited_without_llm"], abs=1e-9
    )


def test_without_states_an_expert_changes_a_pose_alike_whatever_is_asked(expert: UniPose):
    one = Pose.from_rotations(some_poses(1).rotations.expand(len(TEXTS), -1, -1, -1))
    assert not alike(expert.edit_batch(one, TEXTS, decoding=A_POSE).rotations)
    equally_long = ["Bend it by 1.", "Bend it by 2.", "Bend it by 7."]
    with states_erased(expert.model):
        assert alike(expert.edit_batch(one, equally_long, decoding=A_POSE).rotations)


def test_without_the_states_of_its_slots_a_plain_model_writes_the_same(slots: UniPose):
    with slots_erased(slots.model):
        assert alike(made(slots))


def test_a_pose_expert_has_no_slots_to_erase(expert: UniPose, body: Body):
    with pytest.raises(ConfigError, match="no slots"), slots_erased(expert.model):
        made(expert)
    found = measure_generated(expert, some_poses(3), body, seed=0)
    assert set(found) == {
        "generated", "chance_generated", "generated_without_llm", "chance_generated_without_llm",
    }  # fmt: skip


def test_a_table_of_claims_writes_without_the_states_of_the_slots(concept: UniPose):
    with slots_erased(concept.model):
        assert alike(made(concept))  # the table's writer is untrained
        with torch.no_grad():
            concept.model.writer[-2].weight.normal_()
        assert not alike(made(concept))


def test_everything_is_in_its_place_again(concept: UniPose):
    before = made(concept)
    for away in (states_erased, slots_erased, beside_silenced):
        with away(concept.model), poses_exchanged(concept.model):
            pass
        with pytest.raises(KeyError), away(concept.model):
            raise KeyError
    assert torch.equal(made(concept), before)
    assert {"run", "hidden_states", "slot_logits"}.isdisjoint(vars(concept.model))


def test_a_plain_model_reads_nothing_but_the_codes_that_it_is_given(plain: UniPose):
    states, _ = heard(plain, some_poses(3))
    with poses_exchanged(plain.model):
        exchanged, _ = heard(plain, some_poses(3))
    assert not torch.allclose(states, states.roll(-1, 0), atol=1e-3)
    assert torch.allclose(exchanged, states.roll(-1, 0), atol=1e-5)


def test_a_table_of_claims_keeps_the_own_pose_when_codes_are_exchanged(concept: UniPose):
    states, beside = heard(concept, some_poses(3))
    with poses_exchanged(concept.model):
        exchanged, still_beside = heard(concept, some_poses(3))
    assert beside is not None and still_beside is not None  # noqa: PT018
    assert not torch.allclose(exchanged, states, atol=1e-3)
    assert torch.equal(beside.facts, still_beside.facts)


def test_poses_are_exchanged_among_rows_that_read_as_many(slots: UniPose):
    with poses_exchanged(slots.model), pytest.raises(ConfigError, match="as many poses"):
        slots.describe_batch(some_poses(1))


def test_what_stands_beside_has_no_say_once_it_is_silenced():
    assistant = tiny_assistant()
    model, poses = assistant.model, some_poses(3)

    def everything() -> list[torch.Tensor]:
        edited = assistant.edit_batch(poses, TEXTS, decoding=A_POSE).rotations
        return [edited, made(assistant), heard(assistant, poses)[0]]

    before = everything()
    with beside_silenced(model):
        silent = everything()
    with torch.no_grad():
        for part in (model.writer[-2].weight, model.last_look.values, model.first_look.values):
            part.normal_()
        model.code_digits.keep.bias.fill_(50.0)
    for one, other in zip(before, everything(), strict=True):
        assert not torch.equal(one, other)
    with beside_silenced(model):
        for one, other in zip(silent, everything(), strict=True):
            assert torch.equal(one, other)


def test_rows_are_exchanged_with_the_next_of_their_batch():
    assert partners_of(5) == [1, 2, 3, 4, 0]
    assert [len(rows) for rows in batches_of(65)] == [22, 22, 21]
    assert partners_of(65)[21:23] == [0, 23]


def given_to(assistant: UniPose, poses: Pose) -> Pose:
    """Return the poses that a language model is given: in their turn, or exchanged."""
    exchanged = "run" in vars(assistant.model)
    return poses[torch.tensor(partners_of(len(poses)))] if exchanged else poses


def test_who_describes_the_codes_is_true_to_those_that_were_given(
    slots: UniPose, body: Body, monkeypatch: pytest.MonkeyPatch
):
    honest = HonestAssistant(body)
    monkeypatch.setattr(
        slots, "describe_batch", lambda poses: honest.describe_batch(given_to(slots, poses))
    )
    found = measure_described(slots, some_poses(20), body)
    assert found["described"] == found["described_fits_given_codes"] == 100.0
    assert found["described_fits_own_pose"] == pytest.approx(found["chance_described"], abs=10)
    assert found["chance_described"] < 80


def test_who_answers_from_codes_is_right_about_those_that_were_given(
    slots: UniPose, monkeypatch: pytest.MonkeyPatch
):
    questions = draw_mixed_questions(PosePool.random(20, seed=1), 2, seed=0)
    assert len(questions) == 8
    calls = {question.said: question.call for question in questions}

    def knows(texts: list[str], poses: Pose) -> list[str]:
        given = given_to(slots, poses)
        return [
            answer_call(calls[text], [show_pose(given[i])]).sentence for i, text in enumerate(texts)
        ]

    monkeypatch.setattr(slots, "answer_from_codes_batch", knows)
    found = measure_answers(slots, questions)
    assert found["answers"] == found["answers_fit_given_codes"] == 100.0
    assert found["answers_fit_own_pose"] < 80
    assert found["chance_answers"] < 80


def test_the_table_has_a_column_for_each_task_and_gaps_where_nothing_was_measured():
    rows = rows_of({"generated": 90.0, "chance_generated": 30.0, "answers_fit_own_pose": 40.0})
    assert rows[0] == ("intact", 90.0, "", "", "")
    assert rows[1] == ("the same on other poses", 30.0, "", "", "")
    assert rows[-1] == ("other codes: of the own", "", "", "", 40.0)


@pytest.mark.slow
def test_the_program_reports_every_figure(
    slots: UniPose, mocap_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(ModelOptions, "load_assistant", lambda _: slots)
    options = GroundingOptions(data=mocap_folder, limit=2, poses=3, pairs=6, questions=2, json=True)
    main(options)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    for task in ("generated", "edited"):
        assert result[f"{task}_without_llm"] == result[f"chance_{task}_without_llm"]
    assert {"described_fits_given_codes", "answers_fit_own_pose"} <= set(result)
    assert result["questions"] == 8


def test_nothing_can_be_exchanged_with_one_pose():
    with pytest.raises(ConfigError, match="at least 2"):
        GroundingOptions(data=Path(), poses=1)
