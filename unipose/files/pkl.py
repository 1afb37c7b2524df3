"""Results as pickles (.pkl, also joblib's): 4D-Humans, PHALP, WHAM, VIBE, ROMP, AIST++.

PyTorch (.pt of GVHMR) and NumPy (.npy of MDM) pickle their results, too. A pickle is a program. It
is never run: see unipose.body.pickled_arrays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tokenizer.rotations import rotations_from_6d
from unipose.body.joblib_pickles import MARK, read_joblib, unpacked
from unipose.body.pickled_arrays import PickleRefusedError, as_plain, read_pickle
from unipose.body.plain_arrays import array_pickle, unpacked_room
from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files.checkpoints import read_saved_tables
from unipose.files.numbers import read_bytes
from unipose.files.result_tables import one_person
from unipose.files.smpl_parameters import parameters_to_pose

LARGEST_BYTES = 1 << 30
MOST_OPERATIONS = 20_000_000
"""PHALP writes some thousand for each frame."""


def read_pkl(path: str | Path, *, up: str | None = None, person: str | None = None) -> Pose:
    """Read the poses of one person from a pickle of arrays, tables and lists; executes nothing.

    `up` and `person` as in `unipose.files.open_pose`. Raises FileError (MissingFileError) if it
    is damaged or holds no pose; objects that are no data are left alone.
    """
    path = Path(path)
    data = read_bytes(path, largest_bytes=LARGEST_BYTES)
    if data[:2] == b"PK":
        return _pose_of(read_saved_tables(path), path, up, person)
    try:
        room = min(LARGEST_BYTES, unpacked_room(len(data)))
        data = unpacked(data, most_bytes=room)
        if MARK in data:
            content = read_joblib(data, leave_alone=True)
        else:
            content = read_pickle(data, leave_alone=True, most_operations=MOST_OPERATIONS)
        plain = as_plain(content, leave_out=True)
    except PickleRefusedError as error:
        raise FileError(
            path, f"is no pickle that can be read: {error} (nothing in it was executed)."
        ) from error
    return _pose_of(plain, path, up, person)


def read_pickled_npy(path: str | Path, *, up: str | None = None) -> Pose:
    """Read the table that NumPy pickled into an .npy, as MDM writes a sample's SMPL parameters.

    `thetas` (24, 6, frame) are the first two ROWS of each joint's rotation (PyTorch3D's 6D). What
    MDM's `results.npy` holds are places of joints, which are refused. Raises FileError.
    """
    path = Path(path)
    data = read_bytes(path, largest_bytes=LARGEST_BYTES)
    try:
        table = as_plain(read_pickle(array_pickle(data), leave_alone=True), leave_out=True)
    except PickleRefusedError as error:
        raise FileError(
            path, f"holds pickled objects that are no data: {error} (nothing in it was executed)."
        ) from error
    thetas = table.get("thetas") if isinstance(table, dict) else None
    if not isinstance(thetas, np.ndarray) or thetas.shape[:2] != (24, 6) or thetas.ndim != 3:
        known = ", ".join(map(str, table)) if isinstance(table, dict) else type(table).__name__
        raise FileError(
            path,
            f"holds pickled objects without joints' rotations: {known[:80]}.",
            "Of MDM the `*_smpl_params.npy` of a sample is read, not its results.npy.",
        )
    rows = torch.from_numpy(np.moveaxis(thetas, 2, 0).astype(np.float32))
    rotations = rotations_from_6d(rows).mT.numpy()
    return parameters_to_pose({"pose": rotations}, path, up=up, others=table.keys() - {"thetas"})


def _pose_of(content: object, path: Path, up: str | None, person: str | None) -> Pose:
    arrays, others = one_person(content, path, person=person)
    return parameters_to_pose(arrays, path, up=up, person=person, others=others)
