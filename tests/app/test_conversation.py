"""The rules that turn a plain sentence into a request."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unipose.app.conversation import Request, Task, understand
from unipose.errors import PoseQueryError

DESCRIBE, COMPARE, GENERATE, EDIT = Task.DESCRIBE, Task.COMPARE, Task.GENERATE, Task.EDIT


@pytest.mark.parametrize(
    ("sentence", "poses"),
    [
        ("describe the pose", (3,)),
        ("Describe it.", (3,)),
        ("please describe this pose in detail", (3,)),
        ("What is the person doing?", (3,)),
        ("what does the pose look like", (3,)),
        ("How does the first look?", (1,)),
        ("what is the second?", (2,)),
        ("tell me about the second pose", (2,)),
        ("describe the previous one", (2,)),
        ("describe pose 1", (1,)),
        ("describe the first and the third", (1, 3)),
        ("describe all of them", (1, 2, 3)),
        ("Can you put the pose into words?", (3,)),
    ],
)
def test_asking_what_a_pose_is_describes_the_pose_that_is_meant(sentence, poses):
    assert understand(sentence, poses=3) == Request(task=DESCRIBE, poses=poses)


@pytest.mark.parametrize(
    ("sentence", "poses"),
    [
        ("what changes from the first to the second", (1, 2)),
        ("What changed from the second to the first?", (2, 1)),
        ("what is the difference between the first and the third?", (1, 3)),
        ("describe what changes from pose 2 to pose 3", (2, 3)),
        ("how do you get to the second from the first?", (1, 2)),
        ("what changes to the second from the first?", (1, 2)),
        ("compare the poses", (2, 3)),
        ("compare them", (2, 3)),
        ("how does the first differ from the pose", (1, 3)),
        ("how does it differ from the first?", (3, 1)),
        ("now tell me how the second is different from the first", (2, 1)),
    ],
)
def test_asking_for_a_difference_compares_in_the_order_of_the_words(sentence, poses):
    assert understand(sentence, poses=3) == Request(task=COMPARE, poses=poses)


@pytest.mark.parametrize(
    ("sentence", "text"),
    [
        ("make a pose of someone squatting", "someone squatting"),
        ("Make a pose in which the left arm is raised.", "the left arm is raised."),
        ("please create a pose with both knees bent", "both knees bent"),
        ("generate a person who kneels on the left knee", "a person who kneels on the left knee"),
        ("show me someone waving", "someone waving"),
        ("A person sits on the floor.", "A person sits on the floor."),
        ("someone stands on one leg", "someone stands on one leg"),
        ("generate: the right arm is up", "the right arm is up"),
        ("make another pose where the first toe points down", "the first toe points down"),
    ],
)
def test_asking_for_a_new_pose_hands_on_its_words(sentence, text):
    assert understand(sentence, poses=0) == Request(task=GENERATE, text=text)


@pytest.mark.parametrize(
    ("sentence", "pose", "text"),
    [
        ("raise the left arm", 2, "raise the left arm"),
        ("Now bend the knees more, please", 2, "bend the knees more, please"),
        ("raise the left arm of the first pose", 1, "raise the left arm"),
        ("in the first, raise the left arm", 1, "raise the left arm"),
        ("take the first pose and lower both arms", 1, "lower both arms"),
        ("change the second so that the knees are straight", 2, "the knees are straight"),
        ("change the pose so that the knees are straight", 2, "the knees are straight"),
        ("make the pose lean forward", 2, "make the pose lean forward"),
        ("let the right arm hang", 2, "let the right arm hang"),
        ("turn the head to the left", 2, "turn the head to the left"),
        ("bend the left knee in pose 1", 1, "bend the left knee"),
    ],
)
def test_a_movement_edits_the_pose_that_is_meant(sentence, pose, text):
    assert understand(sentence, poses=2) == Request(task=EDIT, poses=(pose,), text=text)


@pytest.mark.parametrize(
    ("sentence", "poses", "hint"),
    [
        ("what time is it?", 1, "did not understand"),
        ("is the sky blue", 1, "make a pose of someone squatting"),
        ("save the pose", 1, "/save FILE"),
        ("show the pose", 1, "/show"),
        ("open walk.bvh", 1, "/pose FILE"),
        ("quit", 1, "/quit"),
        ("make a pose", 1, "a pose of what"),
        ("describe the pose", 0, "there is no pose yet"),
        ("raise the left arm", 0, "there is no pose yet"),
        ("describe the third", 2, "there is no pose 3: this conversation holds 2 poses"),
        ("what changes from the first to the second", 1, "there is no pose 2"),
        ("compare the first, the second and the third", 3, "takes two poses"),
        ("raise the arms of the first and bend the knees of the second", 2, "names several"),
    ],
)
def test_what_is_unclear_or_not_there_is_said_with_a_way_out(sentence, poses, hint):
    with pytest.raises(PoseQueryError) as error:
        understand(sentence, poses=poses)
    assert hint in str(error.value)


@given(st.text(max_size=200), st.integers(0, 5))
def test_no_text_whatsoever_makes_the_rules_stumble(sentence, poses):
    request = None
    with contextlib.suppress(PoseQueryError):
        request = understand(sentence, poses=poses)
    assert request is None or all(1 <= number <= poses for number in request.poses)


def test_special_tokens_in_a_request_are_handed_on_as_plain_text():
    text = "a person </s><pose_1><|im_end|> kneels"
    assert understand(f"make a pose of {text}", poses=0).text == text


@pytest.mark.timeout(2)
def test_a_very_long_sentence_is_read_in_no_time():
    with pytest.raises(PoseQueryError):
        understand("the first " * 5000 + "what", poses=1)
