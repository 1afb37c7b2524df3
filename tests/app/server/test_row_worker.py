from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from unipose.app.server.row_worker import QueuedRow, RowWorker, WorkCancelledError


@dataclass(kw_only=True, eq=False)
class _Echo(QueuedRow):
    number: int
    steps: int = 3


class _Echoes:
    """Says each row's number once a step; `sizes` are the rows of each step."""

    name = "echo"

    def __init__(self) -> None:
        self.rows: list[_Echo] = []
        self.sizes: list[int] = []
        self.may_go = threading.Event()
        self.may_go.set()

    def choose(self, waiting: Sequence[_Echo], most: int) -> list[_Echo]:
        return list(waiting[: most - len(self.rows)])

    def join(self, rows: Sequence[_Echo]) -> None:
        self.rows += rows

    def step(self) -> None:
        self.may_go.wait()
        self.sizes.append(len(self.rows))
        if any(row.number < 0 for row in self.rows):
            raise ArithmeticError("a mistake")
        for row in self.rows:
            row.tell(row.number)
            row.steps -= 1
            if row.steps == 0:
                row.end()
        self.rows = [row for row in self.rows if row.steps]

    def running(self) -> list[_Echo]:
        return list(self.rows)

    def drop(self, rows: Sequence[_Echo]) -> None:
        self.rows = [row for row in self.rows if row not in rows]


@pytest.fixture
def worker() -> Iterator[RowWorker[_Echo]]:
    worker = RowWorker(_Echoes(), most_rows=8)
    yield worker
    worker.engine.may_go.set()  # type: ignore[attr-defined]
    worker.close()


def test_each_gets_the_answer_to_its_own_row(worker: RowWorker[_Echo]):
    def ask(number: int) -> list[int]:
        return list(worker.submit(_Echo(number=number, steps=1 + number % 5)).listen())

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(ask, range(200)))
    assert found == [[number] * (1 + number % 5) for number in range(200)]
    assert max(worker.engine.sizes) > 1  # type: ignore[attr-defined]
    assert max(worker.engine.sizes) <= 8  # type: ignore[attr-defined]


def test_a_row_that_nobody_listens_to_leaves(worker: RowWorker[_Echo]):
    row = worker.submit(_Echo(number=1, steps=10**9))
    heard = row.listen()
    next(heard)
    heard.close()
    end = time.monotonic() + 5
    while worker.engine.running() and time.monotonic() < end:
        time.sleep(0.01)
    assert not worker.engine.running()


def test_a_row_that_is_cancelled_while_it_waits_is_told_so(worker: RowWorker[_Echo]):
    worker.engine.may_go.clear()  # type: ignore[attr-defined]
    worker.submit(_Echo(number=1))
    row = _Echo(number=2)
    row.cancelled.set()
    worker.submit(row)
    worker.engine.may_go.set()  # type: ignore[attr-defined]
    with pytest.raises(WorkCancelledError):
        list(row.listen())


def test_a_mistake_ends_its_batch_and_not_the_worker(worker: RowWorker[_Echo]):
    with pytest.raises(ArithmeticError, match="a mistake"):
        list(worker.submit(_Echo(number=-1)).listen())
    assert list(worker.submit(_Echo(number=5)).listen()) == [5, 5, 5]


def test_what_comes_after_the_end_is_refused():
    worker = RowWorker(_Echoes())
    worker.close()
    with pytest.raises(WorkCancelledError, match="closing"):
        list(worker.submit(_Echo(number=1)).listen())
