"""Pickles that joblib wrote: the bytes of each array follow, raw, behind the record of it.

As in unipose.body.pickled_arrays, nothing is looked up and nothing is executed.
"""

from __future__ import annotations

import bz2
import io
import lzma
import math
import pickle
import zlib
from typing import Any, ClassVar

import numpy as np

from unipose.body.pickled_arrays import (
    DAMAGE,
    MAX_ELEMENTS,
    PickledObject,
    PickleRefusedError,
    array_from_parts,
    record_type,
)

MARK = b"joblib.numpy_pickle"
"""What an unpacked file of joblib names; it is read by `read_joblib`, others by `read_pickle`."""
_WRAPPER = "joblib NumpyArrayWrapper"
_KINDS_OF_NUMBERS = "biufSU"


def unpacked(data: bytes, *, most_bytes: int) -> bytes:
    """Return what zlib, gzip, bz2, lzma or xz packed (data that is not packed stays as it is).

    Raises PickleRefusedError if it would be more than `most_bytes`, or is damaged.
    """
    try:
        if data[:2] == b"\x1f\x8b" or (data[:1] == b"\x78" and not int.from_bytes(data[:2]) % 31):
            content = zlib.decompressobj(wbits=47).decompress(data, most_bytes + 1)
        elif data[:3] == b"BZh":
            content = bz2.BZ2Decompressor().decompress(data, most_bytes + 1)
        elif data[:6] == b"\xfd7zXZ\x00" or data[:2] == b"\x5d\x00":
            content = lzma.LZMADecompressor().decompress(data, most_bytes + 1)
        else:
            return data
    except (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError) as error:
        raise PickleRefusedError(f"it cannot be unpacked ({error})") from error
    if len(content) > most_bytes:
        raise PickleRefusedError(f"it would unpack to more than {most_bytes:,} bytes")
    return content


def read_joblib(data: bytes, *, leave_alone: bool = False) -> object:
    """Return what joblib wrote, as `unipose.body.pickled_arrays.read_pickle` does."""
    try:
        return _JoblibUnpickler(io.BytesIO(data), leave_alone=leave_alone).load()
    except PickleRefusedError:
        raise
    except DAMAGE as error:
        raise PickleRefusedError(f"it is cut short or damaged ({error})") from error


class _JoblibUnpickler(pickle._Unpickler):  # type: ignore[name-defined]  # the one in Python
    """An unpickler that knows records only, and reads the raw bytes behind joblib's."""

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)  # type: ignore[attr-defined]

    def __init__(self, file: io.BytesIO, *, leave_alone: bool) -> None:
        super().__init__(file, encoding="latin1")
        self.file, self.leave_alone = file, leave_alone

    def find_class(self, module: str, name: str) -> type[PickledObject]:
        return record_type(module, name, leave_alone=self.leave_alone or module == MARK.decode())

    def persistent_load(self, pid: object) -> object:
        raise PickleRefusedError(f"it refers to an object outside the file ({pid!r})")

    def load_build(self) -> None:
        super().load_build()  # type: ignore[misc]
        stack: list[Any] = self.stack  # type: ignore[attr-defined]
        wrapper = stack[-1]
        if isinstance(wrapper, PickledObject) and wrapper.kind == _WRAPPER:
            stack[-1] = self._array(wrapper.state)

    dispatch[pickle.BUILD[0]] = load_build

    def _array(self, state: Any) -> object:
        if not isinstance(state, dict):
            raise PickleRefusedError("an array without a description")
        number, shape = state.get("dtype"), state.get("shape")
        code = str(number.args[0]) if isinstance(number, PickledObject) and number.args else ""
        if code[:1] == "O":
            return _JoblibUnpickler(self.file, leave_alone=self.leave_alone).load()
        if code[:1] not in _KINDS_OF_NUMBERS or not isinstance(shape, tuple):
            raise PickleRefusedError(f"an array of {code!r} where numbers were expected")
        if state.get("numpy_array_alignment_bytes") is not None:
            self.file.read(self.file.read(1)[0])
        count = math.prod(shape) * np.dtype(code).itemsize
        if not 0 <= count <= 8 * MAX_ELEMENTS:
            raise PickleRefusedError(f"an array of shape {shape}")
        data = self.file.read(count)
        text = code[:1] in ("U", "S")
        fortran = state.get("order") == "F"
        return array_from_parts(shape, number, fortran, data, depth=0, text=text)
