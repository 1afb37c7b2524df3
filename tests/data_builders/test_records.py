"""Records hold what fits together."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.records import Keypoints
from unipose.errors import PoseError, SkeletonError


def test_a_landmark_is_asked_for_by_name():
    person = Keypoints(
        names=("head", "neck"),
        points=np.array([[1.0, 2.0], [np.nan, np.nan]]),
        visible=np.array([1.0, 0.0]),
    )
    assert person.point("head").tolist() == [1, 2]
    assert np.isnan(person.point("neck")).all()
    with pytest.raises(SkeletonError, match="head, neck"):
        person.point("tail")


def test_names_points_and_visibility_must_fit():
    with pytest.raises(PoseError, match="NaN exactly where"):
        Keypoints(names=("head",), points=np.full((1, 2), np.nan), visible=np.ones(1))
    with pytest.raises(PoseError, match="as many of each"):
        Keypoints(names=("head",), points=np.zeros((2, 2)), visible=np.ones(2))
    with pytest.raises(PoseError, match="2 or 3"):
        Keypoints(names=("head",), points=np.zeros((1, 4)), visible=np.ones(1))
