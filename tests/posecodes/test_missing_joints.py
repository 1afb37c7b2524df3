"""People who are only partly there: what is not known is not measured."""

from __future__ import annotations

import numpy as np
import pytest

from unipose.body.skeletons import SMPL
from unipose.errors import PoseError
from unipose.posecodes.measure import Measured

COUNT = 40
LEGS = tuple(f"{s}_{p}" for s in ("left", "right") for p in ("knee", "ankle", "foot"))


def _without(joints: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    cut = joints.copy()
    cut[:, SMPL.indices(*names)] = np.nan
    return cut


def test_nothing_is_said_to_be_on_a_ground_that_is_not_seen(poses):
    cut = _without(poses(COUNT, 52), LEGS)
    assert np.isnan(Measured(cut).lowest()).all()


def test_one_missing_axis_makes_a_joint_missing(poses):
    cut = poses(3, 55)
    cut[1, SMPL.index["left_wrist"], 2] = np.nan
    assert np.isnan(Measured(cut).value("y", ("left_wrist", "neck"))).tolist() == [0, 1, 0]


def test_a_pose_of_nothing_and_an_infinite_one_are_refused(poses):
    empty, far = poses(3, 56), poses(3, 56)
    empty[1], far[2, 3] = np.nan, np.inf
    with pytest.raises(PoseError, match="the first is pose 1"):
        Measured(empty)
    with pytest.raises(PoseError, match="infinite"):
        Measured(far)
