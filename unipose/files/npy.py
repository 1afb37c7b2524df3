"""NumPy's array files, read by hand: nothing in them is ever executed or unpickled.

Reads what .npy files and the members of .npz archives hold, checking each claim of the header
against the number of bytes that really follow before memory is taken for them.
"""

from __future__ import annotations

import math
import re
import struct
from io import BufferedIOBase
from pathlib import Path

import numpy as np
import torch

from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.numbers import open_for_reading

MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{\s*'descr':\s*'(?P<dtype>[<>|=]?[biufUS]\d+)',\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>[\dL,\s]*)\),?\s*\}\s*"
)
"""Python 2 wrote the lengths of axes as 30L."""
LONGEST_HEADER = 4096


class PickledArrayError(FileError):
    """An array holds Python objects; nothing of them was read."""


def read_array(file: BufferedIOBase, size: int, path: Path, name: str = "") -> np.ndarray:
    """Read one array out of `size` bytes of `file`.

    Raises FileError if they are no array, hold Python objects, or are more or fewer than the
    header claims.
    """
    where = f"{name!r} " if name else ""
    start = file.read(10)
    if start[:6] != MAGIC or len(start) < 10:
        raise FileError(path, f"{where}is no NumPy array.")
    if start[6] == 1:
        (length,) = struct.unpack("<H", start[8:10])
        before = 10
    else:
        more = file.read(2)
        length = struct.unpack("<I", start[8:10] + more)[0] if len(more) == 2 else -1
        before = 12
    if not 0 < length <= LONGEST_HEADER:
        raise FileError(path, f"{where}has a header of {length} bytes, which no array needs.")
    header = file.read(length).decode("latin-1")
    match = _HEADER.fullmatch(header)
    if match is None:
        if "'descr': '|O'" in header or "'O'" in header:
            raise PickledArrayError(
                path,
                f"{where}holds pickled Python objects, which can run code; they are not read.",
                "Save plain arrays of numbers.",
            )
        raise FileError(path, f"{where}has a header that is not understood: {header[:60]!r}.")
    dtype = np.dtype(match["dtype"])
    words = match["shape"].replace(" ", "").split(",")
    if not all(re.fullmatch(r"(\d+L?)?", word) for word in words):
        raise FileError(path, f"{where}has a header that is not understood: {header[:60]!r}.")
    shape = tuple(int(word.rstrip("L")) for word in words if word)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed != size - before - length or len(shape) > 8:
        raise FileError(
            path,
            f"{where}claims {claimed} bytes {shape}, but {size - before - length} follow.",
            "The file is cut off or damaged.",
        )
    content = file.read(claimed)
    if len(content) != claimed:
        raise FileError(path, f"{where}is cut off.")
    order = "F" if match["fortran"] == "True" else "C"
    return np.frombuffer(content, dtype=dtype).reshape(shape, order=order)


def pickled_content(data: bytes, path: Path, name: str) -> bytes:
    """Return the pickle behind the header of an array of objects; FileError if it is none."""
    long = data[6:7] != b"\x01"
    start = (12 if long else 10) + int.from_bytes(data[8 : 12 if long else 10], "little")
    if data[:6] != MAGIC or b"O'" not in data[:start]:
        raise FileError(path, f"{name!r} holds no pose.")
    return data[start:]


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
