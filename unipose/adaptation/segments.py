"""Segments of a film with the name of the action in each, and the file they are corrected in.

A segment lasts two seconds (60 frames at 30 per second). One whose frames disagree about the action
has no label: it is adapted to its keypoints, and pulled nowhere.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from unipose.errors import ConfigError, FileError
from unipose.files.atomic import written_whole
from unipose.files.json_table import read_json_value
from unipose.retrieval.motion_text import FPS, SEGMENT_FRAMES

LARGEST_BYTES = 1 << 24
SEGMENT_S = SEGMENT_FRAMES / FPS


@dataclass(frozen=True, kw_only=True)
class FilmSegment:
    """Frames `start` up to, not at, `end` of one person's track, counted from 0."""

    start: int
    end: int
    label: str = ""
    """An entry of the motion dictionary; "" for none."""
    description: str = ""
    """What was seen, in free words."""
    consistency: float | None = None
    """Mean CLIP cosine of its pictures with the label, where it was asked for."""
    used: bool = True
    """False keeps the label in the file and pulls nowhere."""
    person: int = 1
    """In the film, counted from 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end:
            raise ConfigError(f"expected 0 <= start < end, got {self.start} and {self.end}")

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def pulls(self) -> bool:
        """Whether there is a label that is used."""
        return bool(self.label) and self.used


def cut_film(frames: int, *, fps: float, person: int = 1) -> list[FilmSegment]:
    """Return the segments of a film: two seconds each, the last one with what is left.

    Less than a third of a segment is added to the one before: 130 frames at 30 per second give
    0-60 and 60-130.
    """
    length = max(2, round(SEGMENT_S * fps))
    starts = list(range(0, frames, length))
    if len(starts) > 1 and frames - starts[-1] < length / 3:
        starts.pop()
    ends = [*starts[1:], frames]
    return [FilmSegment(start=a, end=b, person=person) for a, b in zip(starts, ends)]


def labelled(segments: Sequence[FilmSegment], labels: Sequence[str]) -> list[FilmSegment]:
    """Return the segments with the labels of their frames; none where frames disagree.

    Frames walk walk walk jump in segments of two: 0-2 walk, 2-4 none. Raises ConfigError if there
    is not a label (or "") for each frame.
    """
    if segments and segments[-1].end != len(labels):
        raise ConfigError(f"expected labels of {segments[-1].end} frames, got {len(labels)}")
    found = []
    for one in segments:
        said = set(labels[one.start : one.end])
        found.append(replace(one, label=said.pop() if len(said) == 1 else ""))
    return found


def write_segments(segments: Sequence[FilmSegment], path: str | Path, *, asked: str) -> Path:
    """Write a label file that people can correct; `asked` names who labelled."""
    path = Path(path)
    text = {"asked": asked, "segments": [asdict(one) for one in segments]}
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(text, indent=2) + "\n", encoding="utf-8")
    return path


def read_segments(path: str | Path) -> list[FilmSegment]:
    """Return the segments of a label file, in its order.

    A segment needs start, end and label; what else `write_segments` writes may be missing. Raises
    FileError for anything else.
    """
    path = Path(path)
    content = read_json_value(path, largest_bytes=LARGEST_BYTES)
    rows = content.get("segments") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise FileError(path, "holds no list of segments.", 'Expected {"segments": [...]}.')
    return [_read_segment(row, number, path) for number, row in enumerate(rows)]


_KINDS: dict[str, tuple[type, ...]] = {
    "start": (int,), "end": (int,), "label": (str,), "description": (str,),
    "consistency": (float, int, type(None)), "used": (bool,), "person": (int,),
}  # fmt: skip


def _read_segment(row: Any, number: int, path: Path) -> FilmSegment:
    if not isinstance(row, dict):
        raise FileError(path, f"segment {number} is no object but {row!r}.")
    for name in ("start", "end", "label"):
        if name not in row:
            raise FileError(path, f"segment {number} has no {name!r}.")
    for name, value in row.items():
        kinds = _KINDS.get(name)
        if kinds is None:
            raise FileError(path, f"segment {number} has an unknown field {name!r}.")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise FileError(path, f"segment {number}: {name} is {value!r}.")
    try:
        return FilmSegment(**row)
    except ConfigError as error:
        raise FileError(path, f"segment {number}: {error}.") from error
