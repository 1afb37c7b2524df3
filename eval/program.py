"""What all benchmark programs share: their options, which recordings they use, how they report."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
import tyro
from rich.console import Console
from rich.measure import Measurement
from rich.progress import track as rich_track
from rich.table import Table

from data_builders.mocap import Recording, choose
from tokenizer.codec import CodecError
from unipose.assistant import Eyes, UniPose
from unipose.errors import ConfigError, UniPoseError

WIDEST = 160
"""Characters of a line of a table that is printed into a file."""
Item = TypeVar("Item")
Options = TypeVar("Options")


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """Options of every benchmark on recorded poses."""

    data: Path
    """Folder with a manifest.csv and the recordings it names."""
    split: str = "test"
    """train, val, test, or all."""
    only: str = ""
    """Only recordings whose path in the manifest fits this glob, such as 'cmu/*'."""
    limit: int | None = None
    """At most so many recordings, drawn by the seed."""
    seed: int = 0
    """Start value of everything that is drawn."""
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit must be at least 1, got {self.limit}")
        if self.split not in ("train", "val", "test", "all"):
            raise ConfigError(f"--split must be train, val, test or all, got {self.split!r}")


@dataclass(frozen=True, kw_only=True)
class ModelOptions(EvalOptions):
    """Options of every benchmark that asks a pose language model."""

    model: Path | None = None
    """Folder of a model; without it the embedded one."""
    device: str = "cpu"
    """Where it computes: cpu, cuda, cuda:1, mps."""
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    """Of its weights; None: float32, or bfloat16 for the layers of a base beneath it."""

    eyes: Eyes = "own"
    """That it reads pictures with: its own, those for photographs, or auto."""

    def load_assistant(self) -> UniPose:
        """Return the model that is asked."""
        return UniPose.load(self.model, device=self.device, dtype=self.dtype, eyes=self.eyes)


def select(recordings: Sequence[Recording], options: EvalOptions) -> list[Recording]:
    """Return the recordings that the options ask for, in the manifest's order.

    Raises ConfigError if none is left.
    """
    chosen = choose(list(recordings), split=options.split, only=options.only)
    if not chosen:
        raise ConfigError(
            f"no recording is left in split {options.split!r} with --only {options.only!r}"
        )
    if options.limit is not None and options.limit < len(chosen):
        drawn = np.random.default_rng(options.seed).choice(
            len(chosen), options.limit, replace=False
        )
        chosen = [chosen[i] for i in sorted(drawn)]
    return chosen


def track(items: Sequence[Item], description: str) -> Iterable[Item]:
    """Yield `items` with a progress bar on stderr."""
    return rich_track(items, description=description, console=Console(stderr=True), transient=True)


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int | float]]
) -> None:
    """Print a table; numbers get two decimals and stand right.

    Nothing is cut: into a file or a pipe it is as wide as it needs to be, and a narrow terminal
    folds cells.
    """
    table = Table(title=title)
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left", overflow="fold")
    for row in rows:
        table.add_row(*(f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row))
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        free = console.options.update(max_width=WIDEST)
        console = Console(width=max(console.width, Measurement.get(console, free, table).maximum))
    console.print(table)


def print_result(result: dict[str, object], *, as_json: bool) -> None:
    """Print the figures, as the last line: one JSON object, or name = value."""
    if as_json:
        sys.stdout.write(json.dumps(result, allow_nan=False) + "\n")
        return
    for name, value in result.items():
        if not isinstance(value, dict | list):
            shown = f"{value:.4g}" if isinstance(value, float) else value
            sys.stdout.write(f"{name} = {shown}\n")


def run(main: Callable[[Options], None], options: type[Options]) -> None:
    """Run a benchmark with the options of the command line; our errors become one line."""
    try:
        main(tyro.cli(options, description=main.__doc__))
    except (UniPoseError, CodecError) as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(1) from error
