"""Questions to the assistant: understood by a language model, answered by measuring."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.speaker import FakeSpeaker
from tests.fakes.tiny_model import tiny_assistant
from unipose.app.examples import example_pose
from unipose.assistant import UniPose
from unipose.assistant.pose_answer import ANSWERED
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.language.decoding import Answer
from unipose.language.rendering import Part
from unipose.posecodes.sureness import UNSURE


@pytest.fixture(scope="module")
def assistant() -> UniPose:
    return tiny_assistant()


def saying(assistant: UniPose, *said: str) -> FakeSpeaker:
    speaker = FakeSpeaker(*said)
    assistant.speaker = speaker
    return speaker


def test_a_question_about_one_pose_is_measured(assistant: UniPose):
    speaker = saying(assistant, "> measure distance feet", "The feet are 47 cm apart.")
    answered = assistant.answer_fully("how wide is the stance", example_pose("squat"))
    assert answered.text == "The feet are 47 cm apart."
    assert answered.finding is not None
    assert answered.finding.value == pytest.approx(47.0, abs=0.5)
    assert [message.text for message in speaker.read[0][1:]] == ["pose 1", "how wide is the stance"]


def test_two_poses_are_compared_from_the_first_to_the_second(assistant: UniPose):
    saying(assistant, "> became squatting", "")
    poses = example_pose("stand"), example_pose("squat")
    assert assistant.answer("did they squat", *poses).startswith("Yes")
    saying(assistant, "> check squatting of 1", "")
    assert assistant.answer("is the first one squatting", *poses).startswith("No")


def test_when_looks_through_a_recording(assistant: UniPose):
    turns = np.zeros((40, 24, 3), dtype=np.float32)
    turns[:, 16, 2] = np.linspace(0, 1, 40)
    film = Pose.from_axis_angle(torch.from_numpy(turns), fps=20.0)
    saying(assistant, "> when highest left hand", "")
    finding = assistant.answer_fully("when is the left hand highest", film).finding
    assert finding is not None
    assert finding.value == pytest.approx(39 / 20, abs=0.11)


def test_a_photo_is_looked_at_and_the_answer_says_how_sure_it_is(
    assistant: UniPose, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(assistant, "estimate", lambda photo: example_pose("squat"))
    saying(assistant, "> measure height left hand", "")
    answered = assistant.answer_fully("how high is the left hand", "me.jpg")
    assert answered.text.endswith(UNSURE)
    assert not answered.sure


def test_only_calls_that_answer_can_be_made(assistant: UniPose):
    assert not {"save", "open", "edit", "undo"} & set(ANSWERED)


@pytest.mark.parametrize(
    ("question", "count", "hint"),
    [("  ", 1, "empty"), ("is it?", 0, "one or two poses, got 0"), ("is it?", 3, "got 3")],
)
def test_what_is_no_question_about_poses_is_refused(
    assistant: UniPose, question: str, count: int, hint: str
):
    with pytest.raises(PoseQueryError, match=hint):
        assistant.answer(question, *[example_pose("squat")] * count)


def test_a_moment_of_a_single_pose_cannot_be_asked_for(assistant: UniPose):
    saying(assistant, "> when highest left hand")
    with pytest.raises(PoseQueryError, match="a recording is needed"):
        assistant.answer("when is it highest", example_pose("squat"))


def test_an_answer_from_codes_is_to_the_question_behind_the_pose(
    assistant: UniPose, monkeypatch: pytest.MonkeyPatch
):
    asked: list[list[Part]] = []

    def note(model, vocabulary, questions, *rest, **more):
        asked.extend(questions)
        return [Answer(ids=vocabulary.encode("No."), complete=True) for _ in questions], 1

    monkeypatch.setattr("unipose.assistant.model_answers.answer", note)
    poses = Pose(rotations=torch.cat([example_pose(n).rotations for n in ("stand", "squat")]))
    texts = ["is it standing", "  is it   squatting?"]
    assert assistant.answer_from_codes_batch(texts, poses) == ["No.", "No."]
    assert assistant.answer_from_codes(texts[0], poses[0]) == "No."
    for (codes, space, text), pose, said in zip(
        asked, (0, 1, 0), ("is it standing", "is it squatting?", "is it standing"), strict=True
    ):
        assert torch.equal(codes, assistant.codes(poses)[pose])
        assert (space, text) == (" ", said)
    with pytest.raises(PoseQueryError, match="empty"):
        assistant.answer_from_codes(" ", poses[0])
