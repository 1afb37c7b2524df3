"""Files of data sets, read without running or believing anything in them.

JSON, NumPy archives, pickles and MATLAB 7.3's .mat files (older ones: mat_files.py). Whatever is
wrong with a file, the error names it; nothing in a pickle is executed
(unipose.body.pickled_arrays).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from unipose.body.pickled_arrays import PickleRefusedError, as_plain, read_pickle
from unipose.body.plain_arrays import read_members
from unipose.errors import ConfigError, FileError, UnusableRecordError
from unipose.files.json_table import read_json_value
from unipose.files.numbers import open_for_reading, read_bytes

LARGEST_BYTES = 4_000_000_000
"""Of one annotation file."""
LARGEST_NUMBER = 1e7
"""Pixels, millimetres and radians of people stay far below."""


def read_json(path: Path) -> Any:
    """Return what a JSON file holds. Raises FileError (MissingFileError)."""
    return read_json_value(path, largest_bytes=LARGEST_BYTES)


def read_json_table(path: Path) -> dict[str, Any]:
    """Return a JSON file that holds one object."""
    content = read_json(path)
    if not isinstance(content, dict):
        raise FileError(path, f"holds a {type(content).__name__} where an object was expected")
    return content


def read_pickled(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return some entries of a pickled dictionary as plain data; what is missing is left out.

    Raises FileError: damaged, no dictionary, or something in it that is not plain data. Nothing
    is executed.
    """
    try:
        content = read_pickle(read_bytes(path, largest_bytes=LARGEST_BYTES))
        if not isinstance(content, dict):
            raise PickleRefusedError(f"it holds one {type(content).__name__} and no named entries")
        return {name: as_plain(content[name]) for name in names if name in content}
    except PickleRefusedError as error:
        raise FileError(path, f"is not read: {error} (nothing in it was executed)") from error


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return some arrays of an .npz as plain data; pickled ones through the restricted reader.

    Raises FileError: damaged, far larger than it says, or holding something that is not data.
    """
    with open_for_reading(path) as file:
        return read_members(
            file, path, names, unpickle=lambda data: as_plain(read_pickle(data))
        )  # fmt: skip


def read_hdf5(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return arrays of a .mat file of MATLAB's version 7.3, axes in the file's order (reversed).

    Raises ConfigError if h5py is not installed, FileError if the file is damaged or lacks one.
    """
    try:
        import h5py  # type: ignore[import-not-found]  # an extra
    except ImportError as error:
        raise ConfigError(
            f"{path} is a .mat file of version 7.3, which h5py reads; "
            "install it: pip install 'unipose[mat73]'"
        ) from error
    open_for_reading(path).close()
    try:
        with h5py.File(path, "r") as file:
            return {name: np.asarray(file[name]) for name in names}
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        raise FileError(path, f"is no whole .mat file with {', '.join(names)} ({error})") from error


def inside(folder: Path, name: object) -> Path:
    """Return the path of a file that an annotation names; UnusableRecordError if it leads out."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise UnusableRecordError(f"expected the name of a file, got {str(name)[:80]!r}")
    path = Path(name)
    if path.is_absolute() or ".." in path.parts:
        raise UnusableRecordError(f"the file {name[:80]!r} leads out of its folder")
    return folder / path


def field_of(entry: Any, name: str) -> Any:
    """Return an entry of an annotation; UnusableRecordError if it is not there."""
    if not isinstance(entry, Mapping):
        raise UnusableRecordError(f"expected an object with {name!r}, got {type(entry).__name__}")
    if name not in entry:
        raise UnusableRecordError(f"has no {name!r}")
    return entry[name]


def integer(entry: Any, name: str) -> int:
    """Return an entry of an annotation that is a whole number; UnusableRecordError otherwise."""
    return int(numbers(field_of(entry, name), (), name))


def by_id(entries: Any, name: str = "id") -> dict[int | str, Mapping[str, Any]]:
    """Return the objects of a list by their numbers; what has none cannot be asked for."""
    found = {}
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get(name), (int, str)):
            found[entry[name]] = entry
    return found


def referred(entry: Any, name: str, table: dict[int | str, Any]) -> Any:
    """Return what an annotation points to by number; UnusableRecordError if that is not there."""
    number = field_of(entry, name)
    if not isinstance(number, (int, str)) or number not in table:
        raise UnusableRecordError(f"{name} {str(number)[:40]} is not in the file")
    return table[number]


def numbers(
    value: object, shape: tuple[int, ...], name: str, *, missing: bool = False
) -> Float[np.ndarray, "..."]:
    """Return numbers of this shape (-1: any length), or UnusableRecordError that names them.

    NaN is refused unless `missing` says that it stands for what was not measured.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise UnusableRecordError(f"{name} holds something that is no number") from error
    fits = array.ndim == len(shape) and all(
        n in (-1, m) for n, m in zip(shape, array.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if n < 0 else str(n) for n in shape)
        raise UnusableRecordError(f"{name} has the shape {array.shape}, expected ({wanted})")
    if np.isnan(array).any() and not missing:
        raise UnusableRecordError(f"{name} holds NaN")
    if not (np.abs(array[~np.isnan(array)]) < LARGEST_NUMBER).all():
        raise UnusableRecordError(f"{name} holds infinite or absurdly large numbers")
    return array


def flat_numbers(value: object, count: int, name: str) -> Float[np.ndarray, " count"]:
    """Return so many numbers however they are nested: (72,), (1, 72) and (24, 3) are the same."""
    try:
        flat = np.ravel(value)  # type: ignore[arg-type]  # whatever it is, numbers() judges it
    except ValueError as error:
        raise UnusableRecordError(f"{name} holds lists of different lengths") from error
    return numbers(flat, (count,), name)
