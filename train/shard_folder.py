"""Folders of shards: files of rows made ahead of training, each complete or not there.

A shard's bytes are a function of the folder's settings and its number, whoever makes it. A run that
was stopped, or wants more, goes on with the shards that are missing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int
from rich.progress import track

from unipose.errors import ConfigError, FileError
from unipose.files.atomic import written_whole


def claim_folder(folder: Path, settings: Mapping[str, Any], *, holds: str) -> None:
    """Make the folder and note its settings.

    Raises ConfigError if it was made with others; `holds` says what is in it ("crops").
    """
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings, indent=2, default=str)
    known = folder / "config.json"
    if not known.exists():
        with written_whole(known) as unfinished:
            unfinished.write_text(text)
    elif known.read_text() != text:
        raise ConfigError(f"{folder} holds {holds} of another studio; remove it to start over")


@runtime_checkable
class StudioShards(Protocol):
    """What pictures of the studio are in a folder of shards: a frozen dataclass with these."""

    @property
    def data(self) -> Path:
        """Recordings that the studio's people are posed by."""
        ...

    @property
    def pictures(self) -> int:
        """How many; a folder may be given more."""
        ...

    @property
    def per_shard(self) -> int:
        """Pictures of a shard."""
        ...


def claim_studio_shards(folder: Path, config: StudioShards, *, holds: str) -> None:
    """Claim a folder for pictures of the studio, however many. Raises ConfigError as above."""
    settings = asdict(cast("Any", config)) | {"data": config.data.name}
    del settings["pictures"]
    claim_folder(folder, settings, holds=holds)


def shard_count(config: StudioShards) -> int:
    """Return how many shards hold the pictures."""
    return -(-config.pictures // config.per_shard)


def pictures_of(config: StudioShards, shard: int) -> range:
    """Return the numbers of the pictures of a shard."""
    return range(shard * config.per_shard, (shard + 1) * config.per_shard)


def shard_path(folder: Path, shard: int) -> Path:
    """Return where shard number `shard` lies."""
    return folder / f"shard-{shard:05d}.npy"


def make_missing(
    folder: Path, count: int, make: Callable[[int], None], *, workers: int, description: str
) -> None:
    """Make the shards of `count` that are not in the folder; `make` is told each one's number.

    `workers` 0 makes them in this process; else `make` has to be picklable.
    """
    missing = [k for k in range(count) if not shard_path(folder, k).exists()]
    if not workers or not missing:
        for k in missing:
            make(k)
        return
    with ProcessPoolExecutor(
        min(workers, len(missing)), mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        jobs = [pool.submit(make, k) for k in missing]
        for job in track(jobs, description=description, transient=True):
            job.result()


def _one_thread() -> None:
    torch.set_num_threads(1)


class ShardRows:
    """All rows of a folder of shards, by number, without reading them into memory."""

    def __init__(self, folder: Path, config: StudioShards, layout: np.dtype) -> None:
        paths = (shard_path(folder, k) for k in range(shard_count(config)))
        self.shards = [read_shard(path, layout, in_place=True) for path in paths]
        self.ends = np.cumsum([len(shard) for shard in self.shards])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def rows(self, numbers: Int[np.ndarray, " row"]) -> np.ndarray:
        """Return copies of these rows."""
        which = np.searchsorted(self.ends, numbers, side="right")
        firsts = self.ends - [len(shard) for shard in self.shards]
        return np.stack([self.shards[k][i - firsts[k]] for k, i in zip(which, numbers)])


def write_shard(path: Path, rows: Sequence[tuple], layout: np.dtype) -> None:
    """Write rows under a temporary name, then rename."""
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.save(file, np.array(rows, dtype=layout))
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(path)


def read_shard(path: Path, layout: np.dtype, *, in_place: bool = False) -> np.ndarray:
    """Return the rows of a shard, read into memory or left `in_place` on the disk.

    Raises FileError for one that is damaged or of another layout.
    """
    try:
        shard = np.load(path, mmap_mode="r" if in_place else None, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise FileError(
            path, f"is no whole shard ({error}).", "Remove it; it is made again."
        ) from error
    if shard.dtype != layout:
        raise FileError(path, "is a shard of another layout.", "Remove the folder.")
    return shard
