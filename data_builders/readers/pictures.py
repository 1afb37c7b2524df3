"""Pictures of data sets: checked before anything is built on them, and read by the builders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.ExifTags import Base

from data_builders.readers.source import SourceOptions
from unipose.errors import FileError
from unipose.files.notes import add_note
from unipose.files.photo import checked_picture

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What EXIF's orientations ask for; Pillow turns anticlockwise."""


def check_picture(path: Path, choice: SourceOptions) -> tuple[int, int]:
    """Return a picture's width and height, after the check that `choice.pictures` asks for.

    (0, 0) comes back if nothing is checked. Raises FileError (MissingFileError): not there, no
    picture, a bomb, or cut off.
    """
    if choice.pictures == "unchecked":
        return 0, 0
    return _looked_at(path, choice)[0]


def check_orientation(
    path: Path, choice: SourceOptions, size_px: tuple[int, int], *, sideways: int = 1
) -> int:
    """Return how a picture is turned to be the one that its annotation describes (EXIF's number).

    `size_px` is the annotated width and height. What does not have it as it is stored may have it
    as its EXIF turns it, or turned by `sideways`; a FileNote says so. Nothing is looked at, and 1
    comes back, if nothing is to be checked. Raises FileError as `check_picture` does, or if the
    size is another one either way.
    """
    if choice.pictures == "unchecked":
        return 1
    stored, exif = _looked_at(path, choice)
    if stored == size_px:
        if exif != 1 and _size_after(stored, exif) == size_px:
            add_note(None, "pictures that EXIF turns, and whose size cannot tell, are as stored")
        return 1
    for orientation, why in ((exif, "as their EXIF says"), (sideways, "since they are sideways")):
        if orientation != 1 and _size_after(stored, orientation) == size_px:
            add_note(None, f"pictures are turned {why}, to the size in their annotations")
            return orientation
    raise FileError(
        path,
        f"has {stored[0]} x {stored[1]} pixels, its annotation says {size_px[0]} x {size_px[1]}.",
    )


def _looked_at(path: Path, choice: SourceOptions) -> tuple[tuple[int, int], int]:
    """Return a picture's stored size and what its EXIF says of how it is turned."""
    with checked_picture(path) as picture:
        size = picture.size
        # Pillow itself turns a TIFF
        exif = 1 if picture.format == "TIFF" else picture.getexif().get(Base.Orientation, 1)
        if choice.pictures == "whole":
            picture.load()
    return size, exif if exif in _TURNS else 1


def _size_after(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation >= 5 else size


def read_picture(path: Path, *, orientation: int = 1) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels (RGB), turned as `Record.orientation` says.

    Raises FileError as `check_picture` does.
    """
    with checked_picture(path) as picture:
        pixels = picture.convert("RGB")
        if orientation in _TURNS:
            pixels = pixels.transpose(_TURNS[orientation])
        return np.asarray(pixels)
