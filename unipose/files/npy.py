"""NumPy's array files of rotation matrices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from unipose.body.plain_arrays import read_array
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.numbers import open_for_reading


def read_npy(path: str | Path) -> Pose:
    """Read a .npy of local rotation matrices: 22 or 24 joints, one pose or a batch, y up.

    Raises FileError (MissingFileError) that says what is wrong.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        array = read_array(file, path.stat().st_size, path)
    if array.dtype.kind not in "fiu":
        raise FileError(path, f"holds {array.dtype} instead of numbers.")
    return rotations_to_pose(array, path, "the array")


def rotations_to_pose(array: np.ndarray, path: Path, name: str, **known: object) -> Pose:
    """Return the pose of a (22 or 24, 3, 3) array or of a batch of them; FileError otherwise."""
    if array.ndim == 3:
        array = array[None]
    joints = (POSED_JOINTS, len(SMPL.joints))
    if array.ndim != 4 or array.shape[1] not in joints or array.shape[2:] != (3, 3):
        raise FileError(
            path,
            f"{name} has the shape {array.shape}; expected rotation matrices"
            " (22 or 24, 3, 3) or a batch of them.",
        )
    if not len(array):
        raise FileError(path, "holds no pose.")
    return Pose.from_rotations(torch.from_numpy(array.astype(np.float32)), **known)


def write_npy(pose: Pose, path: str | Path) -> Path:
    """Write the rotations (batch, 24, 3, 3) and nothing else; return the path."""
    path = Path(path)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, pose.rotations.detach().cpu().numpy(), allow_pickle=False)
    return path
