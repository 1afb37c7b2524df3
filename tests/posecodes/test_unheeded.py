"""What is typed and what is called: thresholds, parts, times, amounts, negations."""

from __future__ import annotations

from random import Random

import pytest

from data_builders.conversations.script import ScriptWriter
from unipose.app.examples import EXAMPLES, example_pose
from unipose.posecodes.calls import read_call
from unipose.posecodes.questions import ShownPose, answer_call, show_pose
from unipose.posecodes.unheeded import judged, remarks


@pytest.fixture(scope="module")
def squat() -> ShownPose:
    """Return somebody with knees bent by 110 degrees and feet 47 cm apart."""
    return show_pose(example_pose("squat"))


@pytest.mark.parametrize(
    ("question", "call", "value", "opening"),
    [
        ("is the left knee bent by more than 150 degrees?", "> check bent left knee", False, "No"),
        ("is the left knee bent less than 90°?", "> check bent left knee", False, "No"),
        ("is the left knee bent at least 90 degrees?", "> check bent left knee", True, "Yes"),
        ("are both knees bent more than 90 degrees?", "> check bent knees", True, "Yes"),
        ("are the feet more than 0.4 m apart?", "> check apart feet", True, "Yes"),
        ("are the feet no more than 40 cm apart?", "> check apart feet", False, "No"),
        (
            "is the left hand more than 2 cm above the left knee?",
            "> check above left hand left knee", True, "Yes",
        ),
        (
            "is the left hand more than 50 cm above the left knee?",
            "> check above left hand left knee", False, "No",
        ),
    ],
)  # fmt: skip
def test_a_threshold_of_the_question_decides(squat, question, call, value, opening):
    asked = read_call(call)
    found = judged(question, asked, answer_call(asked, [squat]))
    assert (found.value, found.sentence.partition(":")[0]) == (value, opening)


@pytest.mark.parametrize(
    ("question", "call"),
    [
        ("is the left hand higher than 1 meter?", "> check above left hand head"),
        ("is the left hand less than 30 cm above the head?", "> check above left hand head"),
    ],
)
def test_where_the_number_was_not_measured_it_is_neither_yes_nor_no(squat, question, call):
    asked = read_call(call)
    found = judged(question, asked, answer_call(asked, [squat]))
    assert (found.kind, found.sentence) == ("how_much", "The left hand is 49 cm below the head.")


def test_a_question_without_a_threshold_is_judged_by_ours(squat):
    asked = read_call("> check bent left knee")
    found = answer_call(asked, [squat])
    assert judged("is the left knee bent?", asked, found) is found


@pytest.mark.parametrize(
    ("typed", "call", "said"),
    [
        (
            "is the left hand above the right knee and the right hand above the head?",
            "> check above left hand right knee",
            "(The right hand and head were not looked at.)",
        ),
        (
            "which is higher, the left hand or the right shoulder?",
            "> which higher hands",
            "(The right shoulder was not looked at.)",
        ),
        (
            "are the knees bent more than the elbows?",
            "> check bent knees",
            "(The elbows were not looked at.)",
        ),
        (
            "is the left knee bent at 0.5 seconds?",
            "> check bent left knee",
            "(The time was not looked at: /pose FILE SECONDS or --at chooses another.)",
        ),
        (
            "bend the left knee by 30 degrees",
            "> edit: bend the left knee by 30 degrees",
            '(Amounts such as "30 degrees" are hardly followed: ask what came of it.)',
        ),
        (
            "don't raise the left arm",
            "> edit: raise the left arm",
            '("don\'t" is hardly followed: look at what came of it.)',
        ),
        ("are the arms raised above the head?", "> check above hands head", ""),
        ("is the left arm at shoulder height?", "> check horizontal left arm", ""),
        ("did the hands move to the left?", "> moved left hands", ""),
        ("it doesn't matter, make any pose", "> generate: a random pose", ""),
        ("turn left by 45 degrees", "> turn left 45", ""),
    ],
)
def test_what_the_calls_leave_out_is_said(typed: str, call: str, said: str):
    assert remarks(typed, [read_call(call)]) == said


def test_right_calls_of_our_own_wordings_leave_nothing_out():
    writer = ScriptWriter([show_pose(example_pose(name)) for name in EXAMPLES])
    random = Random(5)
    said = [
        remarks(exchange.said, exchange.calls)
        for _ in range(40)
        for exchange in writer.write(random, turns=4).exchanges
        if exchange.calls
    ]
    assert len(said) > 100
    assert sum(map(bool, said)) <= 2
