"""Photos as files (.jpg, .png, .bmp ...): checked before they are unpacked, turned as held.

A picture can be small on disk and huge in memory, and a photo from a telephone lies on its side
until its note of how it was held is heeded.
"""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from unipose.errors import FileError, MissingFileError
from unipose.file_signatures import POSE_ENDINGS

KINDS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF")

MOST_PIXELS = 64_000_000
"""Cameras make up to 50 million; more is a decompression bomb."""
MOST_BYTES = 200_000_000

_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, TypeError, KeyError,
    ZeroDivisionError, OverflowError, MemoryError, Image.DecompressionBombError,
)  # fmt: skip
"""What Pillow raises for damaged pictures."""

Pixels = UInt8[np.ndarray, "height width 3"]


def open_photo(path: str | Path) -> Pixels:
    """Return a photo's pixels (RGB), upright; what is transparent becomes white.

    Raises MissingFileError, or FileError: none of KINDS, too large, cut off, damaged, or
    with more than 8 bits per colour.
    """
    path = Path(path)
    if path.suffix.lower() in POSE_ENDINGS:
        raise FileError(
            path,
            "is a pose file, and a photo was expected.",
            "`unipose describe` (in Python open_pose) reads it.",
        )
    if path.is_file() and path.stat().st_size > MOST_BYTES:
        raise FileError(path, f"is larger than {MOST_BYTES:,} bytes.", "Make the picture smaller.")
    with checked_picture(path) as picture:
        picture.load()
        return np.asarray(on_white(ImageOps.exif_transpose(picture)))


def read_photo(
    data: bytes,
    path: str | Path,
    *,
    kinds: tuple[str, ...] = KINDS,
    most_pixels: int = MOST_PIXELS,
) -> Pixels:
    """Return the pixels of a photo's bytes; `path` is what errors call it. Raises FileError."""
    with checked_picture(Path(path), data=data, kinds=kinds, most_pixels=most_pixels) as picture:
        picture.load()
        return np.asarray(on_white(ImageOps.exif_transpose(picture)))


@contextmanager
def checked_picture(
    path: Path,
    *,
    data: bytes | None = None,
    kinds: tuple[str, ...] = KINDS,
    most_pixels: int = MOST_PIXELS,
) -> Iterator[Image.Image]:
    """Give a picture whose header is sound; damage found while it is used is a FileError too.

    `data` are the file's bytes where there is no file. Raises MissingFileError, or FileError: no
    ordinary file, of no kind that is read, too many pixels, more than 8 bits per value, damaged.
    """
    if data is None and path.exists() and not path.is_file():
        raise FileError(path, "is no ordinary file.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of odd metadata; size is checked here
        try:
            file = path if data is None else io.BytesIO(data)
            with Image.open(file, formats=kinds) as picture:
                width, height = picture.size
                if width * height > most_pixels:
                    raise FileError(path, f"claims {width} x {height} pixels, too many to be read.")
                if picture.mode.startswith(("I", "F")):
                    raise FileError(
                        path, f"has more than 8 bits per value (mode {picture.mode}); expected 8."
                    )
                yield picture
        except FileNotFoundError as error:
            raise MissingFileError(path, "there is no such picture.") from error
        except UnidentifiedImageError as error:
            first = first_bytes(path) if data is None else data[:8]
            expected = f"expected {', '.join(kinds[:-1])} or {kinds[-1]}"
            came = f"it begins with {first!r}" if first else "it is empty"
            raise FileError(path, f"is no whole picture: {expected}, {came}.") from error
        except _DAMAGE as error:
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole picture ({error}).") from error


def first_bytes(path: Path) -> bytes:
    """Return the eight bytes that a file begins with, for the message that says what came."""
    with path.open("rb") as file:
        return file.read(8)


def on_white(picture: Image.Image) -> Image.Image:
    """Return the picture as RGB; what is transparent becomes white."""
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    see_through = picture.convert("RGBA")
    white = Image.new("RGBA", see_through.size, "white")
    return Image.alpha_composite(white, see_through).convert("RGB")
