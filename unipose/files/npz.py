"""NumPy archives: AMASS recordings, SMPL parameters and our own poses."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.npy import read_array
from unipose.files.numbers import open_for_reading
from unipose.files.smpl_parameters import ARRAYS, FORMAT, parameters_to_pose

LARGEST_RATIO = 200
"""Poses shrink at most so much when they are packed; more is a bomb."""
ALWAYS_ALLOWED_BYTES = 1 << 22
MOST_MEMBERS = 1000


def read_npz(path: str | Path) -> Pose:
    """Read an archive of arrays; AMASS's z-up world is turned to y up.

    Raises FileError (MissingFileError) if it is damaged, holds pickled objects, unpacks to far
    more than its size, or holds no pose.
    """
    path = Path(path)
    return parameters_to_pose(read_members(path, ARRAYS), path)


def read_members(path: str | Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return those arrays of an archive whose name is among `names`; errors as `read_npz`."""
    path = Path(path)
    with open_for_reading(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_members(archive, path, names)
        except (
            zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError,
            UnicodeDecodeError, RuntimeError, OSError, OverflowError,
        ) as error:  # fmt: skip
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole .npz archive ({error}).") from error


def _read_members(
    archive: zipfile.ZipFile, path: Path, names: Collection[str]
) -> dict[str, np.ndarray]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise FileError(path, f"holds {len(members)} arrays; expected a few.")
    wanted = {m.filename[:-4]: m for m in members if m.filename.endswith(".npy")}
    wanted = {name: member for name, member in wanted.items() if name in names}
    room = ALWAYS_ALLOWED_BYTES + LARGEST_RATIO * path.stat().st_size
    unpacked = sum(member.file_size for member in wanted.values())
    if unpacked > room:
        raise FileError(
            path, f"would unpack to {unpacked} bytes, too much for its size; it is not read."
        )
    arrays = {}
    for name, member in wanted.items():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileError(path, f"{name!r} is packed in a way NumPy does not use.")
        if member.flag_bits & 0x1:
            raise FileError(path, f"{name!r} is encrypted.")
        with archive.open(member) as content:
            arrays[name] = read_array(content, member.file_size, path, name)  # type: ignore[arg-type]  # a ZipExtFile
    return arrays


def write_npz(pose: Pose, path: str | Path) -> Path:
    """Write rotations (batch, 24, 3, 3) and what else is known of the pose; return the path."""
    path = Path(path)
    arrays: dict[str, np.ndarray] = {
        "format": np.array(FORMAT),
        "rotations": pose.rotations.detach().cpu().numpy(),
        "body": np.array(pose.body),
    }
    for name, value in (("betas", pose.betas), ("translation", pose.translation)):
        if value is not None:
            arrays[name] = value.detach().cpu().numpy()
    if pose.fps is not None:
        arrays["fps"] = np.array(pose.fps)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return path
