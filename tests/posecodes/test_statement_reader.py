"""What people write is read as what they mean, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from unipose.errors import PoseError
from unipose.posecodes import phrases
from unipose.posecodes.reader import read, read_change_text, read_statements
from unipose.posecodes.statements import state

READ = {
    "The left elbow is at a right angle.": ["left_elbow right_angle"],
    "Her left arm is flexed at 90°.": ["left_elbow right_angle"],
    "Both legs are fully extended.": ["left_knee straight", "right_knee straight"],
    "with bent knees and raised arms": [
        "left_knee bent", "right_knee bent",
        "left_hand above left_shoulder", "right_hand above right_shoulder",
    ],
    "arms at your sides": ["left_hand at_side left_hip", "right_hand at_side right_hip"],
    "Both arms are crossed in front of the chest.": ["left_hand at_right right_hand"],
    "Legs crossed.": ["left_foot at_right right_foot"],
    "The left hand is below the other hand.": ["left_hand below right_hand"],
    "The right hand is above the left one.": ["left_hand below right_hand"],
    "Her left hand touches her right knee while the other hand is on her hip.": [
        "left_hand close right_knee", "right_hand on_hip right_hip",
    ],
    "The left and right hands are above the shoulders.": [
        "left_hand above left_shoulder", "right_hand above right_shoulder",
    ],
    "Her hands are clasped behind her back.": [
        "left_hand close right_hand", "left_hand behind torso", "right_hand behind torso",
    ],
    "Kneeling with both arms raised above the head.": [
        "body kneeling", "left_hand above head", "right_hand above head",
    ],
    "The person is bent over, feet shoulder-width apart.": [
        "body bent_forward", "left_foot shoulder_width right_foot",
    ],
    "The left hand is near the right knee. It is above the left foot.": [
        "left_hand close right_knee", "left_hand above left_foot",
    ],
    "The left knee is bent at a right angle and the other leg is straight.": [
        "left_knee right_angle", "right_knee straight",
    ],
    "Left foot forward, arms stretched forward": [
        "left_foot front right_foot",
        "left_hand reach_front left_shoulder", "right_hand reach_front right_shoulder",
    ],
    "Each hand is close to the opposite elbow.": [
        "left_hand close right_elbow", "right_hand close left_elbow",
    ],
    "The left elbow and the right knee are slightly bent.": [
        "left_elbow slightly_bent", "right_knee slightly_bent",
    ],
    "The left hand is near the left knee and the right foot.": [
        "left_hand close left_knee", "left_hand close right_foot",
    ],
    "The left hand is near the left knee and the right foot is behind the left foot.": [
        "left_hand close left_knee", "left_foot front right_foot",
    ],
}  # fmt: skip


def _made(words: str):
    return state(*words.split())


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_common_wordings_are_read(text, expected):
    reading = read(text)
    assert reading.unread == []
    assert set(reading.statements) == {_made(words) for words in expected}


@pytest.mark.parametrize(
    "text",
    [
        "The left elbow isn't bent.",
        "The person is not kneeling.",
        "The left hand is neither above nor below the neck.",
        "The left elbow is gracefully bent.",
        "A man is dancing.",
        "One hand is above the head.",
        "The left arm.",
        "The hand is green.",
        "The head is bent.",
        "asdf qwerty",
    ],
)
def test_what_is_not_understood_is_named_and_states_nothing(text):
    reading = read(text)
    assert reading.statements == []
    assert reading.unread


def test_only_the_clause_that_is_not_understood_is_left_out():
    reading = read("The left elbow is straight while the right elbow is weirdly bent.")
    assert reading.statements == [_made("left_elbow straight")]
    assert reading.unread == ["right elbow is weirdly bent"]


def test_nothing_is_said_twice():
    text = "The left elbow is straight. The left arm is extended."
    assert read_statements(text) == [_made("left_elbow straight")]


def test_equal_meanings_are_equal_statements():
    assert state("right_hand", "below", "left_hand") == state("left_hand", "above", "right_hand")
    assert state("right_knee", "close", "left_knee") == state("left_knee", "close", "right_knee")


@pytest.mark.parametrize("parts", [("left_hand", "straight"), ("head", "bent"), ("body", "wide")])
def test_what_cannot_be_measured_is_refused(parts):
    with pytest.raises(PoseError, match="measured"):
        state(*parts)


@pytest.mark.parametrize("table", [phrases.UNARY, phrases.PAIR, phrases.BINARY, phrases.BODY])
def test_every_meaning_has_at_least_five_wordings(table):
    assert all(len(set(said)) >= 5 for said in table.values())


_WORDS = (
    "left", "right", "the other", "each", "both", "hand", "hands", "elbow", "knees", "arm", "legs",
    "it", "and", ",", ".", "while", "with", "not", "is", "back", "opposite", "torso", "person",
    "bent", "above", "close to", "to the left", "raise", "move", "up", "a bit", "closer", "apart",
    "should be", "kneeling", "out", "together", "lower", "foo", "?",
)  # fmt: skip


_OTHER_SIDE = {"left": "right", "right": "left", "to the left": "to the right"}


@given(some.lists(some.sampled_from(_WORDS), max_size=15))
def test_any_row_of_words_is_read_as_its_mirror_image_is_mirrored(row):
    text, mirrored = " ".join(row), " ".join(_OTHER_SIDE.get(word, word) for word in row)
    said, changes = read(text).statements, read_change_text(text).changes
    assert len(set(said)) == len(said)
    assert set(read(mirrored).statements) == {one.mirrored() for one in said}
    assert set(read_change_text(mirrored).changes) == {one.mirrored() for one in changes}


@pytest.mark.parametrize("text", ["", " . ,, ", "left " * 2000, "\u00e9\u4e2d" * 50, "a" * 9999])
def test_strange_texts_state_nothing(text):
    assert read(text).statements == []
    assert read_change_text(text).changes == []
