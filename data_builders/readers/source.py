"""What a source is: its files, licence and name to cite, how it is asked for, what it left out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from fnmatch import fnmatch
from pathlib import Path
from typing import TypeVar

from data_builders.records import Dropped, Record, RecordPair
from unipose.errors import ConfigError, FileError, SourceError, UniPoseError
from unipose.files.atomic import written_whole

SPLITS = ("train", "val", "test")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Which records of a source are wanted, and where the things lie that it points to."""

    split: str = ""
    """train, val or test; empty: all of them."""
    only: str = ""
    """Records whose path within the source fits this pattern: "CMU/*"."""
    fps: float = 10.0
    """Poses per second that are taken from recordings; 0: every frame."""
    amass: Path | None = None
    """Folder of AMASS, for the sources that only name frames of it."""
    images: Path | None = None
    """Folder of the pictures, where they do not lie in the source's own."""
    pictures: str = "header"
    """How each is checked: "header" (size and kind), "whole" (every pixel, slow), "unchecked"."""
    fits: Path | None = None
    """File of SMPL poses that were fitted to the people of a source that only marks landmarks."""
    texts: str = "human"
    """Which of PoseScript's and PoseFix's: "human", "automatic" or "all"."""

    def __post_init__(self) -> None:
        if not 0 <= self.fps < 1e4:
            raise ConfigError(f"fps must be 0 or more, got {self.fps:g}")
        for name, options in _WORDS.items():
            if getattr(self, name) not in options:
                raise ConfigError(f"{name} must be one of {options}, got {getattr(self, name)!r}")

    def wants(self, split: str, path: str) -> bool:
        """Return whether a record of this split, at this path within the source, is wanted."""
        return self.split in ("", split) and (not self.only or fnmatch(path, self.only))

    def step(self, fps: float) -> int:
        """Return which every n-th frame of a recording of `fps` is taken."""
        return max(1, round(fps / self.fps)) if self.fps else 1


_WORDS = {
    "split": ("", *SPLITS),
    "pictures": ("header", "whole", "unchecked"),
    "texts": ("human", "automatic", "all"),
}


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A file, or files, that a source is made of."""

    path: str
    """Relative to the source's folder; a pattern where there are many."""
    size: str
    """About how large, for people."""
    optional: bool = False


@dataclass(frozen=True, kw_only=True)
class Source:
    """A public data set that can be read."""

    name: str
    about: str
    files: tuple[Expected, ...]
    licence: str
    cite: str
    home: str
    """Where it is to be had."""
    read: Callable[[Path, SourceOptions, Drops], Iterator[Record] | Iterator[RecordPair]]
    takes: tuple[str, ...] = ("split", "only")
    """Fields of Choice that mean something here."""

    def listing(self) -> str:
        """Return the files that are expected, one per line with their sizes."""
        return "\n".join(
            f"  {item.path} ({item.size}{', optional' if item.optional else ''})"
            for item in self.files
        )

    def check(self, folder: Path) -> None:
        """Raise SourceError if a file that is needed is not there; it names file, place, size."""
        if not folder.is_dir():
            raise SourceError(
                folder,
                f"there is no such folder; expected {self.about} in it:\n{self.listing()}\n",
                f"Get it from {self.home} ({self.licence}).",
            )
        for item in self.files:
            if not item.optional and next(folder.glob(item.path), None) is None:
                raise SourceError(
                    folder / item.path,
                    f"is missing ({item.size}); {self.name} is made of\n{self.listing()}\n",
                    f"Get it from {self.home} ({self.licence}).",
                )

    def whole(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return what `read` makes of a file of this source, or raise `broken` if it cannot."""
        try:
            return read(path)
        except FileError as error:
            raise self.broken(path, error.problem) from error

    def broken(self, path: Path, problem: str) -> SourceError:
        """Return the error for a file of this source that is there but cannot be read."""
        whole = next((item.size for item in self.files if path.match(item.path)), "")
        if not path.is_file():
            return SourceError(path, f"is missing ({whole}).", f"Get it from {self.home}.")
        size = path.stat().st_size
        return SourceError(
            path,
            f"{problem}; it holds {size:,} bytes"
            + (f", the whole file {whole}." if whole else "."),
            f"Download it again from {self.home}.",
        )


@dataclass
class Drops:
    """What was left out of one or more sources, and why."""

    dropped: list[Dropped] = field(default_factory=list)
    own: str = ""
    """The source's own name, with which keys begin ..."""
    called: str = ""
    """... and what to write instead of it."""

    def add(self, key: str, reason: str) -> None:
        """Note that a record is left out."""
        self.dropped.append(Dropped(key=renamed(key, self.own, self.called), reason=reason))

    def under(self, own: str, called: str) -> Drops:
        """Return the same notes for a source that goes by another name than its own."""
        return Drops(dropped=self.dropped, own=own, called=called)

    def keep(self, key: str, build: Callable[[], T]) -> Iterator[T]:
        """Yield what `build` returns, or note why it cannot: any of our own errors is a reason."""
        try:
            built = build()
        except UniPoseError as error:
            self.add(key, str(error))
            return
        yield built

    def __len__(self) -> int:
        return len(self.dropped)

    def summary(self, most: int = 5) -> str:
        """Return the number of dropped records and the commonest reasons, one per line."""
        reasons = Counter(drop.reason for drop in self.dropped).most_common(most)
        lines = [f"{len(self)} records were left out"]
        return "\n".join([*lines, *(f"  {count} x {reason}" for reason, count in reasons)])

    def write(self, path: Path) -> Path:
        """Write the report: a line of JSON per dropped record."""
        with written_whole(path) as temporary:
            temporary.write_text(
                "".join(
                    json.dumps({"key": drop.key, "reason": drop.reason}) + "\n"
                    for drop in self.dropped
                ),
                encoding="utf-8",
            )
        return path


def renamed(key: str, own: str, called: str) -> str:
    """Return a key with another source's name: amass/CMU/a.npz:0 -> studio/CMU/a.npz:0."""
    return called + key.removeprefix(own)


def parse_choice(options: dict[str, str], source: Source) -> SourceOptions:
    """Return the choice that options of a command line describe.

    Raises ConfigError for an option that the source does not take, or a value it cannot have.
    """
    kinds = {item.name: item.type for item in fields(SourceOptions)}
    values: dict[str, object] = {}
    for name, text in options.items():
        if name not in source.takes:
            raise ConfigError(
                f"{source.name} has no option {name!r}; it takes {', '.join(source.takes)}, name"
            )
        try:
            kind = str(kinds[name])
            values[name] = (
                float(text) if kind == "float" else Path(text) if "Path" in kind else text
            )
        except ValueError as error:
            raise ConfigError(f"{name} must be a number, got {text!r}") from error
    return SourceOptions(**values)  # type: ignore[arg-type]  # checked in __post_init__
