"""Turns of the whole body, the three instructions of a pair, and their options."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.modifiers import (
    ModifierOptions,
    write_modifiers,
    write_modifiers_with_codes,
    write_three_modifiers,
)
from unipose.errors import ConfigError
from unipose.posecodes.changes import Change, happened
from unipose.posecodes.position_phrases import TURN_WORDS
from unipose.posecodes.reader import read_change_text, read_changes

COUNT = 80
WHOLE = ("whole_left", "whole_right", "around")


@pytest.fixture
def turned(pairs):
    """Pairs, and by how much the whole body turns in each."""
    return *pairs(COUNT, 71), np.random.default_rng(7).uniform(-180, 180, COUNT)


@pytest.mark.slow
def test_three_instructions_with_turns_are_read_back_and_happened(turned):
    first, second, turns = turned
    rows = write_three_modifiers(first, second, seed=1, indices=range(COUNT), turns=turns)
    spoken = set()
    for i, three in enumerate(rows):
        for text, changes in three:
            reading = read_change_text(text)
            assert not reading.unread, text
            assert set(reading.changes) == changes, text
            here = slice(i, i + 1)
            true = happened(
                reading.changes, first[here], second[here], tolerance=False, turns=turns[here]
            )
            assert true.all(), text
            spoken |= {(c.action, c.size) for c in changes}
    assert set(TURN_WORDS) <= spoken
    assert any(" while " in row.complete.text for row in rows)


def test_the_three_instructions_ask_for_less_and_less(turned):
    first, second, _ = turned
    rows = write_three_modifiers(first, second, seed=2, indices=range(COUNT))
    asked = np.array([[len(changes) for _, changes in row] for row in rows]).mean(axis=0)
    assert asked[0] > asked[1] > asked[2]
    states = [[c for c in row.complete.changes if c.action == "reach"] for row in rows]
    assert max(len(row) for row in states) > 1


def test_a_turn_is_said_first_and_only_where_it_is_large(turned):
    first, second, turns = turned
    plain = write_modifiers(first, second, seed=3, indices=range(COUNT))
    turns[:40] = np.nan
    turns[40:50] = 15.0
    rows = write_modifiers_with_codes(first, second, seed=3, indices=range(COUNT), turns=turns)
    assert [row.text for row in rows][:50] == plain[:50]
    for row, degrees in zip(rows[50:], turns[50:], strict=True):
        (change,) = [c for c in row.changes if c.action in WHOLE] or [None]
        assert (change is None) == (abs(degrees) <= 20.0)
        if change is not None:
            assert read_changes(row.text)[0] == change


def test_a_pose_that_only_turns_is_told_to_turn_only(poses):
    joints = poses(1, 72)
    (row,) = write_modifiers_with_codes(
        joints, joints, seed=0, indices=[0], turns=np.array([-90.0]), style="full"
    )
    assert row.changes == {Change("body", "whole_right", "quarter")}


def test_instructions_depend_on_pair_seed_and_index_alone(turned):
    first, second, turns = turned
    together = write_three_modifiers(first, second, seed=4, indices=range(COUNT), turns=turns)
    for i in range(5):
        here = slice(i, i + 1)
        alone = write_three_modifiers(
            first[here], second[here], seed=4, indices=[i], turns=turns[here]
        )
        assert alone == [together[i]]


def test_a_share_to_skip_is_a_share():
    with pytest.raises(ConfigError, match="share"):
        ModifierOptions(skip=1.5)
