"""The user's own pictures as backgrounds; what cannot be used is left out with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from data_builders.records import Dropped
from unipose.errors import FileError, MissingFileError
from unipose.file_signatures import PHOTO_ENDINGS, is_photo
from unipose.files.photo import checked_picture

LARGEST = 25_000_000
"""Pixels; a file that promises more is not decoded at all."""
SMALLEST = 32
"""Pixels along the shorter side."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureFolder:
    """Pictures held in memory, small."""

    pictures: tuple[UInt8[np.ndarray, "height width 3"], ...]
    dropped: tuple[Dropped, ...]

    @classmethod
    def read(cls, folder: str | Path, *, side_px: int) -> PictureFolder:
        """Return all pictures of a folder (and the folders in it), shorter side about `side_px`.

        Files that are broken, too large, too small or of an unknown kind are listed in `dropped`.
        Raises MissingFileError if there is no such folder, FileError if no picture is left.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise MissingFileError(folder, "there is no such folder.", "Name a folder of pictures.")
        pictures, dropped = [], []
        for path in sorted(p for p in folder.rglob("*") if is_photo(p)):
            try:
                pictures.append(read_picture(path, side_px=side_px))
            except FileError as error:
                dropped.append(Dropped(key=str(path.relative_to(folder)), reason=error.problem))
        if not pictures:
            reason = f" (the first: {dropped[0].key} {dropped[0].reason})" if dropped else ""
            raise FileError(
                folder,
                f"holds no picture that can be used; {len(dropped)} were left out{reason}.",
                f"Put {', '.join(PHOTO_ENDINGS)} files there.",
            )
        return cls(pictures=tuple(pictures), dropped=tuple(dropped))


def read_picture(path: Path, *, side_px: int) -> UInt8[np.ndarray, "height width 3"]:
    """Return one picture, upright, shorter side about `side_px`; FileError says why not."""
    with checked_picture(path, most_pixels=LARGEST) as file:
        if min(file.size) < SMALLEST:
            raise FileError(path, f"has {file.width} x {file.height} pixels, too few.")
        scale = max(side_px / min(file.size), 1e-3)
        file.draft("RGB", (int(file.width * scale), int(file.height * scale)))
        upright = ImageOps.exif_transpose(file.convert("RGB"))
        upright.thumbnail(_size(upright, side_px), Image.Resampling.BILINEAR)
        return np.asarray(upright).copy()


def _size(picture: Image.Image, side_px: int) -> tuple[int, int]:
    scale = min(1.0, side_px / min(picture.size))
    return max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
