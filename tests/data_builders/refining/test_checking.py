"""The judge of refined texts: what was added, flipped, lost or left open is found."""

from __future__ import annotations

import pytest

from data_builders.refining.checking import Limits, check
from data_builders.refining.draft import Draft
from data_builders.refining.prompts import tidy

CAPTION = Draft(
    key="a",
    text="Someone is kneeling on the left knee. The right elbow is bent at a right angle. Both "
    "hands are above the head. The left foot is behind the right foot.",
)
CHANGE = Draft(
    key="b",
    kind="change",
    text="Turn your upper body to the left. Bend your left knee a lot. Raise your right hand "
    "slightly, then move both feet apart. Your right elbow should be straight.",
)


@pytest.mark.parametrize(
    "text",
    [
        "The person is kneeling on the left knee with both hands above the head.",
        "Someone has the right elbow bent.",  # less exact is not more
        "The person has the right foot in front of the left foot.",
        "A person is kneeling on the left knee, their left hand raised above the head.",
    ],
)
def test_what_the_draft_says_passes(text):
    verdict = check(text, CAPTION)
    assert (verdict.added, verdict.flipped, verdict.unread) == ((), (), ())
    assert verdict.faults(Limits(added=0)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("The person is kneeling on the right knee.", "contradicts"),
        ("The person has the right elbow straight.", "contradicts"),
        ("The person has both hands above the head and below the head.", "contradicts"),
        ("The person has the left foot in front of the right foot.", "contradicts"),
        ("The person has both hands above the head and both knees straight.", "does not say"),
        ("The person has both hands above the head and one leg behind.", "one leg"),
        ("Kneeling on the left knee.", "begin with the person"),
        ("The person is in the garden.", "nothing of the text"),
        ("The person " + "is kneeling on the left knee " * 8, "under 45"),
    ],
)
def test_what_it_does_not_say_is_named(text, fault):
    faults = check(text, CAPTION).faults(Limits(added=0))
    assert any(fault in one for one in faults), faults


def test_a_limb_of_which_the_draft_is_silent_is_named_even_in_words_we_cannot_read():
    draft = Draft(key="a", text="The left hand is above the head.")
    text = "The person has the left hand above the head and the right leg gracefully curled."
    assert check(text, draft).added == ("right leg",)


def test_what_the_pose_shows_is_no_invention(posed):
    text = "The person has the right elbow bent at a right angle and both knees straight."
    shown = Draft(key="a", text=CAPTION.text, joints=posed())
    assert len(check(text, CAPTION).added) == 2
    assert check(text, shown).added == ()
    bent = Draft(key="a", text=CAPTION.text, joints=posed(left_knee=(1.6, 0, 0)))
    assert check(text, bent).added == ("left knee straight",)


@pytest.mark.parametrize(
    "text",
    [
        "Turn your upper body to the left and bend your left knee a lot.",
        "Twist your torso left, then raise your right hand.",
        "Rotate left. Bend your left knee. Your right arm should be straight.",
    ],
)
def test_a_change_that_was_asked_for_passes(text):
    assert check(text, CHANGE).faults(Limits(added=0)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("Bend your left knee a lot.", "turn of the body is missing"),
        ("Turn your upper body to the right. Bend your left knee.", "contradicts"),
        ("Turn your upper body to the left. Straighten your left knee.", "contradicts"),
        ("Turn your upper body to the left. Bend your right knee a lot.", "contradicts"),
        ("Turn your upper body to the left. Raise your left hand.", "contradicts"),
        ("Turn your upper body to the left. Bend both elbows.", "does not say"),
    ],
)
def test_a_change_that_was_not_asked_for_is_named(text, fault):
    faults = check(text, CHANGE).faults(Limits(added=0))
    assert any(fault in one for one in faults), faults


def test_answers_are_tidied_not_reworded():
    assert tidy('<think>left? right?</think>\n "The person\n stands."  ') == "The person stands."
    assert tidy("```\nThe person stands.\n```") == "The person stands."
