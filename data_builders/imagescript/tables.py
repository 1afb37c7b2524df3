"""The files between two steps: Parquet pieces, whole or not there, and what was dropped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data_builders.readers.source import Drops
from data_builders.records import Dropped
from unipose.errors import FileError, MissingFileError
from unipose.files.atomic import written_whole


def write_rows(path: Path, rows: Iterable[dict[str, Any]] | pa.Table, schema: pa.Schema) -> None:
    """Write rows as one Parquet file; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = rows if isinstance(rows, pa.Table) else pa.Table.from_pylist(list(rows), schema=schema)
    with written_whole(path) as temporary:
        pq.write_table(table, temporary)


def read_rows(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Return a file that an earlier step wrote. Raises FileError if it is not there or broken."""
    if not path.is_file():
        raise MissingFileError(path, "an earlier step did not write it.", "Run the command again.")
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=None if columns is None else list(columns))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise FileError(path, f"cannot be read ({error}).", "Delete it and run again.") from error


def numbers_of(column: pa.ChunkedArray, width: int) -> np.ndarray:
    """Return a column of equally long lists as an array (row, width)."""
    flat = column.combine_chunks().flatten()
    return flat.to_numpy(zero_copy_only=False).reshape(-1, width)


def write_drops(path: Path, drops: Drops) -> None:
    """Write what a task left out; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    drops.write(path)


def read_drops(folder: Path) -> Drops:
    """Return what all tasks left out, in the order of steps and tasks."""
    dropped = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            dropped.append(Dropped(key=row["key"], reason=row["reason"]))
    return Drops(dropped=dropped)


def number_of(key: str) -> int:
    """Return a number that stands for a record wherever chance is needed: the same in any build."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=7).digest(), "little")


def picture_path(folder: Path, key: str, kind: str) -> Path:
    """Return where the picture of a record is kept until it is written into the data set."""
    name = hashlib.blake2b(key.encode(), digest_size=12).hexdigest()
    return folder / name[:2] / f"{name}.{kind}.jpg"
