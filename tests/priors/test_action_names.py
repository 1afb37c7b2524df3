"""What a model says somebody does is looked up in the list, never trusted."""

from __future__ import annotations

import numpy as np
import pytest

from unipose.errors import AnswerParseError
from unipose.priors.action_names import action_question, description_question, read_action, vote
from unipose.priors.sampled_models import SampledAnswer

LABELS = ("walk", "walk, exaggerated stride", "pick up box", "run/jog")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DESCRIPTION: goes on.\nLABEL: walk", ("walk", "goes on.")),
        ("Let me see.\n**Label**: Run / Jog.", ("run/jog", "")),
        ("label: box, pick up", ("pick up box", "")),
        ("DESCRIPTION: two things\nLABEL: none", ("", "two things")),
        ("LABEL: walk\nOn second thought:\nLABEL: run/jog", ("run/jog", "")),
    ],
)
def test_an_answer_is_looked_up(text: str, expected: tuple[str, str]):
    assert read_action(text, LABELS) == expected


@pytest.mark.parametrize(
    ("text", "problem"),
    [("I think they walk.", "expected a line"), ("LABEL: golfing", "no entry 'golfing'")],
)
def test_an_answer_that_names_nothing_is_refused(text: str, problem: str):
    with pytest.raises(AnswerParseError, match=problem):
        read_action(text, LABELS)


def test_the_label_of_most_samples_counts():
    def said(*labels: str) -> SampledAnswer:
        return SampledAnswer(key="film 0-60", texts=tuple(f"LABEL: {label}" for label in labels))

    assert vote(said("walk", "walk", "run/jog", "flying"), LABELS).label == "walk"
    assert vote(said("walk", "walk", "run/jog"), LABELS).share == pytest.approx(2 / 3)
    assert vote(said("walk", "run/jog"), LABELS).label == ""
    with pytest.raises(AnswerParseError, match="film 0-60: no answer can be used"):
        vote(said("flying"), LABELS)


def test_a_question_holds_the_list_and_a_few_frames():
    pictures = [np.full((4, 4, 3), i, dtype=np.uint8) for i in range(60)]
    question = action_question("film", pictures, LABELS, frames=4)
    assert [int(one[0, 0, 0]) for one in question.pictures] == [0, 20, 39, 59]
    assert question.instruction.endswith("\n".join(LABELS))
    assert "bends down" in description_question("somebody bends down", LABELS).text
