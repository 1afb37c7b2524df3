"""Plain 3D keypoints of any skeleton become joints that posecodes can measure: no body fit needed.

Keypoints are found by name, so Human3.6M's 17, MPI-INF-3DHP's 28, COCO's 17 or SMPL's 24 all do.
What a set lacks is put together from what it has, or stays missing (NaN) and is not spoken of.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from unipose.body.keypoint_sets import MIDPOINTS, SMPL_22, Ways
from unipose.body.keypoints import Keypoints
from unipose.body.skeletons import SMPL
from unipose.errors import PoseError
from unipose.posecodes.joints import POINT

Joints = Float[np.ndarray, "pose 22 3"]
WAYS: Ways = {
    **MIDPOINTS,
    "head": (
        ("left_ear", "right_ear"), ("jaw", "head_top"), ("neck", "head_top"),
        ("left_eye", "right_eye"), ("nose",), ("head_top",),
    ),
    "spine2": (("back",),),
    "left_ankle": (("left_heel",),),
    "right_ankle": (("right_heel",),),
    "left_foot": (("left_toe",), ("left_big_toe", "left_small_toe"), ("left_big_toe",)),
    "right_foot": (("right_toe",), ("right_big_toe", "right_small_toe"), ("right_big_toe",)),
}  # fmt: skip
"""What stands for a joint when it is spoken of: near enough for words."""
_SPINE3 = 0.7
"""Where spine3 lies on the way from pelvis to neck."""


def joints_from_keypoints(keypoints: Keypoints, *, ankles: bool = True) -> Joints:
    """Return SMPL's first 22 joints as far as 3D keypoints (any frame) give them, NaN elsewhere.

    A skeleton without toes has its ankles spoken of as feet, unless `ankles` is False: then nothing
    is said of its feet. Raises PoseError for 2D keypoints.
    """
    if keypoints.points.shape[2] != 3:
        raise PoseError("expected 3D keypoints, got 2D ones")
    found = keypoints.mapped_to(SMPL_22, ways=WAYS).points_or_nan.double().numpy()
    pelvis, neck = found[:, SMPL.index["pelvis"]], found[:, SMPL.index["neck"]]
    _fill(found, "spine3", pelvis + _SPINE3 * (neck - pelvis))
    for side in ("left", "right") if ankles else ():
        _fill(found, f"{side}_foot", found[:, SMPL.index[f"{side}_ankle"]])
    return found


def _fill(joints: Joints, name: str, places: Float[np.ndarray, "pose 3"]) -> None:
    at = SMPL.index[name]
    joints[:, at] = np.where(np.isnan(joints[:, at]), places, joints[:, at])


def facing_is_known(joints: Joints) -> Bool[np.ndarray, " pose"]:
    """Return for which poses both hips or both shoulders are there, so that left is known."""
    return np.all(np.isfinite(_left(joints)), axis=1)


def in_body_frame(
    joints: Joints,
    *,
    mode: Literal["zero", "yaw"] = "yaw",
    up: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> Joints:
    """Return joints in the frame of captions: x left, y up, z front, the pelvis at the origin.

    `up` points up in the frame that the joints come in: (0, -1, 0) in a camera's. "yaw" turns the
    body to the front about the vertical and keeps how it leans or lies; "zero" stands its pelvis
    upright (`normalised_root`). Where the trunk is not known "zero" can only do as "yaw" does.
    Raises PoseError if left and right of a pose cannot be told apart; see `facing_is_known`.
    """
    if mode not in ("zero", "yaw"):
        raise PoseError(f"expected mode 'zero' or 'yaw', got {mode!r}")
    unknown = np.flatnonzero(~facing_is_known(joints))
    if len(unknown):
        raise PoseError(
            f"{len(unknown)} poses have neither both hips nor both shoulders, so left and right "
            f"cannot be told apart; the first is pose {unknown[0]}"
        )
    pelvis = np.nan_to_num(joints[:, :1])
    vertical = np.broadcast_to(_unit(np.asarray(up, dtype=np.float64)), (len(joints), 3))
    left, trunk = _unit(_left(joints)), vertical
    if mode == "zero":
        trunk = _trunk(joints)
        trunk = _unit(np.where(np.isnan(trunk), vertical, trunk))
    # y is kept, x is made level: that is yaw for the world's vertical, and all of it for the trunk
    level = left - (left * trunk).sum(axis=1, keepdims=True) * trunk
    x = _unit(level)
    frame = np.stack([x, trunk, np.cross(x, trunk)], axis=1)  # (pose, axis, 3)
    return np.einsum("pac,pjc->pja", frame, joints - pelvis)


def body_joints(
    keypoints: Keypoints,
    *,
    mode: Literal["zero", "yaw"] = "yaw",
    up: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> Joints:
    """Return the joints of people of whom 3D keypoints are known, in the body's frame.

    Raises PoseError as `joints_from_keypoints` and `in_body_frame`.
    """
    return in_body_frame(joints_from_keypoints(keypoints), mode=mode, up=up)


def _left(joints: Joints) -> Float[np.ndarray, "pose 3"]:
    hips, shoulders = (
        joints[:, POINT[f"left_{part}"]] - joints[:, POINT[f"right_{part}"]]
        for part in ("hip", "shoulder")
    )
    return np.where(np.isnan(hips), shoulders, hips)


def _trunk(joints: Joints) -> Float[np.ndarray, "pose 3"]:
    """Return the way from between the hips to the nearest known point of the spine above."""
    hips = (joints[:, POINT["left_hip"]] + joints[:, POINT["right_hip"]]) / 2
    found = np.full_like(hips, np.nan)
    for name in ("spine1", "spine2", "spine3", "neck"):
        way = joints[:, POINT[name]] - hips
        found = np.where(np.isnan(found), way, found)
    return found


def _unit(rows: Float[np.ndarray, "*any 3"]) -> Float[np.ndarray, "*any 3"]:
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-9)
