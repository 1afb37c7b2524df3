"""Elementary measurements, their bands, and the table of 87 columns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from unipose.errors import PoseError
from unipose.posecodes.catalogue import COLUMNS, ELEMENTARY, SUPER, measure
from unipose.posecodes.joints import normalised_root, points
from unipose.posecodes.measure import KINDS, bands_of
from unipose.posecodes.statements import is_true, state


def test_the_set_has_77_elementary_and_10_super_columns():
    kinds = Counter(code.kind for code in ELEMENTARY)
    assert (len(ELEMENTARY), len(SUPER), len(set(COLUMNS))) == (77, 10, 87)
    assert kinds == {"angle": 4, "distance": 22, "x": 7, "y": 17, "z": 10, "tilt": 13, "ground": 4}


def test_a_value_on_a_threshold_belongs_to_the_lower_band():
    values = np.array([45.0, 45.001, 75.0, 160.0, 160.001])
    assert bands_of("angle", values).tolist() == [0, 1, 1, 4, 5]


@pytest.mark.parametrize(("degrees", "band"), [(0.0, 0), (180.0, 5)])
def test_an_exactly_folded_limb_is_folded_and_an_exactly_straight_one_straight(
    posed, degrees, band
):
    joints = posed()
    upper = joints[18] - joints[16]
    joints[20] = joints[18] + upper * (-1 if degrees == 0 else 1)
    found = measure(joints[None])
    column = next(
        i
        for i, c in enumerate(ELEMENTARY)
        if c.points == ("left_shoulder", "left_elbow", "left_wrist")
    )
    assert np.isfinite(found.values).all()
    assert found.bands[0, column] == band


def test_a_folded_elbow_is_never_straight(posed):
    joints = posed(left_elbow=(0.0, -np.pi, 0.0))
    assert is_true(state("left_elbow", "completely_bent"), joints)
    assert not is_true(state("left_elbow", "straight"), joints)


def test_noise_stays_within_what_is_declared(poses):
    joints = poses(50, 3)
    plain, noisy = measure(joints), measure(joints, noise=np.random.default_rng(0))
    width = np.array([KINDS[code.kind].noise for code in ELEMENTARY])
    shift = np.abs(noisy.values - plain.values)
    assert (shift <= width).all()
    assert (shift > 0).any(axis=0).all()


def test_the_table_is_the_same_pose_by_pose_and_in_a_batch(poses):
    joints = poses(20, 4)
    rows = np.concatenate([measure(joints[i : i + 1]).table() for i in range(20)])
    assert (rows == measure(joints).table()).all()


def test_hands_are_put_beyond_the_wrist_along_the_forearm(posed):
    found = points(posed()[None])[0]
    wrist, hand = found[20], found[22]
    assert np.linalg.norm(hand - wrist) == pytest.approx(0.1367 / 2)
    assert hand[0] > wrist[0]


@pytest.mark.parametrize(
    ("joints", "match"),
    [(np.zeros((1, 17, 3)), "expected joints"), (np.full((1, 22, 3), np.nan), "NaN")],
)
def test_joints_that_are_not_joints_are_refused(joints, match):
    with pytest.raises(PoseError, match=match):
        points(joints)


def test_yaw_is_taken_out_of_the_root_and_nothing_else():
    turn = np.array([[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]]])  # 90 degrees of yaw
    tilt = np.array([[[1.0, 0.0, 0.0], [0.0, 0.6, -0.8], [0.0, 0.8, 0.6]]])
    assert normalised_root(turn @ tilt, "yaw") == pytest.approx(tilt, abs=1e-12)
    assert normalised_root(turn @ tilt, "zero") == pytest.approx(np.eye(3)[None])
