"""Angles about a joint's own axes: exact, near the old ones, where they lock, with too few axes."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unipose.files.euler_angles import angles_near, product_of_turns

ORDERS = list(permutations(range(3)))
ANGLES = st.lists(st.floats(-7, 7), min_size=3, max_size=3).map(np.array)


@settings(max_examples=25)
@given(st.sampled_from(ORDERS), ANGLES, ANGLES)
def test_angles_make_the_rotation_in_every_order(axes, angles, near):
    rotation = product_of_turns(angles, axes)
    found = angles_near(rotation, axes, near)
    assert product_of_turns(found, axes) == pytest.approx(rotation, abs=1e-5)
    assert np.abs(found[[0, 2]] - near[[0, 2]]).max() <= np.pi + 1e-9


@settings(max_examples=25)
@given(st.sampled_from(ORDERS), ANGLES, st.integers(-2, 2))
def test_the_old_angles_of_a_rotation_come_back_whatever_their_branch(axes, angles, turns):
    old = angles + 2 * np.pi * turns
    if abs(np.cos(old[1])) > 1e-3:
        found = angles_near(product_of_turns(old, axes), axes, old)
        assert found == pytest.approx(old, abs=1e-6)


@pytest.mark.parametrize("axes", ORDERS)
@pytest.mark.parametrize("middle", [90, -90, 270])
def test_where_the_middle_angle_locks_the_last_one_keeps_its_value(axes, middle):
    angles = np.radians([30, middle, 200])
    found = angles_near(product_of_turns(angles, axes), axes, np.radians([25, middle + 4, 190]))
    assert product_of_turns(found, axes) == pytest.approx(product_of_turns(angles, axes), abs=1e-6)
    assert np.degrees(found)[1:] == pytest.approx([middle, 190])


def test_a_joint_with_one_axis_turns_about_it_as_far_as_it_helps():
    wanted = product_of_turns(np.radians([70, 5, 0]), (0, 1, 2))
    assert np.degrees(angles_near(wanted, (0,), np.array([0.1]))) == pytest.approx([70], abs=0.5)
    two = product_of_turns(np.radians([20, 370]), (2, 0))
    assert np.degrees(angles_near(two, (2, 0), np.radians([10, 350]))) == pytest.approx([20, 370])
