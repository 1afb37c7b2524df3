"""People who are only partly there: what is not known is not spoken of."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.captions import CaptionOptions, write_three_captions
from data_builders.posecodes.modifiers import write_modifiers_with_codes, write_three_modifiers
from unipose.body.skeletons import SMPL
from unipose.posecodes.statements import Statement, truth

COUNT = 40
LEGS = tuple(f"{s}_{p}" for s in ("left", "right") for p in ("knee", "ankle", "foot"))
RIGHT_ARM = ("right_elbow", "right_wrist")
GONE = {LEGS: ("knee", "thigh", "shin", "ankle", "foot"), RIGHT_ARM: ("right_hand",)}
EVERYTHING = CaptionOptions(extras=frozenset({"lying", "lean", "head"}), eligible="statistics")


def _without(joints: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    cut = joints.copy()
    cut[:, SMPL.indices(*names)] = np.nan
    return cut


def _speaks_of(said: Statement, parts: tuple[str, ...]) -> bool:
    return any(part in f"{said.first} {said.second}" for part in parts)


@pytest.mark.parametrize(("joints_gone", "parts"), GONE.items())
def test_a_missing_joint_is_not_spoken_of(poses, joints_gone, parts):
    whole = poses(COUNT, 51)
    cut = _without(whole, joints_gone)
    rows = write_three_captions(cut, seed=0, indices=range(COUNT), options=EVERYTHING)
    for i, three in enumerate(rows):
        for text, codes in three:
            assert codes
            assert not any(_speaks_of(said, parts) for said in codes), text
            assert not any(word in text for word in parts if "_" not in word), text
            assert truth(sorted(codes, key=str), whole[i : i + 1], tolerance=False).all(), text


@pytest.mark.parametrize(("joints_gone", "parts"), GONE.items())
@pytest.mark.parametrize("which", [0, 1])
def test_what_is_missing_in_either_pose_does_not_change(pairs, joints_gone, parts, which):
    both = list(pairs(COUNT, 53))
    both[which] = _without(both[which], joints_gone)
    for three in write_three_modifiers(*both, seed=0, indices=range(COUNT)):
        for text, changes in three:
            moved = [c for c in changes if c.action != "reach"]
            assert not any(part in c.part for c in moved for part in parts), text


def test_one_pose_with_a_missing_joint_leaves_the_others_as_they_are(pairs):
    first, second = pairs(COUNT, 54)
    cut = second.copy()
    cut[0, SMPL.index["left_wrist"]] = np.nan
    rows = write_modifiers_with_codes(first, second, seed=1, indices=range(COUNT))
    assert write_modifiers_with_codes(first, cut, seed=1, indices=range(COUNT))[1:] == rows[1:]
