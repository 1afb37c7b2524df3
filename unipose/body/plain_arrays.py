"""NumPy's arrays and archives of them, read by hand: nothing in them is ever executed.

Reads what .npy files and the members of .npz archives hold, checking each claim of the header
against the number of bytes that really follow before memory is taken for them.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from io import BufferedIOBase, BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from unipose.body.pickled_arrays import PickleRefusedError
from unipose.errors import FileError

MAGIC = b"\x93NUMPY"
_HEADER = re.compile(
    r"\{\s*'descr':\s*'(?P<dtype>[<>|=]?[biufUS]\d+)',\s*'fortran_order':\s*(?P<fortran>True|False),"
    r"\s*'shape':\s*\((?P<shape>[\dL,\s]*)\),?\s*\}\s*"
)
"""Python 2 wrote the lengths of axes as 30L."""
LONGEST_HEADER = 4096


MOST_MEMBERS = 1000
LARGEST_RATIO = 200
"""Poses shrink at most so much when they are packed; more is a bomb."""
ALWAYS_ALLOWED_BYTES = 1 << 22


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


def unpacked_room(packed_bytes: int) -> int:
    """Return how many bytes so many packed ones may hold; a bomb holds more."""
    return ALWAYS_ALLOWED_BYTES + LARGEST_RATIO * packed_bytes


def member_names(file: BufferedReader, path: Path) -> list[str]:
    """Return the names of the arrays of an .npz archive, in its order; errors as `read_members`."""
    with _opened(file, path) as archive:
        return list(_members(archive, path))


def read_members(
    file: BufferedReader,
    path: Path,
    names: Collection[str],
    *,
    unpickle: Callable[[bytes], Any] | None = None,
) -> dict[str, Any]:
    """Return those arrays of an .npz archive whose name is among `names`.

    Arrays of Python objects are left out, or are what `unpickle` makes of their pickle, which may
    raise PickleRefusedError. Raises FileError if the archive is damaged, unpacks to far more than
    its size, or a pickle is refused.
    """
    with _opened(file, path) as archive:
        members = _members(archive, path)
        wanted = {name: members[name] for name in members if name in names}
        _check_sizes(wanted, path)
        arrays = {}
        for name, member in wanted.items():
            try:
                with archive.open(member) as content:
                    arrays[name] = read_array(content, member.file_size, path, name)  # type: ignore[arg-type]  # a ZipExtFile
            except PickledArrayError:
                if unpickle is not None:
                    arrays[name] = _unpickled(archive.read(member), path, name, unpickle)
        return arrays


def array_pickle(data: bytes) -> bytes:
    """Return the pickle behind the header of an array of objects."""
    wide = data[6:7] != b"\x01"
    start = (12 if wide else 10) + int.from_bytes(data[8 : 12 if wide else 10], "little")
    return data[start:]


def _unpickled(data: bytes, path: Path, name: str, unpickle: Callable[[bytes], Any]) -> Any:
    """Return what `unpickle` makes of the pickle behind the header of an array of objects."""
    try:
        return unpickle(array_pickle(data))
    except PickleRefusedError as error:
        raise FileError(
            path, f"{name!r} is not read: {error} (nothing in it was executed)."
        ) from error


@contextmanager
def _opened(file: BufferedReader, path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; damage found while it is read is a FileError."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (
        zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError,
        UnicodeDecodeError, RuntimeError, OSError, OverflowError,
    ) as error:  # fmt: skip
        if isinstance(error, FileError):
            raise
        raise FileError(path, f"is no whole .npz archive ({error}).") from error


def _members(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise FileError(path, f"holds {len(members)} arrays; expected a few.")
    return {m.filename[:-4]: m for m in members if m.filename.endswith(".npy")}


def _check_sizes(wanted: dict[str, zipfile.ZipInfo], path: Path) -> None:
    unpacked = sum(member.file_size for member in wanted.values())
    if unpacked > unpacked_room(path.stat().st_size):
        raise FileError(
            path, f"would unpack to {unpacked} bytes, too much for its size; it is not read."
        )
    for name, member in wanted.items():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileError(path, f"{name!r} is packed in a way NumPy does not use.")
        if member.flag_bits & 0x1:
            raise FileError(path, f"{name!r} is encrypted.")
