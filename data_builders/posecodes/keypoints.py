"""Plain 3D keypoints of any skeleton become joints that posecodes can measure: no body fit needed.

Landmarks are found by name, so Human3.6M's 17, MPI-INF-3DHP's 28, COCO's 17 or SMPL's 24 all do.
What a skeleton lacks is put together from what it has, or stays missing (NaN) and is not spoken of.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from data_builders.records import Keypoints
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError
from unipose.posecodes.joints import POINT

Joints = Float[np.ndarray, "pose 22 3"]
_SIDES = ("left", "right")

_CENTRAL: dict[str, tuple[tuple[str, ...], ...]] = {
    "pelvis": (("pelvis",), ("root",), ("hips",), ("mid_hip",), ("hip",),
               ("left_hip", "right_hip")),
    "neck": (("thorax",), ("neck",), ("neck_base",), ("left_shoulder", "right_shoulder")),
    "head": (
        ("head",), ("left_ear", "right_ear"), ("jaw", "head_top"), ("neck", "head_top"),
        ("left_eye", "right_eye"), ("nose",), ("head_top",),
    ),
    "spine1": (("spine1",), ("spine_1",)),
    "spine2": (("spine2",), ("spine_2",), ("spine",), ("back",), ("belly",)),
    "spine3": (("spine3",), ("spine_3",), ("chest",)),
}  # fmt: skip
"""Joint -> ways to make it, best first; several names are averaged."""
_SIDED: dict[str, tuple[tuple[str, ...], ...]] = {
    "hip": (("hip",), ("upleg",), ("thigh",)),
    "knee": (("knee",), ("leg",), ("calf",)),
    "ankle": (("ankle",), ("heel",)),
    "foot": (("foot",), ("toe_base",), ("toe",), ("toes",), ("big_toe", "small_toe"), ("big_toe",)),
    "collar": (("collar",), ("clavicle",)),
    "shoulder": (("shoulder",), ("arm",), ("upperarm",)),
    "elbow": (("elbow",), ("forearm",)),
    "wrist": (("wrist",),),
}
_SPINE3 = 0.7
"""Where spine3 lies on the way from pelvis to neck."""


def plain_name(name: str) -> str:
    """Return a landmark's name as we write it.

    plain_name("LHip") == plain_name("Left Hip") == plain_name("hip_l") == "left_hip"
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=^[LR])(?=[A-Z])|[\s\-./]+", "_", name).lower()
    words = re.sub(r"^(l|r)_", lambda m: {"l": "left_", "r": "right_"}[m[1]], words)
    words = re.sub(r"^(.+)_(l|r|left|right)$", lambda m: f"{m[2]}_{m[1]}", words)
    return re.sub(r"^(l|r)_", lambda m: {"l": "left_", "r": "right_"}[m[1]], words)


def joints_from_keypoints(
    names: Sequence[str], points: Float[np.ndarray, "pose keypoint 3"], *, ankles: bool = True
) -> Joints:
    """Return SMPL's first 22 joints as far as the named keypoints give them, NaN elsewhere.

    `points`: metres in any frame; NaN where not known. A skeleton without toes has its ankles
    spoken of as feet, unless `ankles` is False: then nothing is said of its feet.
    """
    points = np.asarray(points, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (len(names), 3):
        raise PoseError(f"expected points (pose, {len(names)} keypoints, 3), got {points.shape}")
    column = {plain_name(name): i for i, name in reversed(list(enumerate(names)))}
    found = np.full((len(points), POSED_JOINTS, 3), np.nan)
    ways = dict(_CENTRAL)
    for side in _SIDES:
        for joint, options in _SIDED.items():
            ways[f"{side}_{joint}"] = tuple(tuple(f"{side}_{n}" for n in row) for row in options)
    for joint, options in ways.items():
        at = SMPL.index[joint]
        for row in options:
            if all(name in column for name in row):
                made = points[:, [column[name] for name in row]].mean(axis=1)
                found[:, at] = np.where(np.isnan(found[:, at]), made, found[:, at])
    pelvis, neck = found[:, SMPL.index["pelvis"]], found[:, SMPL.index["neck"]]
    _fill(found, "spine3", pelvis + _SPINE3 * (neck - pelvis))
    for side in _SIDES if ankles else ():
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
    people: Sequence[Keypoints],
    *,
    mode: Literal["zero", "yaw"] = "yaw",
    up: tuple[float, float, float] = (0.0, 1.0, 0.0),
) -> Joints:
    """Return the joints of people whose 3D keypoints have the same names, in the body's frame.

    A keypoint that is not labelled is missing. Raises PoseError for 2D keypoints, people of
    different skeletons, and as `in_body_frame`.
    """
    if not people:
        return np.empty((0, POSED_JOINTS, 3))
    names = people[0].names
    if any(person.names != names for person in people):
        raise PoseError("people of different skeletons cannot be one batch")
    if any(person.points.shape[1] != 3 for person in people):
        raise PoseError("expected 3D keypoints, got 2D ones")
    rows = [np.where(p.visible[:, None] > 0, p.points, np.nan) for p in people]
    return in_body_frame(joints_from_keypoints(names, np.stack(rows)), mode=mode, up=up)


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
