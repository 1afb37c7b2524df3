"""Named arrays become a Pose: AMASS, SMPL parameters, and our own, whatever file held them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import FileError
from unipose.files.npy import rotations_to_pose

FORMAT = "unipose pose"
"""What our own files say in "format"."""
ARRAYS = (
    "format", "rotations", "betas", "translation", "fps", "body",  # ours
    "poses", "trans", "root_orient", "pose_body",  # AMASS, z up
    "mocap_framerate", "mocap_frame_rate", "surface_model_type",
    "pose", "global_orient", "body_pose", "transl", "frame_rate",  # SMPL parameters
)  # fmt: skip
"""Names that are looked at; everything else in a file is left unread."""
BODIES = (OPEN_BODY, "smpl", "smplh", "smplx")
BODY_OF_WIDTH = {66: "smpl", 72: "smpl", 156: "smplh", 165: "smplx"}
"""Which body a row of AMASS's `poses` belongs to, by its length."""
PELVIS_HEIGHT_M = {"smpl": -0.223, "smplh": -0.223, "smplx": -0.351}
"""Where the mean body of each family has its pelvis in the zero pose: its origin is the chest."""
LARGEST_ANGLE = 1e4
LARGEST_LENGTH_M = 1e5

Arrays = Mapping[str, np.ndarray]


def parameters_to_pose(arrays: Arrays, path: Path) -> Pose:
    """Return the pose that named arrays hold.

    `rotations` are ours (y up). `poses` or `root_orient` + `pose_body` are AMASS's, axis-angle
    with z up, and are turned to y up. `global_orient` + `body_pose` or `pose` are SMPL parameters
    without a convention for the world and are taken as they are; they may be axis-angle or
    matrices. Raises FileError if none is there, or one does not fit.
    """
    if "rotations" in arrays:
        pose = rotations_to_pose(_numbers(arrays, "rotations", path), path, "rotations")
        body = _body(arrays, path, OPEN_BODY)
        pose = _with_known(pose, arrays, path, "translation", body)
    elif "poses" in arrays or "root_orient" in arrays:
        pose = _from_amass(arrays, path)
    elif "global_orient" in arrays or "pose" in arrays:
        pose = _from_smpl(arrays, path)
    else:
        found = ", ".join(sorted(arrays)) or "nothing known"
        raise FileError(
            path,
            f"holds no pose: found {found}.",
            "Expected rotations, poses (AMASS), root_orient and pose_body, "
            "global_orient and body_pose, or pose.",
        )
    return pose


def _from_amass(arrays: Arrays, path: Path) -> Pose:
    if "poses" in arrays:
        rows = _rows(_numbers(arrays, "poses", path))
        width = rows.shape[1]
        if width not in BODY_OF_WIDTH:
            raise FileError(
                path,
                f"poses has rows of {width} numbers; expected "
                f"{', '.join(str(n) for n in BODY_OF_WIDTH)} (axis-angle).",
            )
        body = BODY_OF_WIDTH[width]
    else:
        if "pose_body" not in arrays:
            raise FileError(path, "has root_orient but no pose_body.")
        parts = [_rows(_numbers(arrays, name, path)) for name in ("root_orient", "pose_body")]
        rows = _joined(parts, path, "root_orient and pose_body")
        width, body = rows.shape[1], "smplh"
    body = _body(arrays, path, body, "surface_model_type")
    # SMPL's own two hand joints follow the 22 others; the richer bodies have fingers or a jaw there
    used = 24 if body == "smpl" and width == 72 else POSED_JOINTS
    pose = _from_rows(rows[:, : 3 * used], path, "poses")
    return z_up_to_y_up(_with_known(pose, arrays, path, "trans", body))


def _from_smpl(arrays: Arrays, path: Path) -> Pose:
    if "global_orient" in arrays:
        if "body_pose" not in arrays:
            raise FileError(path, "has global_orient but no body_pose.")
        parts = [_numbers(arrays, name, path) for name in ("global_orient", "body_pose")]
    else:
        parts = [_numbers(arrays, "pose", path)]
    if all(part.shape[-2:] == (3, 3) for part in parts):
        batches = [part.reshape(-1, *_joints_of(part), 3, 3) for part in parts]
        if len({len(batch) for batch in batches}) != 1:
            raise FileError(path, "global_orient and body_pose hold different numbers of poses.")
        pose = rotations_to_pose(np.concatenate(batches, axis=1), path, "the pose")
    else:
        rows = _joined([_rows(part) for part in parts], path, "global_orient and body_pose")
        pose = _from_rows(rows, path, "the pose")
    name = "transl" if "transl" in arrays else "trans"
    return _with_known(pose, arrays, path, name, _body(arrays, path, "smpl"))


def _joints_of(part: np.ndarray) -> tuple[int]:
    """Return how many joints matrices (joint, 3, 3), (batch, joint, 3, 3) or (3, 3) hold."""
    return (part.shape[-3] if part.ndim > 2 else 1,)


def _from_rows(rows: np.ndarray, path: Path, name: str) -> Pose:
    if rows.shape[1] not in (3 * POSED_JOINTS, 3 * len(SMPL.joints)):
        raise FileError(
            path, f"{name} has rows of {rows.shape[1]} numbers; expected 66 or 72 (axis-angle)."
        )
    if not len(rows):
        raise FileError(path, "holds no pose.")
    if not np.all(np.abs(rows) < LARGEST_ANGLE):
        raise FileError(path, f"{name} holds NaN, infinite or absurdly large angles.")
    joints = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float32)).unflatten(1, (-1, 3))
    return Pose.from_axis_angle(joints)


