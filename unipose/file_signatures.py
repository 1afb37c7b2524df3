"""Which files are read, and what each begins with: checked before anything heavy is imported."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path

from unipose.errors import FileError, MissingFileError

POSE_ENDINGS = (".npz", ".json", ".npy", ".pkl", ".pt", ".bvh", ".amc")
PHOTO_ENDINGS = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".dib", ".tif", ".tiff",
)  # fmt: skip
FILM_ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".gif")
ADVICE = {
    ".heic": "Telephones write it; save the photo as .jpg.",
    ".heif": "Telephones write it; save the photo as .jpg.",
    ".avif": "Save the photo as .jpg.",
    ".fbx": "Save the motion as .bvh, as Blender does.",
    ".c3d": "It holds markers, not joints; fit a body to them first.",
    ".trc": "It holds markers, not joints; fit a body to them first.",
}
"""What to do with files that people bring and that are not read."""
UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
"""Text files may begin with these, as Windows writes them."""
_BEGINNINGS = {
    ".npy": ((b"\x93NUMPY",), "NumPy array"),
    ".json": ((b"{", b"["), "JSON"),
    ".bvh": ((b"HIERARCHY",), "BVH motion"),
}


def is_photo(path: str | Path) -> bool:
    """Return whether a file's ending is that of a photo."""
    return Path(path).suffix.lower() in PHOTO_ENDINGS


def is_film(path: str | Path) -> bool:
    """Return whether a file's ending is that of a film."""
    return Path(path).suffix.lower() in FILM_ENDINGS


def unknown_ending(path: Path, known: tuple[str, ...]) -> FileError:
    """Return the error for a file that is none of the known ones, with what to do about it."""
    ending = path.suffix.lower()
    if ending in PHOTO_ENDINGS:
        return FileError(
            path, "is a photo, and a pose file was expected.",
            "`unipose estimate` (in Python UniPose.estimate) reads the pose off a photo.",
        )  # fmt: skip
    if ending in FILM_ENDINGS:
        return FileError(
            path, "is a film, and a pose file was expected.",
            "`unipose track` reads the motions off a film.",
        )  # fmt: skip
    if not ending and not path.exists():
        return MissingFileError(
            path, "there is no such file.",
            "If it is a named pose: `unipose poses NAME -o FILE` writes it.",
        )  # fmt: skip
    advice = ADVICE.get(ending, f"Known are {', '.join(known)}.")
    return FileError(path, f"cannot be read: unknown ending {ending!r}.", advice)


def check_file(path: Path, *, photos: bool = False, poses: bool = True) -> None:
    """Check that a file is there, is not empty, and begins as its ending says.

    `photos` lets photos through, and films where poses are read too.

    Raises FileError (MissingFileError) that says which endings are read.
    """
    ending = path.suffix.lower()
    endings = POSE_ENDINGS if poses else ()
    if photos:
        endings += PHOTO_ENDINGS + (FILM_ENDINGS if poses else ())
    if poses and ending not in endings:
        raise unknown_ending(path, endings)
    if path.is_dir():
        raise FileError(path, "is a folder, not a file.", "Name a file in it.")
    try:
        with path.open("rb") as file:
            first = file.read(256)
    except FileNotFoundError as error:
        raise MissingFileError(path, "there is no such file.") from error
    except (OSError, ValueError) as error:
        raise FileError(path, f"cannot be read ({error}).") from error
    if not first:
        raise FileError(path, "is empty.")
    starts, kind = _BEGINNINGS.get(ending, ((b"",), ""))
    text = first.decode("utf-16", "replace").encode() if first[:2] in UTF_16 else first
    begins = text.lstrip(b"\xef\xbb\xbf \t\r\n").upper()
    if begins and not begins.startswith(starts):
        raise FileError(path, f"is no {kind}: it begins with {first[:8]!r}.")
    if ending == ".npz" and not zipfile.is_zipfile(path):
        raise FileError(path, "is no whole .npz archive.")
