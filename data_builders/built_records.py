"""People and pairs out of a data set that data_builders.imagescript has built, with their texts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data_builders.imagescript.tables import read_rows
from data_builders.readers.source import Drops
from data_builders.records import Record, RecordPair
from unipose.body.pose import Pose
from unipose.errors import EmptySourceError, UnusableRecordError

BUILT = "imagescript"
"""What such a folder is called where sources are named."""


def read_built(
    folder: Path, split: str, drops: Drops, *, refined: bool = False
) -> Iterator[Record | RecordPair]:
    """Yield the described people, then the pairs, without their pictures.

    Raises EmptySourceError if there are none of this split, FileError for a damaged file.
    """
    kind = "r" if refined else "a"
    described = _rows(folder / f"imagescript-{kind}", split, ("person",), ("key", "captions"))
    compared = _rows(
        folder / f"imagediff-{kind}", split, ("person_a", "person_b"),
        ("key", "texts", "same_world"),
    )  # fmt: skip
    found = 0
    for row in described:
        found += 1
        yield from drops.keep(row["key"], partial(_described, row, split))
    for row in compared:
        found += 1
        yield from drops.keep(row["key"], partial(_compared, row, split))
    if not found:
        raise EmptySourceError(
            folder,
            f"there is nothing of imagescript-{kind} or imagediff-{kind} of the split {split!r}.",
            "Build it with python -m data_builders.imagescript.",
        )


def _rows(
    folder: Path, split: str, people: tuple[str, ...], columns: tuple[str, ...]
) -> Iterator[dict[str, Any]]:
    poses = [f"{person}.{column}" for person in people for column in ("key", "pose")]
    for path in sorted(folder.glob(f"{split}-*.parquet")):
        yield from read_rows(path, [*columns, *poses]).to_pylist()


def _described(row: dict[str, Any], split: str) -> Record:
    return _person(row["person"], split, row["captions"])


def _compared(row: dict[str, Any], split: str) -> RecordPair:
    return RecordPair(
        key=row["key"],
        source=BUILT,
        split=split,
        first=_person(row["person_a"], split),
        second=_person(row["person_b"], split),
        texts=tuple(row["texts"]),
        same_world=row["same_world"],
    )


def _person(person: dict[str, Any], split: str, texts: list[str] | tuple[str, ...] = ()) -> Record:
    if person["pose"] is None:
        raise UnusableRecordError("only joints are known of this person, no pose")
    pose = Pose.from_axis_angle(torch.tensor([person["pose"]]))
    return Record(key=person["key"], source=BUILT, split=split, pose=pose, texts=tuple(texts))
