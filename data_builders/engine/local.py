"""All stages on this machine: in this process, or by workers that live through all stages."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from data_builders.engine.stages import BuildStage
from data_builders.engine.surroundings import one_thread_here
from data_builders.engine.task import StageTasks, error_line
from data_builders.engine.terminal import counted
from data_builders.engine.workers import Workers


def run_here(stages: Sequence[BuildStage], folder: Path, *, workers: int, lock: int) -> None:
    """Do all open tasks with so many workers; one means in this process.

    `lock` is the file descriptor of the folder's lock, which every worker keeps open.
    Raises StageError naming the tasks that failed, after those at work were finished.
    """
    with ExitStack() as stack:
        pool = stack.enter_context(Workers(workers, lock)) if workers > 1 else None
        for stage in stages:
            tasks = StageTasks(stage, folder)
            try:
                _run_stage(tasks, pool)
            except KeyboardInterrupt:
                print(f"\n{tasks.stopped()}", file=sys.stderr)
                raise SystemExit(130) from None


def _run_stage(tasks: StageTasks, pool: Workers | None) -> None:
    ranks = tasks.get_incomplete_ranks()
    if not ranks:
        return
    ended = _one_by_one(tasks, ranks) if pool is None else pool.do(tasks, ranks)
    failed = [
        (rank, error)
        for rank, error in counted(ended, tasks.stage.name, tasks.stage.tasks, len(ranks))
        if error is not None
    ]
    if failed:
        rank, error = failed[0]
        others = ", ".join(str(other) for other, _ in failed[1:])
        problem = error_line(error) + (f" [failed too: task {others}]" if others else "")
        raise tasks.failure(rank, problem) from error


def _one_by_one(tasks: StageTasks, ranks: list[int]) -> Iterator[tuple[int, Exception | None]]:
    with one_thread_here():
        for rank in ranks:
            error = tasks.do(rank)
            yield rank, error
            if error is not None:
                return