def _rows(array: np.ndarray) -> np.ndarray:
    """Return poses as rows: (66,) and (22, 3) are one, (n, 66) and (n, 22, 3) are n."""
    joints = (POSED_JOINTS - 1, POSED_JOINTS, len(SMPL.joints) - 1, len(SMPL.joints))
    if array.ndim == 1:
        return array[None]
    if array.ndim == 2 and array.shape[1] == 3 and array.shape[0] in joints:
        return array.reshape(1, -1)
    return array.reshape(len(array), -1) if array.size else array.reshape(0, 0)


def _joined(parts: list[np.ndarray], path: Path, names: str) -> np.ndarray:
    if len({len(part) for part in parts}) != 1:
        raise FileError(path, f"{names} hold different numbers of poses.")
    return np.concatenate(parts, axis=1)


def _with_known(pose: Pose, arrays: Arrays, path: Path, translation: str, body: str) -> Pose:
    """Return the pose with what else the arrays say: shape, place, frame rate, whose body."""
    known: dict[str, Tensor | float | str] = {"body": body}
    if "betas" in arrays:
        betas = _numbers(arrays, "betas", path)
        betas = betas[None] if betas.ndim == 1 else betas
        if betas.ndim != 2 or len(betas) not in (1, len(pose)) or not 1 <= betas.shape[1] <= 400:
            raise FileError(path, f"betas has the shape {betas.shape}; expected ({len(pose)}, 10).")
        if not np.all(np.abs(betas) < LARGEST_ANGLE):
            raise FileError(path, "betas holds NaN, infinite or absurdly large numbers.")
        padded = np.zeros((len(pose), 10), dtype=np.float32)
        padded[:, : min(10, betas.shape[1])] = betas[:, :10]
        known["betas"] = torch.from_numpy(padded)
    if translation in arrays:
        place = _numbers(arrays, translation, path)
        place = place[None] if place.ndim == 1 else place
        if place.shape != (len(pose), 3):
            raise FileError(
                path, f"{translation} has the shape {place.shape}; expected ({len(pose)}, 3)."
            )
        if not np.all(np.abs(place) < LARGEST_LENGTH_M):
            raise FileError(path, f"{translation} holds NaN, infinite or absurdly large lengths.")
        known["translation"] = torch.from_numpy(place.astype(np.float32))
    for name in ("fps", "mocap_framerate", "mocap_frame_rate", "frame_rate"):
        if name in arrays:
            rate = _numbers(arrays, name, path)
            if rate.size != 1 or not 1e-3 < float(rate.reshape(-1)[0]) < 1e5:
                raise FileError(path, f"{name} must be one positive number.")
            known["fps"] = float(rate.reshape(-1)[0])
    return replace(pose, **known)  # type: ignore[arg-type]


def _body(arrays: Arrays, path: Path, default: str, name: str = "body") -> str:
    if name not in arrays:
        return default
    value = arrays[name]
    if value.size != 1 or value.dtype.kind not in "US":
        raise FileError(path, f"{name} must be one word.")
    word = value.reshape(-1)[0]
    word = (word.decode("latin-1") if isinstance(word, bytes) else str(word)).lower()
    if word not in BODIES:
        raise FileError(path, f"{name} is {word[:40]!r}; expected {', '.join(BODIES)}.")
    return word


def _numbers(arrays: Arrays, name: str, path: Path) -> np.ndarray:
    array = arrays[name]
    if array.dtype.kind not in "fiu":
        raise FileError(path, f"{name} holds {array.dtype} instead of numbers.")
    return array.astype(np.float64)


def z_up_to_y_up(pose: Pose) -> Pose:
    """Return poses of a world whose z is up, in ours, whose y is up: (x, y, z) -> (x, z, -y).

    The root turns about the pelvis, which does not lie at the body's origin: p is its place in
    the zero pose, and the pelvis at p + t must come to lie at X (p + t) = p + t'.
    """
    turn = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    rotations = pose.rotations.clone()
    rotations[:, 0] = turn @ rotations[:, 0]
    if pose.translation is None:
        return replace(pose, rotations=rotations)
    pelvis = mean_pelvis(pose.body)
    return replace(
        pose, rotations=rotations, translation=(pelvis + pose.translation) @ turn.T - pelvis
    )


def mean_pelvis(body: str) -> Float[Tensor, "3"]:
    """Return about where a licensed family's mean body has its pelvis in the zero pose."""
    return torch.tensor([0.0, PELVIS_HEIGHT_M.get(body, 0.0), 0.0])


def on_body(pose: Pose, body: Body) -> Pose:
    """Return the pose for `body`: the same rotations, its mean shape, the pelvis where it was.

    Shapes belong to one body, so betas of another one are left behind.
    """
    if pose.body == body.id:
        return pose
    translation = pose.translation
    if translation is not None and pose.body in PELVIS_HEIGHT_M:
        moved = mean_pelvis(pose.body) - body.rest_joints[0].cpu()
        translation = translation + moved.to(translation)
    return replace(pose, betas=None, translation=translation, body=body.id)
