"""All benchmarks in one run, on one page.

`python -m eval.bench --data MOCAP --photos PHOTOS` runs the programs of `eval.bench_parts` one
after the other, each in a process of its own, and writes their figures to `docs/benchmarks.md` and
`docs/benchmarks.json`, each with what stands beside it, the command that printed it, the day and
the machine; the README's tables are written anew from them. What a program printed is kept
(`--keep`), so that a run that was stopped goes on with the same command; what was kept of other
weights, or with `--again`, is measured anew.
A part that is skipped, fails, or lacks its folder keeps the lines that the page has of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from eval.bench_page import BenchPage, PartResult, figures_of
from eval.bench_parts import LIFTING, MOCAP, PARTS, PHOTOS, BenchPart
from eval.program import print_result, print_table, run
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole

WEIGHTS = Path(__file__).parents[1] / "unipose" / "weights"
USUAL_S = 60.0
"""How long a part takes of which the page does not say it."""


@dataclass(frozen=True, kw_only=True)
class BenchOptions:
    """Options of eval.bench."""

    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv and the recordings it names."""
    photos: Path = Path("../shared/photos")
    """Folder of photographs with people marked by hand."""
    lifting: Path = Path("runs/lifting")
    """Folder of what `train.lifter_runs` trained."""
    parts: tuple[str, ...] = ()
    """Only these parts; empty: all."""
    skip: tuple[str, ...] = ()
    """Parts that are left as they are."""
    again: bool = False
    """Measure parts that are done, too."""
    keep: Path = Path("runs/bench")
    """Where the programs' output is kept."""
    page: Path = Path("docs/benchmarks.md")
    """The page; its figures lie beside it as .json."""
    readme: Path = Path("README.md")
    """Whose tables are written anew."""
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        known = [part.name for part in PARTS]
        unknown = [name for name in (*self.parts, *self.skip) if name not in known]
        if unknown:
            raise ConfigError(f"there is no part {unknown[0]!r}; there are {', '.join(known)}")

    @property
    def chosen(self) -> list[BenchPart]:
        """Return the parts that are asked for."""
        names = self.parts or tuple(part.name for part in PARTS)
        return [part for part in PARTS if part.name in names and part.name not in self.skip]

    def missing(self, part: BenchPart) -> str:
        """Return the folder that a part needs and that is not there; empty if nothing is."""
        needs = {
            "mocap": self.data / "manifest.csv", "photos": self.photos / "people.json",
            "lifting": self.lifting,
        }  # fmt: skip
        if not part.needs or needs[part.needs].exists():
            return ""
        return str(needs[part.needs])

    def command(self, part: BenchPart) -> list[str]:
        """Return the command with its folders."""
        folders = {MOCAP: self.data, PHOTOS: self.photos, LIFTING: self.lifting}
        return [sys.executable, *(str(folders.get(word, word)) for word in part.command[1:])]


def weights_mark(folder: Path = WEIGHTS) -> str:
    """Return a mark of the weights that come along: other weights, another mark."""
    mark = hashlib.blake2b(digest_size=8)
    for path in sorted(folder.rglob("*.safetensors")):
        mark.update(str(path.relative_to(folder)).encode())
        mark.update(path.read_bytes())
    return mark.hexdigest()


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and how busy it was."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text(encoding="utf-8").splitlines() if info.is_file() else ())
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory),
        "load_average": round(os.getloadavg()[0], 1),
    }


def run_part(part: BenchPart, options: BenchOptions) -> dict[str, Any]:
    """Run a part's command; return its figures with command, day, machine and seconds.

    What it says along the way goes to NAME.log in the folder `keep`. Raises ConfigError, with the
    last line of that, if it fails.
    """
    options.keep.mkdir(parents=True, exist_ok=True)
    log = options.keep / f"{part.name}.log"
    busy, started = machine(), time.perf_counter()
    with log.open("w", encoding="utf-8") as said:
        done = subprocess.run(  # noqa: S603
            options.command(part), stdout=subprocess.PIPE, stderr=said, text=True, check=False,
            env=os.environ | part.environment,
        )  # fmt: skip
    printed = done.stdout.strip().splitlines()
    if done.returncode or not printed:
        lines = log.read_text(encoding="utf-8").strip().splitlines() or ["it says nothing"]
        raise ConfigError(f"{part.name} failed: {lines[-1]} ({log})")
    return {
        "command": " ".join(part.command),
        "measured": datetime.now(tz=UTC).strftime("%Y-%m-%d %H:%M"),
        "seconds": round(time.perf_counter() - started, 1),
        "machine": busy,
        "weights": weights_mark(),
        "printed": json.loads(printed[-1]),
    }


def kept(part: BenchPart, options: BenchOptions) -> dict[str, Any] | None:
    """Return what is kept of a part, if it is of the same command and the same weights."""
    path = options.keep / f"{part.name}.json"
    if options.again or not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    same = found["command"] == " ".join(part.command) and found["weights"] == weights_mark()
    return found if same else None


def result_of(part: BenchPart, options: BenchOptions) -> PartResult:
    """Return a part's figures: those that are kept, or measured now and kept."""
    found = kept(part, options)
    if found is None:
        found = run_part(part, options)
        with written_whole(options.keep / f"{part.name}.json") as path:
            path.write_text(json.dumps(found), encoding="utf-8")
    return PartResult(
        name=part.name, command=found["command"], measured=found["measured"],
        seconds=found["seconds"], machine=found["machine"],
        figures=figures_of(part, found["printed"]),
    )  # fmt: skip


def run_all(parts: Sequence[BenchPart], page: BenchPage, options: BenchOptions) -> dict[str, str]:
    """Run parts one after the other and write the page after each; return what went wrong."""
    wrong: dict[str, str] = {}
    weights = {part.name: page.seconds(part.name, USUAL_S) for part in parts}
    columns = (
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"),
        TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("benchmarks", total=sum(weights.values()))
        for part in parts:
            bar.update(task, description=part.name)
            if lacking := options.missing(part):
                wrong[part.name] = f"left out: there is no {lacking}"
            else:
                try:
                    page.put(result_of(part, options))
                    page.write(options.page, options.readme)
                except ConfigError as error:
                    wrong[part.name] = str(error)
            bar.advance(task, weights[part.name])
    return wrong


def main(options: BenchOptions) -> None:
    """Run all benchmarks and write their figures to one page."""
    page = BenchPage.read(options.page)
    wrong = run_all(options.chosen, page, options)
    page.write(options.page, options.readme)
    if not options.json:
        rows = [(name, page.said(name), wrong.get(name, "")) for name in page.names]
        print_table(str(options.page), ["part", "measured", ""], rows)
    print_result(
        {"page": str(options.page), "seconds": page.total_seconds, "not_measured": wrong},
        as_json=options.json,
    )
    failed = [name for name, why in wrong.items() if not why.startswith("left out")]
    if failed:
        raise ConfigError(wrong[failed[0]])


if __name__ == "__main__":
    run(main, BenchOptions)
