"""Named keypoints of any skeleton are enough to caption: no body is fitted."""

from __future__ import annotations

import numpy as np
import pytest
import roma
import torch

from data_builders.posecodes.captions import write_captions, write_captions_with_codes
from data_builders.posecodes.keypoints import (
    body_joints,
    facing_is_known,
    in_body_frame,
    joints_from_keypoints,
    plain_name,
)
from data_builders.records import Keypoints
from unipose.body.keypoint_sets import COCO_17, HUMAN36M_17, MPI_INF_3DHP_17, MPI_INF_3DHP_28
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError
from unipose.posecodes.joints import normalised_root
from unipose.posecodes.measure import Measured
from unipose.posecodes.statements import truth

COUNT = 60
SETS = {
    "h36m": HUMAN36M_17.names,
    "3dhp": MPI_INF_3DHP_28.names,
    "3dhp test": MPI_INF_3DHP_17.names,
    "coco": COCO_17.names,
}
OTHERS = {
    "head_top": ("head", (0.0, 0.12, 0.0)), "jaw": ("head", (0.0, -0.02, 0.05)),
    "nose": ("head", (0.0, 0.02, 0.12)), "eye": ("head", (0.03, 0.05, 0.1)),
    "ear": ("head", (0.07, 0.02, 0.0)), "back": ("spine2", (0.0, 0.0, 0.0)),
    "toe": ("foot", (0.0, 0.0, 0.05)), "hand": ("wrist", (0.05, 0.0, 0.0)),
    "collar": ("neck", (0.05, -0.05, 0.0)),
}  # fmt: skip
"""Landmarks that SMPL has no joint for: near which joint, and how far from it."""


def _landmark(joints: np.ndarray, name: str) -> np.ndarray:
    if name in SMPL.index and SMPL.index[name] < POSED_JOINTS:
        return joints[:, SMPL.index[name]]
    side, _, part = (
        name.rpartition("_") if name.split("_")[0] in ("left", "right") else ("", "", name)
    )
    near, (x, y, z) = OTHERS[part if part in OTHERS else part.rstrip("1234")]
    joint = f"{side}_{near}" if f"{side}_{near}" in SMPL.index else near
    return joints[:, SMPL.index[joint]] + np.array([-x if side == "right" else x, y, z])


@pytest.mark.parametrize("names", SETS.values(), ids=SETS)
def test_what_is_said_of_keypoints_is_true_of_the_whole_body(poses, names):
    whole = poses(COUNT, 61)
    points = np.stack([_landmark(whole, name) for name in names], axis=1)
    joints = in_body_frame(joints_from_keypoints(names, points, ankles=False))
    rows = write_captions_with_codes(joints, seed=0, indices=range(COUNT), style="full")
    upright = in_body_frame(whole)
    told = wrong = 0
    for i, (text, codes) in enumerate(rows):
        assert len(codes) >= 5, text
        # the trunk's middle and the head are not exactly where SMPL has them
        exact = [
            s for s in codes if s.second not in ("torso", "head", "neck") and s.first != "body"
        ]
        true = truth(exact, upright[i : i + 1], tolerance=True)
        told, wrong = told + true.size, wrong + int((~true).sum())
    assert told > 400
    assert wrong == 0


def test_a_skeleton_without_toes_speaks_of_its_ankles_as_feet(poses):
    points = np.stack([_landmark(poses(5, 62), name) for name in COCO_17.names], axis=1)
    feet = SMPL.indices("left_foot", "right_foot")
    ankles = SMPL.indices("left_ankle", "right_ankle")
    assert np.isnan(joints_from_keypoints(COCO_17.names, points, ankles=False)[:, feet]).all()
    found = joints_from_keypoints(COCO_17.names, points)
    assert (found[:, feet] == found[:, ankles]).all()


