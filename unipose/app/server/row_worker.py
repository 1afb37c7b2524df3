"""One thread that alone uses a model: rows that wait at the same time are answered together.

Whoever wants an answer makes a row, gives it to the worker and listens to what comes back. A row is
the only link between the two: an answer cannot reach anybody else.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from unipose.app.server.server_metrics import ServerMetrics

log = logging.getLogger(__name__)


class WorkCancelledError(Exception):
    """Work that nobody waits for any more was given up."""


@dataclass(kw_only=True, eq=False)
class QueuedRow:
    """Work for a model; `told` are its news in order: pieces, the end, or why there is none."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    """Set where the whole request is not wanted any more; the worker then lets go of the row."""
    left: bool = False
    """Nobody listens any more."""
    told: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def tell(self, piece: object) -> None:
        """Tell whoever listens a piece of the answer."""
        self.told.put((piece, False))

    def end(self, error: BaseException | None = None) -> None:
        """Tell whoever listens that this was all, or why it is not."""
        self.told.put((error, True))

    def listen(self) -> Iterator[Any]:
        """Give the pieces until the end; raises what went wrong."""
        try:
            while True:
                piece, ended = self.told.get()
                if not ended:
                    yield piece
                elif piece is None:
                    return
                else:
                    raise piece
        finally:
            self.left = True

    @property
    def unwanted(self) -> bool:
        """Whether the answer is of no use to anybody."""
        return self.left or self.cancelled.is_set()


RowT = TypeVar("RowT", bound=QueuedRow)


@runtime_checkable
class RowEngine(Protocol[RowT]):
    """What runs rows: `PoseEngine`, `SpeakerEngine`. Only the worker's thread calls it."""

    name: str

    def choose(self, waiting: Sequence[RowT], most: int) -> list[RowT]:
        """Return those of the waiting rows that may join now; with them at most `most` run."""
        ...

    def join(self, rows: Sequence[RowT]) -> None:
        """Begin to answer rows."""
        ...

    def step(self) -> None:
        """Go on with all rows that run; those that are finished have been told so, and left."""
        ...

    def running(self) -> list[RowT]:
        """Return the rows that are not finished."""
        ...

    def drop(self, rows: Sequence[RowT]) -> None:
        """Let go of rows."""
        ...


class RowWorker(Generic[RowT]):
    """The thread of one model."""

    def __init__(
        self,
        engine: RowEngine[RowT],
        *,
        most_rows: int = 16,
        gather_s: float = 0.004,
        metrics: ServerMetrics | None = None,
    ) -> None:
        self.engine, self.most_rows, self.gather_s = engine, most_rows, gather_s
        self.metrics = metrics or ServerMetrics()
        self._waiting: list[RowT] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=engine.name, daemon=True)
        self._thread.start()

    def submit(self, row: RowT) -> RowT:
        """Let a row wait for its turn, and return it."""
        with self._changed:
            if self._closed:
                row.end(WorkCancelledError("the server is closing"))
            else:
                self._waiting.append(row)
                self._changed.notify()
        return row

    def close(self) -> None:
        """End the thread; what still waits or runs is given up."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            running = self.engine.running()
            with self._changed:
                if not self._waiting and not running:
                    self._changed.wait_for(lambda: self._waiting or self._closed)
                    self._gather()
                if self._closed:
                    break
                left = [row for row in self._waiting if row.unwanted]
                chosen = self.engine.choose(
                    [row for row in self._waiting if row not in left], self.most_rows
                )
                gone = {id(row) for row in (*left, *chosen)}
                self._waiting = [row for row in self._waiting if id(row) not in gone]
            for row in left:
                row.end(WorkCancelledError())
            self._run(chosen)
        for row in (*self.engine.running(), *self._waiting):
            row.end(WorkCancelledError("the server is closing"))

    def _gather(self) -> None:
        """Wait a moment for those who come at the same time as the first."""
        until = time.monotonic() + self.gather_s
        while len(self._waiting) < self.most_rows and not self._closed:
            if not self._changed.wait(max(until - time.monotonic(), 0)):
                return

    def _run(self, chosen: list[RowT]) -> None:
        engine = self.engine
        try:
            unwanted = [row for row in engine.running() if row.unwanted]
            engine.drop(unwanted)
            for row in unwanted:
                row.end(WorkCancelledError())
            engine.join(chosen)
            if rows := engine.running():
                self.metrics.count_rows(engine.name, len(rows))
                engine.step()
        except Exception as error:
            log.exception("a batch of %s failed", engine.name)
            broken = engine.running()
            engine.drop(broken)
            for row in {id(row): row for row in (*broken, *chosen)}.values():
                row.end(error)
