"""The files of one visitor: brought by them or made for them, fetched under ids that say nothing.

What a visitor brings is never given back to a browser: only pictures that we draw are shown, and
files that we write are downloaded.
"""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from unipose.errors import FileError
from unipose.file_signatures import FILM_ENDINGS, PHOTO_ENDINGS, POSE_ENDINGS

MOST_BYTES = 100_000_000
"""Of one file that is brought."""
MOST_BYTES_TOGETHER = 300_000_000
BROUGHT = (*POSE_ENDINGS, ".asf", *PHOTO_ENDINGS, *FILM_ENDINGS)
LONGEST_NAME = 80


@dataclass(frozen=True, kw_only=True)
class ShelvedFile:
    """A file that can be fetched."""

    id: str
    path: Path
    inline: bool
    """Shown in the page (a picture of ours), or only downloaded."""


class FileShelf:
    """One folder, and the files in it that can be fetched."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "files"
        """What the conversation reads and writes, by name."""
        self.previews = root / "previews"
        for folder in (self.folder, self.previews):
            folder.mkdir(parents=True)
        self._files: dict[str, ShelvedFile] = {}

    def __contains__(self, file_id: str) -> bool:
        return file_id in self._files

    def __getitem__(self, file_id: str) -> ShelvedFile:
        return self._files[file_id]

    def add(self, path: Path, *, inline: bool = False) -> ShelvedFile:
        """Make a file of the folder fetchable; the same file keeps its id."""
        for known in self._files.values():
            if (known.path, known.inline) == (path, inline):
                return known
        file = ShelvedFile(id=secrets.token_urlsafe(12), path=path, inline=inline)
        self._files[file.id] = file
        return file

    def room_for(self, name: str) -> Path:
        """Return where a file that is brought goes; FileError for an ending that nobody reads.

        A second file of a name takes the place of the first, so that what belongs together (an
        .amc and its .asf) can be found by name.
        """
        plain = safe_name(name)
        ending = Path(plain).suffix.lower()
        if ending not in BROUGHT:
            raise FileError(plain, f"cannot be read: unknown ending {ending!r}.", _KNOWN)
        return self.folder / plain

    def bytes_left(self) -> int:
        """Return how much more may be brought."""
        used = sum(file.stat().st_size for file in self.folder.iterdir())
        return min(MOST_BYTES, MOST_BYTES_TOGETHER - used)

    def clear(self) -> None:
        """Remove all files."""
        self._files.clear()
        for folder in (self.folder, self.previews):
            for file in folder.iterdir():
                file.unlink()

    def remove(self) -> None:
        """Remove the shelf itself."""
        shutil.rmtree(self.root, ignore_errors=True)


_KNOWN = "Bring a pose (.npz .json .bvh .amc ...), a photo (.jpg .png ...) or a film (.mp4 ...)."


def safe_name(name: str) -> str:
    """Return a file name without folders, control characters or anything a system treats oddly."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r"[^\w .()+-]", "_", last).strip(" .-")
    stem, ending = Path(plain).stem, Path(plain).suffix
    return f"{stem[:LONGEST_NAME]}{ending}" or "file"
