"""Turns of the whole body are measured, and read out of texts."""

from __future__ import annotations

import numpy as np
import pytest

from unipose.errors import PoseError
from unipose.posecodes.changes import Change, MeasuredPair
from unipose.posecodes.joints import whole_turns
from unipose.posecodes.position_phrases import TURN_WORDS, TURN_WORDS_ALSO
from unipose.posecodes.reader import read_changes


@pytest.mark.parametrize("table", [TURN_WORDS, TURN_WORDS_ALSO])
def test_every_wording_of_a_turn_is_read_as_that_turn(table):
    for (action, size), said in table.items():
        for words in said:
            for determiner in ("the", "your"):
                text = words.replace("{d}", determiner).capitalize() + "."
                assert read_changes(text) == [Change("body", action, size)], text


@pytest.mark.parametrize("degrees", [-170.0, -90.0, -30.0, 0.0, 30.0, 90.0, 135.0, 179.0])
def test_the_turn_is_that_of_the_roots(degrees):
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    yaw = np.array([[[c, 0, s], [0, 1, 0], [-s, 0, c]]])
    tilt = np.array([[[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]]])
    assert whole_turns(tilt, yaw @ tilt) == pytest.approx([degrees])
    assert whole_turns(yaw @ tilt, tilt) == pytest.approx([-degrees])


def test_a_turn_reaches_ten_degrees_over_its_bounds_and_no_further(poses):
    joints = np.repeat(poses(1, 73), 4, axis=0)
    turns = np.array([12.0, 55.0, 65.0, 72.0])
    change = Change("body", "whole_left", "slight")
    pair = MeasuredPair(joints, joints, turns=turns)
    assert pair.holds(change).tolist() == [False, True, False, False]
    assert pair.holds(change, tolerance=True).tolist() == [True, True, True, False]
    assert not MeasuredPair(joints, joints).holds(change, tolerance=True).any()
    assert change.mirrored() == Change("body", "whole_right", "slight")
    assert change.joints == {"pelvis"}


def test_a_turn_has_no_other_part():
    with pytest.raises(PoseError):
        Change("body", "whole_left", "much")
