"""Brief instructions ask for one or two things that happened, and can be read back."""

from __future__ import annotations

import pytest

from data_builders.posecodes.brief import (
    write_brief_modifiers,
    write_brief_modifiers_with_codes,
)
from unipose.posecodes.changes import happened
from unipose.posecodes.reader import read_change_text

COUNT = 120


def test_what_a_brief_instruction_says_is_what_is_read_back_and_happened(pairs):
    first, second = pairs(COUNT, 31)
    rows = write_brief_modifiers_with_codes(first, second, seed=1, indices=range(COUNT))
    asked = set()
    for row, (text, codes) in enumerate(rows):
        reading = read_change_text(text)
        assert (reading.unread, set(reading.changes)) == ([], codes), text
        a, b = first[row : row + 1], second[row : row + 1]
        assert happened(reading.changes, a, b, tolerance=False).all(), text
        asked |= {change.action for change in codes}
    assert {"reach", "up", "bend"} <= asked


def test_a_brief_instruction_is_brief_and_one_sentence(pairs):
    first, second = pairs(COUNT, 32)
    for text in write_brief_modifiers(first, second, seed=2, indices=range(COUNT)):
        assert text.endswith(".")
        assert text.count(".") == 1
        assert len(text.split()) <= 22, text


def test_a_brief_instruction_depends_on_its_pair_seed_and_index_alone(pairs):
    first, second = pairs(15, 33)
    together = write_brief_modifiers(first, second, seed=4, indices=range(15))
    alone = [
        write_brief_modifiers(first[i : i + 1], second[i : i + 1], seed=4, indices=[i])[0]
        for i in range(15)
    ]
    assert together == alone
    assert together != write_brief_modifiers(first, second, seed=5, indices=range(15))


@pytest.mark.parametrize("seed", [1, 2])
def test_a_pose_and_itself_differ_in_nothing(poses, seed):
    joints = poses(20, 34)
    for text in write_brief_modifiers(joints, joints, seed=seed, indices=range(20)):
        assert read_change_text(text).changes == []
