"""Results as pickles (.pkl, also joblib's): 4D-Humans, PHALP, WHAM, VIBE, ROMP, AIST++.

A pickle is a program. It is never run: see unipose.body.pickled_arrays.
"""

from __future__ import annotations

from pathlib import Path

from unipose.body.joblib_pickles import MARK, read_joblib, unpacked
from unipose.body.pickled_arrays import PickleRefusedError, as_plain, read_pickle
from unipose.body.plain_arrays import unpacked_room
from unipose.body.pose import Pose
from unipose.errors import FileError
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
        raise FileError(
            path,
            "is an archive of torch.save, which is not read.",
            "Save its arrays with numpy.savez.",
        )
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
    arrays, others = one_person(plain, path, person=person)
    return parameters_to_pose(arrays, path, up=up, person=person, others=others)
