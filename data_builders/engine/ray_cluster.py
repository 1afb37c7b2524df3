"""All stages on a running Ray cluster: one Ray task per task, spread over its nodes.

Not datatrove's own loop: it puts a process pool into each actor, which waits for ever when its
process is killed, and it ends without an error when tasks fail. Ray does a task again by itself
when its worker or its node dies.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_builders.engine.stages import BuildStage, Place, StageError
from data_builders.engine.surroundings import ONE_THREAD, import_path
from data_builders.engine.task import StageTasks, error_line
from data_builders.engine.terminal import counted
from unipose.errors import ConfigError

MOST_RETRIES = 2
"""How often Ray gives a task to a new worker after the one before died."""


def run_on_ray(stages: Sequence[BuildStage], folder: Path, place: Place) -> None:
    """Do all open tasks on the cluster at `place.ray`, at most `place.workers` at once (0: any).

    The nodes need this Python environment and see code and folder under the same paths.
    Raises ConfigError without ray or without the cluster, StageError naming the tasks that failed.
    """
    ray = _ray()
    with _connected(ray, place.ray):
        for stage in stages:
            tasks = StageTasks(stage, folder)
            try:
                _run_stage(ray, tasks, at_once=place.workers)
            except KeyboardInterrupt:
                print(f"\n{tasks.stopped()}", file=sys.stderr)
                raise SystemExit(130) from None


def _run_stage(ray: Any, tasks: StageTasks, *, at_once: int) -> None:
    ranks = tasks.get_incomplete_ranks()
    if not ranks:
        return
    ended = _ended(ray, tasks, ranks, at_once)
    failed = [
        (rank, message)
        for rank, message in counted(ended, tasks.stage.name, tasks.stage.tasks, len(ranks))
        if message
    ]
    if failed:
        others = ", ".join(str(rank) for rank, _ in failed[1:])
        rank, message = failed[0]
        raise tasks.failure(rank, message + (f" [failed too: task {others}]" if others else ""))
    if left := tasks.get_incomplete_ranks():
        raise StageError(
            f"stage {tasks.stage.name}: the cluster did task {', '.join(map(str, left))} and no "
            f"marker came back to {tasks.folder}; let all nodes see this folder"
        )


def _ended(
    ray: Any, tasks: StageTasks, ranks: Sequence[int], at_once: int
) -> Iterator[tuple[int, str]]:
    """Give the number of each task as it ends, and why it failed or nothing; stop after a failure.

    Without a limit the cluster holds twice as many tasks as it has cores: none ever idles, a
    cluster that can grow sees why it should, and after a failure little is left to run.
    """
    do = ray.remote(num_cpus=1, max_retries=MOST_RETRIES, scheduling_strategy="SPREAD")(_do)
    handed_over = ray.put(tasks)
    waiting = list(reversed(ranks))
    running: dict[Any, int] = {}
    while waiting or running:
        limit = at_once or 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        while waiting and len(running) < limit:
            rank = waiting.pop()
            running[do.remote(handed_over, rank)] = rank
        ended, _ = ray.wait(list(running))
        for reference in ended:
            rank = running.pop(reference)
            message = _message(ray, reference)
            if message:
                waiting.clear()
            yield rank, message


def _message(ray: Any, reference: Any) -> str:
    """Return why a task failed, or nothing."""
    try:
        return ray.get(reference)
    except ray.exceptions.WorkerCrashedError:
        return f"its worker died {MOST_RETRIES + 1} times (out of memory?)"
    except ray.exceptions.RayError as error:
        return error_line(error)


def _do(tasks: StageTasks, rank: int) -> str:
    error = tasks.do(rank)
    return error_line(error) if error is not None else ""


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connect to the cluster; a connection that the caller made before is used and kept."""
    if ray.is_initialized():
        yield
        return
    variables = {"PYTHONPATH": import_path(), **ONE_THREAD}
    try:
        _check_port(address)
        ray.init(address=address, runtime_env={"env_vars": variables}, logging_level="warning")
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"no Ray cluster at {address!r} ({error}); start one with: ray start --head"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _check_port(address: str) -> None:
    """Raise OSError where no port is open: ray itself tries for minutes."""
    host, _, port = address.rpartition("/")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def _ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "the package ray is not installed; install it: pip install 'unipose[ray]'"
        ) from error
    return ray
