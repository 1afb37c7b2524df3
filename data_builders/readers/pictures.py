"""Pictures of data sets: checked before anything is built on them, and read by the builders."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
    OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError,
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
    with _opened(path) as picture:
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
    with _opened(path) as picture:
        return np.asarray(picture.convert("RGB"))


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Give a picture whose header is sound; damage found while it is used is a FileError too."""
    if path.exists() and not path.is_file():
        raise FileError(path, "is no ordinary file.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; size is checked here
        try:
            with Image.open(path, formats=KINDS) as picture:
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise FileError(path, f"claims {width} x {height} pixels, too many to be read.")
                if picture.mode.startswith(("I", "F")):
                    raise FileError(
                        path, f"has more than 8 bits per value (mode {picture.mode}); expected 8."
                    )
                yield picture
        except FileNotFoundError as error:
            raise MissingFileError(path, "there is no such picture.") from error
        except UnidentifiedImageError as error:
            raise FileError(path, f"is no whole picture: {_beginning(path)}.") from error
        except _DAMAGE as error:
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole picture ({error}).") from error


def _beginning(path: Path) -> str:
    """Return what a file that is no picture we read is instead, as far as its first bytes say."""
    with path.open("rb") as file:
        first = file.read(8)
    expected = f"expected {', '.join(KINDS[:-1])} or {KINDS[-1]}"
    return f"{expected}, it begins with {first!r}" if first else f"{expected}, it is empty"
