"""Toy steps of the engine's tests: they write small files and leave a trace of every run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from datatrove.pipeline.base import PipelineStep

from data_builders.engine import BuildStage
from unipose.errors import UnusableRecordError


class Squares(PipelineStep):
    """Task 3 writes 9 into squares/003; told to, a task fails, is slow or kills its process."""

    type = "toy"
    name = "squares"

    def __init__(
        self,
        out: Path,
        *,
        pause_s: float = 0.0,
        killed: tuple[int, ...] = (),
        times: int = 1,
        broken: tuple[int, ...] = (),
        error: type[Exception] = UnusableRecordError,
    ) -> None:
        super().__init__()
        self.out = out
        self.pause_s = pause_s
        self.killed, self.times = killed, times
        self.broken, self.error = broken, error
        self.state = 0

    def run(self, data=None, rank: int = 0, world_size: int = 1):
        self.state += 1
        assert self.state == 1, "every task begins with a fresh step"
        _trace(self.out, "begun", rank)
        (self.out / "squares").mkdir(exist_ok=True)
        with written_whole(self.out / "squares" / f"{rank:03d}") as temporary:
            temporary.write_text("half")
            time.sleep(self.pause_s)
            if rank in self.killed and traces(self.out, "begun").count(rank) <= self.times:
                os.kill(os.getpid(), signal.SIGKILL)
            if rank in self.broken:
                raise self.error(f"record {rank} has no pose")
            temporary.write_text(f"{rank * rank} of {world_size}\n")
        self.stat_update("squares")
        _trace(self.out, "done", rank)
        return ()


class Total(PipelineStep):
    """Each task adds up all squares of the stage before, which must be whole by then."""

    type = "toy"
    name = "total"

    def __init__(self, out: Path, squares: int) -> None:
        super().__init__()
        self.out, self.squares = out, squares

    def run(self, data=None, rank: int = 0, world_size: int = 1):
        files = [self.out / "squares" / f"{number:03d}" for number in range(self.squares)]
        total = sum(int(file.read_text().split()[0]) for file in files)
        with written_whole(self.out / f"total_{rank}") as temporary:
            temporary.write_text(f"{total}\n")
        yield from ()


class WhereAmI(PipelineStep):
    """Write down the Ray node, the threads and the import path of each task."""

    type = "toy"
    name = "where"

    def __init__(self, out: Path, *, pause_s: float = 0.3) -> None:
        super().__init__()
        self.out, self.pause_s = out, pause_s

    def run(self, data=None, rank: int = 0, world_size: int = 1):
        node = ""
        if "RAY_JOB_ID" in os.environ or "RAY_NODE_ID" in os.environ:
            import ray

            node = ray.get_runtime_context().get_node_id()
        time.sleep(self.pause_s)
        self.out.mkdir(exist_ok=True)
        said = [node, os.environ.get("OMP_NUM_THREADS", ""), str(Path.cwd()), str(os.getpid())]
        with written_whole(self.out / f"where_{rank}") as temporary:
            temporary.write_text("\n".join(said))
        return ()


def two_stages(out: Path, tasks: int = 6, **squares) -> list[BuildStage]:
    """Return a stage of squares and a stage of two totals."""
    return [
        BuildStage(name="squares", step=Squares(out, **squares), tasks=tasks),
        BuildStage(name="total", step=Total(out, tasks), tasks=2),
    ]


def files_of(out: Path) -> dict[str, bytes]:
    """Return what was built, temporary files included, without the traces."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.suffix != ".trace"
    }


def traces(out: Path, word: str) -> list[int]:
    """Return the numbers of the tasks that left this word, in the order they did."""
    path = out / f"{word}.trace"
    return [int(line) for line in path.read_text().split()] if path.is_file() else []


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """As in unipose.files.atomic, which loads torch: two seconds for every worker of a test."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _trace(out: Path, word: str, rank: int) -> None:
    out.mkdir(exist_ok=True, parents=True)
    with (out / f"{word}.trace").open("a") as file:  # short appends do not mix
        file.write(f"{rank}\n")
