"""Pictures of data sets: checked before anything is built on them, and read by the builders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from data_builders.readers.source import Choice
from unipose.errors import FileError
from unipose.files.photo import checked_picture


def check_picture(
    path: Path, choice: Choice, *, size_px: tuple[int, int] | None = None
) -> tuple[int, int]:
    """Return a picture's width and height, after the check that `choice.pictures` asks for.

    `size_px` is what the annotation says; (0, 0) comes back if nothing is known and nothing is
    checked. Raises FileError (MissingFileError): not there, no picture, a bomb, cut off, or of
    another size than annotated.
    """
    if choice.pictures == "unchecked":
        return size_px or (0, 0)
    with checked_picture(path) as picture:
        width, height = picture.size
        if choice.pictures == "whole":
            picture.load()
    if size_px is not None and (width, height) != size_px:
        raise FileError(
            path, f"has {width} x {height} pixels, its annotation says {size_px[0]} x {size_px[1]}."
        )
    return width, height


def read_picture(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels (RGB). Raises FileError as `check_picture` does."""
    with checked_picture(path) as picture:
        return np.asarray(picture.convert("RGB"))
