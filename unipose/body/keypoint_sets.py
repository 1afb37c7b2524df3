"""The landmarks of public data sets by name, in the order of each set's files.

A name that is also one of SMPL's means that joint, or the landmark nearest to it; landmarks that
SMPL has no joint for keep a name of their own (`nose`, `head_top`, `back1` ...).
"""

from __future__ import annotations

from unipose.body.skeletons import SMPL
from unipose.body.whole_body import COCO_NAMES, WHOLE_BODY_NAMES

COCO_17 = COCO_NAMES
COCO_WHOLEBODY_133 = WHOLE_BODY_NAMES
"""Jin et al. 2020: body 0-16, feet 17-22, face 23-90, left hand 91-111, right hand 112-132."""

OPENPOSE_18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow",
    "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
"""What 3DPW calls `poses2d`."""

MPII_16 = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis",
    "neck", "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder",
    "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
"""MPII calls the seventh `thorax`: it lies where SMPL has the neck's base."""

HUMAN36M_17 = (
    "pelvis", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "back", "neck", "jaw", "head_top", "left_shoulder", "left_elbow", "left_wrist",
    "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
"""Also called root, RFoot, spine, thorax, neck/nose and head in places."""

HUMAN36M_17_OF_32 = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
"""Where the 17 lie among the 32 of the recordings."""

MPI_INF_3DHP_28 = (
    "back3", "back4", "back2", "back1", "pelvis", "neck", "head", "head_top", "left_collar",
    "left_shoulder", "left_elbow", "left_wrist", "left_hand", "right_collar", "right_shoulder",
    "right_elbow", "right_wrist", "right_hand", "left_hip", "left_knee", "left_ankle", "left_foot",
    "left_toe", "right_hip", "right_knee", "right_ankle", "right_foot", "right_toe",
)  # fmt: skip
"""The training set's; its spine, spine2, spine3 and spine4 are not SMPL's, so they are back1-4."""

MPI_INF_3DHP_17 = (
    "head_top", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder",
    "left_elbow", "left_wrist", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee",
    "left_ankle", "pelvis", "back1", "head",
)  # fmt: skip
"""The test set's."""

SMPL_24 = SMPL.joints
SMPL_22 = SMPL.joints[:22]
"""The joints that SMPL, SMPL-H and SMPL-X share."""
