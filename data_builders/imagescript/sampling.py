"""A few records out of a built data set, of all kinds, without reading the rest of it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data_builders.imagescript.schema import FEATURES, SPLITS
from unipose.errors import ConfigError, FileError

SHARES = {"imagescript": 0.6, "imagediff": 0.25, "reasoning": 0.15}
"""Of the samples, by kind of record; what a kind has not, the others give."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """A record of the data set and where it was found."""

    config: str
    split: str
    row: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class _Place:
    config: str
    split: str
    source: str
    file: Path
    row: int


def sample_records(folder: Path, *, samples: int, seed: int) -> tuple[list[Sample], int]:
    """Return up to `samples` records in the order of their configurations, and how many there are.

    Within a kind, configurations, splits and sources take turns. Pictures stay encoded, as bytes.
    Raises ConfigError for no samples, FileError if there are no records.
    """
    if samples < 1:
        raise ConfigError(f"expected to take at least 1 sample, got {samples}")
    places = _places(folder)
    return _read(_choose(places, samples, random.Random(seed))), len(places)


def _places(folder: Path) -> list[_Place]:
    """Return every record by where it lies; only the sources are read."""
    found = []
    for config in FEATURES:
        person = "person_b" if config.startswith("imagediff") else "person"
        for split in SPLITS:
            for file in sorted((folder / config).glob(f"{split}-*.parquet")):
                with pq.ParquetFile(file) as parquet:
                    column = parquet.read(columns=[f"{person}.source"])[person]
                found += [
                    _Place(config=config, split=split, source=cell["source"], file=file, row=i)
                    for i, cell in enumerate(column.to_pylist())
                ]
    if not found:
        raise FileError(
            folder,
            "holds no records; expected CONFIGURATION/SPLIT-*.parquet.",
            "Build the data set before its gallery.",
        )
    return found


def _choose(places: Sequence[_Place], samples: int, chance: random.Random) -> list[_Place]:
    """Return some of each kind, in turn from each configuration, split and source."""
    queues = {kind: _in_turn([p for p in places if p.config.startswith(kind)], chance)
              for kind in SHARES}  # fmt: skip
    taken = [p for kind, share in SHARES.items() for p in queues[kind][: round(share * samples)]]
    spare = [p for kind, share in SHARES.items() for p in queues[kind][round(share * samples) :]]
    taken = (taken + spare)[:samples]
    order = {config: i for i, config in enumerate(FEATURES)}
    return sorted(taken, key=lambda place: order[place.config])  # else as drawn: sources alternate


def _in_turn(places: Sequence[_Place], chance: random.Random) -> list[_Place]:
    groups: dict[tuple[str, str, str], list[_Place]] = {}
    for place in places:
        groups.setdefault((place.config, place.split, place.source), []).append(place)
    for group in groups.values():
        chance.shuffle(group)
    longest = max(map(len, groups.values()), default=0)
    return [group[i] for i in range(longest) for group in groups.values() if i < len(group)]


def _read(places: Sequence[_Place]) -> list[Sample]:
    """Return the records at these places; each row group is read once, one at a time."""
    rows: dict[tuple[Path, int], Mapping[str, Any]] = {}
    for file in sorted({place.file for place in places}):
        wanted = sorted(place.row for place in places if place.file == file)
        with pq.ParquetFile(file) as parquet:
            start = 0
            for group in range(parquet.num_row_groups):
                end = start + parquet.metadata.row_group(group).num_rows
                here = [row for row in wanted if start <= row < end]
                if here:
                    table = parquet.read_row_group(group).take([row - start for row in here])
                    rows |= {(file, i): row for i, row in zip(here, table.to_pylist(), strict=True)}
                start = end
    return [Sample(config=p.config, split=p.split, row=rows[p.file, p.row]) for p in places]
