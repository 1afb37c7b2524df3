"""Instructions ask for what happened, and can be read back."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.modifiers import write_modifiers, write_modifiers_with_codes
from unipose.posecodes.changes import happened
from unipose.posecodes.reader import read_change_text, read_changes

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


def test_a_mirrored_pair_has_the_mirrored_changes(pairs, mirror):
    first, second = pairs(40, 27)
    rows = write_modifiers_with_codes(first, second, seed=6, indices=range(40), style="full")
    changes = sorted({c for _, codes in rows for c in codes if c.action != "reach"}, key=str)
    mirrored = [change.mirrored() for change in changes]
    there = happened(changes, first, second)
    assert (there == happened(mirrored, mirror(first), mirror(second))).all()
