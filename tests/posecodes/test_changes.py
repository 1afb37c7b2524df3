"""Changes hold within their bounds, are read out of texts, and say which joints they touch."""

from __future__ import annotations

import pytest

from unipose.errors import PoseError
from unipose.posecodes.changes import Change, happened, has_happened
from unipose.posecodes.reader import read_change_text
from unipose.posecodes.statements import state


def test_the_way_back_is_the_opposite(pairs):
    first, second = pairs(100, 26)
    up, down = Change("left_hand", "up", "slight"), Change("left_hand", "down", "slight")
    assert (happened([up], first, second) == happened([down], second, first)).all()
    assert not (happened([up], first, second) & happened([down], first, second)).any()


def test_sizes_hold_only_within_their_bounds_and_noise(posed):
    first, second = posed(), posed()
    change = Change("left_hand", "up", "slight")
    for step, strict, loose in (
        (0.12, False, True),
        (0.3, True, True),
        (0.44, False, True),
        (0.5, False, False),
    ):
        second[:] = first
        second[[18, 20]] += [0.0, step, 0.0]
        assert has_happened(change, first, second, tolerance=False) is strict
        assert has_happened(change, first, second) is loose


READ = {
    "Raise your left arm.": [Change("left_elbow", "up"), Change("left_hand", "up")],
    "Move the right hand higher and the left foot back.": [
        Change("right_hand", "up"), Change("left_foot", "back"),
    ],
    "Straighten your right leg slightly.": [Change("right_knee", "unbend", "slight")],
    "Bend your left elbow much more.": [Change("left_elbow", "bend", "much")],
    "Lean forward a little and turn your torso to the right.": [
        Change("body", "lean_forward", "slight"), Change("body", "turn_right"),
    ],
    "Bring your hands together.": [Change("left_hand", "closer", other="right_hand")],
    "Take your right hand down a bit and bring it closer to the right knee.": [
        Change("right_hand", "down", "slight"), Change("right_hand", "closer", other="right_knee"),
    ],
    "Raise the left leg higher, bending the knee.": [
        Change("left_knee", "up"), Change("left_foot", "up"), Change("left_knee", "bend"),
    ],
    "Put your left hand on your hip.": [
        Change("left_hand", "reach", target=state("left_hand", "on_hip", "left_hip")),
    ],
    "Your left arm should be straight.": [
        Change("left_elbow", "reach", target=state("left_elbow", "straight")),
    ],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_common_instructions_are_read(text, expected):
    reading = read_change_text(text)
    assert reading.unread == []
    assert set(reading.changes) == set(expected)


@pytest.mark.parametrize(
    "text",
    [
        "Don't move the left arm.",
        "Raise your knee.",
        "Dance around.",
        "Raise the arm without bending it.",
        "Do not raise your left arm.",
        "purple monkey",
        "Bend your head off.",
    ],
)
def test_what_is_not_understood_is_named_and_asks_for_nothing(text):
    reading = read_change_text(text)
    assert reading.changes == []
    assert reading.unread


def test_an_instruction_touches_the_whole_limb_and_nothing_else():
    arm = {f"left_{joint}" for joint in ("collar", "shoulder", "elbow", "wrist")}
    leg = {f"right_{joint}" for joint in ("hip", "knee", "ankle", "foot")}
    assert Change("left_hand", "up").joints == arm
    assert Change("left_elbow", "bend").joints == arm
    assert Change("right_knee", "bend").joints == leg
    assert Change("left_hand", "closer", other="right_foot").joints == arm | leg
    leaning = Change("body", "lean_forward").joints
    assert {"spine1", "head", "left_wrist"} <= leaning
    assert not leaning & {"pelvis", "left_hip", "left_foot"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"part": "left_hand", "action": "bend"},
        {"part": "left_hand", "action": "up", "size": "medium"},
        {"part": "left_hand", "action": "closer"},
        {"part": "left_hand", "action": "fly"},
    ],
)
def test_a_change_that_cannot_be_measured_is_refused(wrong):
    with pytest.raises(PoseError):
        Change(**wrong)
