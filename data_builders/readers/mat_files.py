"""MATLAB's .mat files (version 5 to 7), read by hand: scipy's reader crashes on damaged ones.

Every length that the file claims is checked against the bytes that follow. The format is in
MathWorks' "MAT-File Format", chapter 1.
"""

from __future__ import annotations

import math
import struct
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from unipose.body.plain_arrays import unpacked_room
from unipose.errors import FileError
from unipose.files.numbers import open_for_reading

HEADER_BYTES = 128
MAX_DEPTH = 20
_COMPRESSED, _MATRIX = 15, 14
_CELL, _STRUCT, _CHAR = 1, 2, 4
_TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
    16: "u1", 17: "u2", 18: "u4",
}  # fmt: skip
"""Kinds of numbers in the file; the last three are text."""
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
_TEXT = {16: "utf-8", 17: "utf-16", 18: "utf-32"}


class _DamagedError(ValueError):
    """What a file claims is not what it holds."""


def read_mat(path: Path, name: str) -> Any:
    """Return one variable of a .mat file: arrays without axes of length 1, text, lists of cells.

    A struct is an object with its fields as attributes; several of them, and cells, are arrays of
    objects. Raises FileError: damaged, of version 7.3, or without such a variable.
    """
    with open_for_reading(path) as file:
        data = file.read()
    if data[:10] == b"MATLAB 7.3":
        raise FileError(path, "is a .mat file of version 7.3")
    marks = {b"IM": "<", b"MI": ">"}
    if len(data) < HEADER_BYTES or data[126:128] not in marks:
        raise FileError(path, "is no .mat file")
    reader = _Reader(marks[data[126:128]], unpacked_room(len(data)))
    try:
        at = HEADER_BYTES
        while at < len(data):
            kind, content, at = reader.element(data, at)
            if kind == _COMPRESSED:
                kind, content, _ = reader.element(reader.unpacked(content), 0)
            if kind == _MATRIX and reader.name_of(content) == name:
                return reader.matrix(content, 0)
    except (ValueError, struct.error, zlib.error, OverflowError, MemoryError) as error:
        raise FileError(path, f"is no whole .mat file ({error})") from error
    raise FileError(path, f"holds no {name!r}")


class _Reader:
    """Elements of a file of one byte order, which may unpack to at most `room` bytes."""

    def __init__(self, order: str, room: int) -> None:
        self.order, self.room = order, room
        self.tag = struct.Struct(f"{order}II")

    def unpacked(self, data: bytes) -> bytes:
        """Return a compressed element."""
        content = zlib.decompressobj().decompress(data, self.room)
        self.room -= len(content)
        if self.room <= 0:
            raise _DamagedError("it unpacks to far more than its size")
        return content

    def element(self, data: bytes, at: int) -> tuple[int, bytes, int]:
        """Return kind and content of the element at `at`, and where the next one begins."""
        kind, size = self.tag.unpack_from(data, at)
        if kind >> 16:  # a small one: up to four bytes, in the tag itself
            kind, size, start, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        else:
            start = at + 8
            end = start + size + (-size % 8 if kind != _COMPRESSED else 0)
        if start + size > len(data) or (start == at + 4 and size > 4):
            raise _DamagedError(f"an element of {size} bytes is cut off")
        return kind, data[start : start + size], end

    def name_of(self, content: bytes) -> str:
        """Return the name of a variable."""
        at = 0
        for _ in range(2):  # flags, dimensions
            _, _, at = self.element(content, at)
        return self.element(content, at)[1].decode("latin-1")

    def matrix(self, content: bytes, depth: int) -> Any:
        """Return what a matrix element holds."""
        if depth > MAX_DEPTH:
            raise _DamagedError("it is nested too deeply")
        if not content:
            return np.zeros(0)
        _, flags, at = self.element(content, 0)
        _, sizes, at = self.element(content, at)
        _, _, at = self.element(content, at)
        if len(flags) < 4 or not sizes:
            raise _DamagedError("an array without flags or shape")
        kind = struct.unpack_from(f"{self.order}I", flags)[0] & 0xFF
        shape = tuple(np.frombuffer(sizes, f"{self.order}i4").tolist())
        holds_others = kind in (_CELL, _STRUCT)
        if min(shape) < 0 or (holds_others and math.prod(shape) > len(content)):
            raise _DamagedError(f"an array of shape {shape} in {len(content)} bytes")
        if kind == _CELL:
            return self._cells(content, at, shape, depth)
        if kind == _STRUCT:
            return self._structs(content, at, shape, depth)
        if kind == _CHAR:
            stored, text, _ = self.element(content, at)
            order = "-le" if self.order == "<" else "-be"
            coding = _TEXT.get(stored, "utf-16" if stored == 4 else "latin-1")
            return text.decode(coding + (order if coding in ("utf-16", "utf-32") else ""))
        if kind in _CLASSES:
            return self._numbers(content, at, shape, _CLASSES[kind])
        raise _DamagedError(f"an array of class {kind}, which is not data")

    def _numbers(self, content: bytes, at: int, shape: tuple[int, ...], kind: str) -> Any:
        stored, data, _ = self.element(content, at)
        if stored not in _TYPES:
            raise _DamagedError(f"numbers of a kind {stored}")
        number = np.dtype(self.order + _TYPES[stored])
        if len(data) != math.prod(shape) * number.itemsize:
            raise _DamagedError(f"an array of shape {shape} in {len(data)} bytes")
        with np.errstate(all="ignore"):
            array = np.frombuffer(data, number).reshape(shape, order="F").astype(kind)
        return array.item() if array.size == 1 else array.squeeze()

    def _cells(self, content: bytes, at: int, shape: tuple[int, ...], depth: int) -> Any:
        items = []
        for _ in range(math.prod(shape)):
            kind, inner, at = self.element(content, at)
            if kind != _MATRIX:
                raise _DamagedError("a cell that holds no array")
            items.append(self.matrix(inner, depth + 1))
        return _together(items, shape)

    def _structs(self, content: bytes, at: int, shape: tuple[int, ...], depth: int) -> Any:
        _, length, at = self.element(content, at)
        _, words, at = self.element(content, at)
        width = struct.unpack_from(f"{self.order}i", length)[0]
        if not 0 < width <= 256 or len(words) % width:
            raise _DamagedError("a struct whose fields have no names")
        names = [
            words[i : i + width].split(b"\0")[0].decode("latin-1")
            for i in range(0, len(words), width)
        ]
        items = []
        for _ in range(math.prod(shape) if names else 0):
            values = []
            for _ in names:
                kind, inner, at = self.element(content, at)
                if kind != _MATRIX:
                    raise _DamagedError("a field that holds no array")
                values.append(self.matrix(inner, depth + 1))
            items.append(SimpleNamespace(**dict(zip(names, values, strict=True))))
        return _together(items, shape)


def _together(items: list[Any], shape: tuple[int, ...]) -> Any:
    """Return objects as an array without axes of length 1; one alone as itself."""
    if len(items) == 1:
        return items[0]
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    fits = math.prod(shape) == len(items)
    return array.reshape(shape, order="F").squeeze() if fits and items else array
