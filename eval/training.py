"""How fast is our training loop beside transformers' Trainer? `python -m eval.training --json`.

It runs `train.throughput`, a program of its own: benchmarks and training do not know each other.
Its figures are tokens a second, each batch's quickest step of several blocks that take turns in one
process, and ours as a multiple of the others': above 1 our loop is faster. The same per CPU-second
of the process that trains leaves out what it waits for; the load of the machine is printed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from eval.program import print_result, print_table, run
from unipose.errors import ConfigError

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """Options of eval.training."""

    preset: str = "mini"
    """Of train.throughput: "mini", or "debug" (tiny)."""
    blocks: int | None = None
    """Of each contestant; None: what the preset says."""
    seed: int = 0
    json: bool = False
    """Print one JSON object as the last line."""


def measure(options: TrainingOptions) -> dict[str, object]:
    """Return the paces and their ratios; ConfigError with the program's last words if it fails."""
    command = [sys.executable, "-m", "train.throughput", "--preset", options.preset]
    command += ["--seed", str(options.seed)]
    if options.blocks is not None:
        command += ["--blocks", str(options.blocks)]
    load = os.getloadavg()[0]
    done = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=False, cwd=ROOT
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise ConfigError(f"train.throughput failed with status {done.returncode}: {last}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    return {**found, "preset": options.preset, "load_average": load}


def rows_of(result: dict[str, object]) -> list[tuple[str | float, ...]]:
    """Return a table: who, tokens a second (and CPU-second), and ours as a multiple of it."""
    rows: list[tuple[str | float, ...]] = []
    for name, against in (("ours", None), ("trainer", ""), ("padded", "_padded")):
        row: list[str | float] = [NAMES[name]]
        for clock in ("s", "cpu_s"):
            ratio = 1.0 if against is None else result[f"tokens_per_{clock}_ratio{against}"]
            for value in (result[f"{name}_tokens_per_{clock}"], ratio):
                assert isinstance(value, float)
                row.append(value)
        rows.append(tuple(row))
    return rows


NAMES = {
    "ours": "our loop",
    "trainer": "transformers' Trainer, the same batches and workers",
    "padded": "transformers' Trainer as it comes",
}
COLUMNS = ("", "tokens / s", "ours / it", "tokens / CPU-s", "ours / it")


def main(options: TrainingOptions) -> None:
    """Race our training loop against transformers' Trainer."""
    result = measure(options)
    if not options.json:
        print_table(
            f"Training ({result['weights']:,} weights, {result['threads']} threads, quickest "
            f"of {result['blocks']} blocks in turns)",
            COLUMNS,
            rows_of(result),
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, TrainingOptions)
