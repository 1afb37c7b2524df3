"""The points that posecodes measure, and the two frames that they are seen in."""

from __future__ import annotations

from typing import Literal

import numpy as np
import roma
import torch
from jaxtyping import Float

from unipose.body.facing import without_yaw
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError

POINTS = (*SMPL.joints[:POSED_JOINTS], "left_hand", "right_hand", "torso", "waist")
"""What can be measured. "torso" is the mean of pelvis, neck and spine3; "waist" is spine1."""

POINT = {name: i for i, name in enumerate(POINTS)}

_FINGER_M = 0.1367
"""From the wrist to the second phalanx of the middle finger where no finger is known."""
_MIDDLE_FINGERS = (26, 41)
"""Second phalanges of the middle fingers in SMPL-H's 52 joints."""


def points(joints: Float[np.ndarray, "pose joint 3"]) -> Float[np.ndarray, "pose 26 3"]:
    """Return the measured points in the order of POINTS, metres.

    `joints`: at least SMPL's first 22; from 52 on they are SMPL-H's and the fingers are used. A
    joint that is NaN is missing, and so is every point that is made of it. Raises PoseError for
    another shape, infinite numbers, or a pose without any joint.
    """
    joints = np.asarray(joints, dtype=np.float64)
    if joints.ndim != 3 or joints.shape[1] < POSED_JOINTS or joints.shape[2] != 3:
        raise PoseError(f"expected joints (pose, 22 or more, 3), got {joints.shape}")
    if not np.isfinite(joints).all():
        joints = _without_missing(joints)
    found = np.empty((len(joints), len(POINTS), 3))
    found[:, :POSED_JOINTS] = joints[:, :POSED_JOINTS]
    for side, finger in zip(("left", "right"), _MIDDLE_FINGERS, strict=True):
        wrist, elbow = joints[:, POINT[f"{side}_wrist"]], joints[:, POINT[f"{side}_elbow"]]
        if joints.shape[1] >= 52:
            tip = joints[:, finger]
        else:
            forearm = wrist - elbow
            length = np.linalg.norm(forearm, axis=-1, keepdims=True)
            tip = wrist + _FINGER_M * forearm / np.maximum(length, 1e-9)
        found[:, POINT[f"{side}_hand"]] = (wrist + tip) / 2
    middle = [POINT["pelvis"], POINT["neck"], POINT["spine3"]]
    found[:, POINT["torso"]] = joints[:, middle].mean(axis=1)
    found[:, POINT["waist"]] = joints[:, POINT["spine1"]]
    return found


def _without_missing(
    joints: Float[np.ndarray, "pose joint 3"],
) -> Float[np.ndarray, "pose joint 3"]:
    """Return the joints with every axis of a missing one NaN."""
    if np.isinf(joints).any():
        raise PoseError("joints hold infinite numbers; a missing joint is NaN")
    missing = np.any(np.isnan(joints), axis=2)
    empty = np.flatnonzero(np.all(missing[:, :POSED_JOINTS], axis=1))
    if len(empty):
        raise PoseError(f"{len(empty)} poses hold nothing but NaN, the first is pose {empty[0]}")
    return np.where(missing[..., None], np.nan, joints)


def normalised_root(
    root: Float[np.ndarray, "pose 3 3"], mode: Literal["zero", "yaw"]
) -> Float[np.ndarray, "pose 3 3"]:
    """Return the root rotations that captions are written in (world y up).

    "zero" turns every body upright and to the front, as UniPose does. "yaw" only turns the body's
    left axis into the plane x-y, so that lying and upside-down poses stay so, as PoseScript does.
    """
    root = np.asarray(root, dtype=np.float64)
    if mode == "zero":
        return np.broadcast_to(np.eye(3), root.shape).copy()
    if mode != "yaw":
        raise PoseError(f"expected mode 'zero' or 'yaw', got {mode!r}")
    return without_yaw(torch.from_numpy(root)).numpy()


def whole_turns(
    roots_a: Float[np.ndarray, "pose 3 3"], roots_b: Float[np.ndarray, "pose 3 3"]
) -> Float[np.ndarray, " pose"]:
    """Return by how many degrees each second body is turned to its left against the first.

    `roots_*`: root rotations in one world (y up). It is the vertical part of the rotation from the
    first to the second, as a rotation vector, between -180 and 180.
    """
    between = np.asarray(roots_b, dtype=np.float64) @ np.asarray(roots_a).swapaxes(-1, -2)
    return np.degrees(roma.rotmat_to_rotvec(torch.from_numpy(between))[:, 1].numpy())
