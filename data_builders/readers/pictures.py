"""Pictures of data sets: checked before anything is built on them, and read by the builders."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from data_builders.readers.source import Choice
from unipose.errors import FileError, MissingFileError

MOST_PIXELS = 64_000_000
"""The largest pictures of people are 12 million; more is a decompression bomb."""
KINDS = ("JPEG", "PNG", "WEBP")

_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, UnidentifiedImageError, IndexError,
    TypeError, KeyError, ZeroDivisionError, OverflowError, MemoryError,
    Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for damaged pictures."""


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; size is checked here
        try:
            with Image.open(path, formats=KINDS) as picture:
                width, height = picture.size
                _check_size(path, width, height)
                if choice.pictures == "whole":
                    picture.load()
        except FileNotFoundError as error:
            raise MissingFileError(path, "there is no such picture.") from error
        except _DAMAGE as error:
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole picture ({error}).") from error
    if size_px is not None and (width, height) != size_px:
        raise FileError(
            path, f"has {width} x {height} pixels, its annotation says {size_px[0]} x {size_px[1]}."
        )
    return width, height


def read_picture(path: Path) -> UInt8[np.ndarray, "height width 3"]:
    """Return the pixels (RGB). Raises FileError as `check_picture` does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(path, formats=KINDS) as picture:
                _check_size(path, *picture.size)
                return np.asarray(picture.convert("RGB"))
        except FileNotFoundError as error:
            raise MissingFileError(path, "there is no such picture.") from error
        except _DAMAGE as error:
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole picture ({error}).") from error


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise FileError(path, f"claims {width} x {height} pixels, too many to be read.")