def test_smpl_joints_by_name_are_themselves(poses):
    joints = poses(4, 63)
    names = SMPL.joints[:POSED_JOINTS]
    order = np.random.default_rng(0).permutation(POSED_JOINTS)
    shuffled = joints_from_keypoints([names[i] for i in order], joints[:, order])
    assert shuffled == pytest.approx(joints)


def test_the_body_frame_is_found_from_any_frame_that_knows_up(poses):
    joints = poses(COUNT, 64)
    front = in_body_frame(joints)
    turn = roma.random_rotmat(dtype=torch.float64).numpy()
    moved = joints @ turn.T + [3.0, -1.0, 7.0]
    again = in_body_frame(moved, up=tuple(turn[:, 1]))
    assert again == pytest.approx(front, abs=1e-9)
    assert write_captions(again, seed=0, indices=range(COUNT)) == write_captions(
        front, seed=0, indices=range(COUNT)
    )


def test_yaw_mode_does_as_the_normalised_root_does(posed):
    roots = roma.random_rotmat(COUNT, dtype=torch.float64).numpy()
    upright = posed(left_knee=(1.0, 0.2, 0.0), spine1=(0.3, 0.3, 0.0))
    expected = np.einsum("pab,jb->pja", normalised_root(roots, "yaw"), upright)
    assert in_body_frame(np.einsum("pab,jb->pja", roots, upright)) == pytest.approx(expected)


def test_zero_mode_stands_the_body_upright(posed):
    tilted = posed(pelvis=(1.2, 0.7, 0.4))[None]
    found, straight = in_body_frame(tilted, mode="zero"), in_body_frame(posed()[None], mode="zero")
    assert found == pytest.approx(straight, abs=1e-9)
    trunk = found[0, SMPL.index["neck"]] - found[0, SMPL.index["pelvis"]]
    assert trunk[1] / np.linalg.norm(trunk) > 0.98


def test_people_of_records_become_one_batch(poses):
    joints = poses(3, 66)
    points = np.stack([_landmark(joints, name) for name in COCO_17.names], axis=1)
    visible = np.ones(17)
    visible[COCO_17.names.index("left_wrist")] = 0.0
    points[:, COCO_17.names.index("left_wrist")] = np.nan
    people = [Keypoints(names=COCO_17.names, points=p, visible=visible) for p in points]
    found = body_joints(people)
    assert found.shape == (3, POSED_JOINTS, 3)
    assert np.isnan(found[:, SMPL.index["left_wrist"]]).all()
    Measured(found)
    flat = Keypoints(names=COCO_17.names, points=points[0, :, :2], visible=visible)
    with pytest.raises(PoseError, match="2D"):
        body_joints([flat])
    names, backwards = COCO_17.names[::-1], points[0][::-1]
    other = Keypoints(names=names, points=backwards, visible=visible[::-1])
    with pytest.raises(PoseError, match="different skeletons"):
        body_joints([people[0], other])


def test_a_person_whose_left_is_not_known_is_refused(poses):
    joints = poses(4, 67)
    joints[2, SMPL.indices("left_hip", "right_shoulder")] = np.nan
    assert facing_is_known(joints).tolist() == [True, True, False, True]
    with pytest.raises(PoseError, match="the first is pose 2"):
        in_body_frame(joints)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("LHip", "left_hip"), ("Left Hip", "left_hip"), ("hip_l", "left_hip"),
        ("RKnee", "right_knee"),
        ("left_hip", "left_hip"), ("rightShoulder", "right_shoulder"), ("Pelvis", "pelvis"),
        ("l_wrist", "left_wrist"), ("Nose", "nose"), ("right.ankle", "right_ankle"),
    ],
)  # fmt: skip
def test_names_are_read_however_they_are_written(name, plain):
    assert plain_name(name) == plain


def test_points_that_do_not_fit_their_names_are_refused():
    with pytest.raises(PoseError, match="17 keypoints"):
        joints_from_keypoints(COCO_17.names, np.zeros((2, 16, 3)))
