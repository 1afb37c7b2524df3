"""Instructions ask for what happened, can be read back, and say which joints they touch."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.changes import Change, happened, has_happened
from data_builders.posecodes.modifiers import write_modifiers, write_modifiers_with_codes
from data_builders.posecodes.reader import read_change_text, read_changes
from data_builders.posecodes.statements import state
from unipose.errors import PoseError

STYLES = ("plain", "full", "short")
COUNT = 60


@pytest.mark.parametrize("style", STYLES)
def test_what_an_instruction_says_is_exactly_what_is_read_back(pairs, style):
    first, second = pairs(COUNT, 21)
    rows = write_modifiers_with_codes(first, second, seed=1, indices=range(COUNT), style=style)
    for text, codes in rows:
        reading = read_change_text(text)
        assert not reading.unread, text
        assert set(reading.changes) == codes, text


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("style", STYLES)
def test_a_thousand_instructions_are_read_back_and_happened(pairs, style):
    first, second = pairs(1000, 28)
    rows = write_modifiers_with_codes(first, second, seed=7, indices=range(1000), style=style)
    for row, (text, codes) in enumerate(rows):
        reading = read_change_text(text)
        assert (reading.unread, set(reading.changes)) == ([], codes), text
        a, b = first[row : row + 1], second[row : row + 1]
        assert happened(reading.changes, a, b, tolerance=False).all(), text


@pytest.mark.parametrize("style", STYLES)
def test_what_an_instruction_asks_for_happened(pairs, style):
    first, second = pairs(COUNT, 22)
    texts = write_modifiers(first, second, seed=2, indices=range(COUNT), style=style)
    for row, text in enumerate(texts):
        a, b = first[row : row + 1], second[row : row + 1]
        assert happened(read_changes(text), a, b, tolerance=False).all(), text


def test_a_pose_and_itself_differ_in_nothing(poses):
    joints = poses(50, 23)
    for text in write_modifiers(joints, joints, seed=3, indices=range(50)):
        reading = read_change_text(text)
        assert (reading.changes, reading.unread) == ([], [])
        assert text


def test_an_instruction_depends_on_its_pair_seed_and_index_alone(pairs):
    first, second = pairs(15, 24)
    together = write_modifiers(first, second, seed=4, indices=range(15))
    alone = [
        write_modifiers(first[i : i + 1], second[i : i + 1], seed=4, indices=[i])[0]
        for i in range(15)
    ]
    assert together == alone


def test_short_instructions_are_short(pairs):
    first, second = pairs(COUNT, 25)
    texts = write_modifiers(first, second, seed=5, indices=range(COUNT))
    assert 15 <= np.mean([len(text.split()) for text in texts]) <= 45


def test_the_way_back_is_the_opposite(pairs):
    first, second = pairs(100, 26)
    up, down = Change("left_hand", "up", "slight"), Change("left_hand", "down", "slight")
    assert (happened([up], first, second) == happened([down], second, first)).all()
    assert not (happened([up], first, second) & happened([down], first, second)).any()


def test_a_mirrored_pair_has_the_mirrored_changes(pairs, mirror):
    first, second = pairs(40, 27)
    rows = write_modifiers_with_codes(first, second, seed=6, indices=range(40), style="full")
    changes = sorted({c for _, codes in rows for c in codes if c.action != "reach"}, key=str)
    mirrored = [change.mirrored() for change in changes]
    there = happened(changes, first, second)
    assert (there == happened(mirrored, mirror(first), mirror(second))).all()


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
