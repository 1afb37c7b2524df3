"""Processes of this machine that do tasks, and survive each other's death.

Not datatrove's own pool: when the system kills one of its workers (out of memory), it waits for
ever. Here every worker has its own pipe, so it is known which task died with it, and that task
is done again by a new worker while the others go on.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.reduction import DupFd
from typing import Any, NoReturn

from data_builders.engine.stages import StageError
from data_builders.engine.surroundings import one_thread_in_workers
from data_builders.engine.task import StageTasks, error_line

MOST_DEATHS = 3
"""A task that killed so many workers is not given to another."""
_PARTING_S = 5.0
"""Seconds a worker has to clean up after it was asked to stop."""


@dataclass
class _Worker:
    process: SpawnProcess
    connection: Connection
    rank: int | None = None


class Workers:
    """Up to `number` processes, started when there is work; leaving the context ends them all.

    Each keeps the file descriptor `lock` open as long as it lives.
    """

    def __init__(self, number: int, lock: int) -> None:
        self._number = number
        self._lock = lock
        self._workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        deadline = time.monotonic() + _PARTING_S
        for worker in self._workers:
            worker.connection.close()  # one that waits for work leaves by itself
            if worker.rank is not None:
                worker.process.terminate()
        for worker in self._workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
        self._workers.clear()

    def do(self, tasks: StageTasks, ranks: Sequence[int]) -> Iterator[tuple[int, Exception | None]]:
        """Give the number and the error, if any, of each task as it ends; stop after an error."""
        waiting = deque(ranks)
        deaths: Counter[int] = Counter()
        failed = False
        while waiting or any(worker.rank is not None for worker in self._workers):
            self._hand_out(tasks, waiting)
            for worker in self._ready_workers():
                rank, message = _report(worker)
                if message is not None:  # "" for a task that was done
                    worker.rank = None
                else:
                    self._workers.remove(worker)
                    worker.process.join()
                    if rank is None:
                        continue  # it died between two tasks
                    deaths[rank] += 1
                    code = worker.process.exitcode or 0
                    if code < 0 and deaths[rank] < MOST_DEATHS and not failed:
                        waiting.appendleft(rank)
                        continue
                    message = _death(code, deaths[rank])
                assert rank is not None
                if message:
                    failed = True
                    waiting.clear()
                yield rank, StageError(message) if message else None

    def _hand_out(self, tasks: StageTasks, waiting: deque[int]) -> None:
        busy = sum(worker.rank is not None for worker in self._workers)
        while waiting and busy < self._number:
            worker = next((one for one in self._workers if one.rank is None), None)
            if worker is None:
                worker = self._start()
            try:
                worker.connection.send((tasks, waiting[0]))
            except OSError:  # it died while it had nothing to do
                self._workers.remove(worker)
                worker.process.join()
                continue
            worker.rank = waiting.popleft()
            busy += 1

    def _ready_workers(self) -> list[_Worker]:
        """Wait until something happens; return the workers that reported or died."""
        connections = [worker.connection for worker in self._workers]
        sentinels = [worker.process.sentinel for worker in self._workers]
        ready = set(wait([*connections, *sentinels]))
        return [
            worker
            for worker in self._workers
            if worker.connection in ready or worker.process.sentinel in ready
        ]

    def _start(self) -> _Worker:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, _Held(self._lock)))
        resource_tracker.ensure_running()  # started here, it would undo the next line
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:  # Ctrl-C reaches all processes of a terminal; it is for us to tell the workers
            with one_thread_in_workers():
                process.start()
            self._workers.append(worker := _Worker(process, ours))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        return worker


def _report(worker: _Worker) -> tuple[int | None, str | None]:
    """Return the worker's task and what it said: "" for done, None if it died without a word."""
    try:
        return worker.rank, worker.connection.recv() if worker.connection.poll() else None
    except (EOFError, OSError):
        return worker.rank, None


def _death(code: int, times: int) -> str:
    if code >= 0:
        return f"its worker ended with exit status {code}; what it said stands above"
    name = signal.Signals(-code).name
    reason = " (out of memory? use fewer workers)" if name == "SIGKILL" else ""
    return f"its worker was killed by {name} {times} times{reason}"


class _Held:
    """A file descriptor that the worker inherits and never closes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __reduce__(self) -> tuple[Any, ...]:
        return _kept, (DupFd(self._descriptor),)


def _kept(copy: Any) -> int:
    return copy.detach()


def _work(connection: Connection, lock: int) -> None:
    """Do what comes through the connection until it is closed; the body of a worker."""
    del lock  # open as long as we live, which is all it is for
    signal.signal(signal.SIGTERM, _leave)
    sys.unraisablehook = _leave_again
    threading.Thread(target=_end_with_parent, daemon=True).start()
    while True:
        try:
            tasks, rank = connection.recv()
            error = tasks.do(rank)
            connection.send(error_line(error) if error is not None else "")
        except (EOFError, OSError):  # the parent is gone
            return


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)  # runs every `finally`, so temporary files go away


def _leave_again(lost: sys.UnraisableHookArgs) -> None:
    """Ask once more where the wish to leave fell into a finaliser, which swallows exceptions."""
    if isinstance(lost.exc_value, SystemExit):
        threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGTERM)).start()
    else:
        sys.__unraisablehook__(lost)


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_PARTING_S)
    os._exit(1)
