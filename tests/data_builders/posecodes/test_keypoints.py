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
)
from unipose.body.keypoint_sets import (
    COCO_17,
    HUMAN36M_17,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    KeypointSet,
    keypoint_set_of,
)
from unipose.body.keypoints import Keypoints
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError
from unipose.posecodes.joints import normalised_root
from unipose.posecodes.measure import Measured
from unipose.posecodes.statements import truth

COUNT = 60
SETS = (HUMAN36M_17, MPI_INF_3DHP_28, MPI_INF_3DHP_17, COCO_17)
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


def _keypoints(joints: np.ndarray, one: KeypointSet) -> Keypoints:
    points = np.stack([_landmark(joints, name) for name in one.names], axis=1)
    return Keypoints.of(one, torch.from_numpy(points))


@pytest.mark.parametrize("one", SETS, ids=lambda one: one.name)
def test_what_is_said_of_keypoints_is_true_of_the_whole_body(poses, one):
    whole = poses(COUNT, 61)
    joints = in_body_frame(joints_from_keypoints(_keypoints(whole, one), ankles=False))
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
    keypoints = _keypoints(poses(5, 62), COCO_17)
    feet = SMPL.indices("left_foot", "right_foot")
    ankles = SMPL.indices("left_ankle", "right_ankle")
    assert np.isnan(joints_from_keypoints(keypoints, ankles=False)[:, feet]).all()
    found = joints_from_keypoints(keypoints)
    assert (found[:, feet] == found[:, ankles]).all()


def test_smpl_joints_by_name_are_themselves(poses):
    joints = poses(4, 63)
    names = SMPL.joints[:POSED_JOINTS]
    order = np.random.default_rng(0).permutation(POSED_JOINTS)
    shuffled_set = keypoint_set_of([names[i] for i in order])
    shuffled = joints_from_keypoints(Keypoints.of(shuffled_set, torch.tensor(joints[:, order])))
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
    people = _keypoints(poses(3, 66), COCO_17).points
    people[:, COCO_17.index["left_wrist"]] = torch.nan
    found = body_joints(Keypoints.of(COCO_17, people))
    assert found.shape == (3, POSED_JOINTS, 3)
    assert np.isnan(found[:, SMPL.index["left_wrist"]]).all()
    Measured(found)
    with pytest.raises(PoseError, match="2D"):
        body_joints(Keypoints.of(COCO_17, people[..., :2]))


def test_what_stands_for_a_joint_differs_from_person_to_person(poses):
    people = _keypoints(poses(2, 68), COCO_17).points
    people[1, COCO_17.index["left_ear"]] = torch.nan
    head = joints_from_keypoints(Keypoints.of(COCO_17, people))[:, SMPL.index["head"]]
    ears, eyes = (COCO_17.indices(f"left_{part}", f"right_{part}") for part in ("ear", "eye"))
    expected = [people[0, ears].mean(0).numpy(), people[1, eyes].mean(0).numpy()]
    assert head == pytest.approx(np.stack(expected))


def test_a_person_whose_left_is_not_known_is_refused(poses):
    joints = poses(4, 67)
    joints[2, SMPL.indices("left_hip", "right_shoulder")] = np.nan
    assert facing_is_known(joints).tolist() == [True, True, False, True]
    with pytest.raises(PoseError, match="the first is pose 2"):
        in_body_frame(joints)
