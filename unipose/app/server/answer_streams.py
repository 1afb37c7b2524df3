"""Answers as asynchronous streams: pieces of text, then what the whole came to.

    async for news in models.stream(ask, deadline): ...      # "The", " left", ..., Answered(...)

`LocalModels` answers with the models of this process; `ray_serving.RayModels` with those of others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from threading import Event
from typing import Protocol, runtime_checkable

from unipose.app.server.answering import ServedModels
from unipose.app.server.asks import Answered, Ask
from unipose.app.server.refusals import RefusalError
from unipose.app.server.row_worker import WorkCancelledError
from unipose.app.server.server_metrics import ServerMetrics

Piece = str
News = Piece | Answered


@runtime_checkable
class AnsweringModels(Protocol):
    """Whoever answers asks."""

    metrics: ServerMetrics

    def stream(self, ask: Ask, deadline: float) -> AsyncGenerator[News, None]:
        """Give the answer's text in pieces, then the answer.

        Raises what `ServedModels.answer` raises, RefusalError 504 at the deadline (of
        `time.monotonic`). Whoever stops listening (`aclose`) ends the work.
        """
        ...

    def close(self) -> None:
        """End what works in the background."""
        ...


class LocalModels:
    """Models of this process."""

    def __init__(self, served: ServedModels, *, most_active: int = 32) -> None:
        self.served, self.metrics = served, served.metrics
        self._threads = ThreadPoolExecutor(most_active, thread_name_prefix="answer")

    async def stream(self, ask: Ask, deadline: float) -> AsyncGenerator[News, None]:
        """Give the answer; see `AnsweringModels.stream`."""
        loop, cancelled = asyncio.get_running_loop(), Event()
        news: asyncio.Queue[News | BaseException] = asyncio.Queue()

        def tell(piece: News | BaseException) -> None:
            loop.call_soon_threadsafe(news.put_nowait, piece)

        def work() -> None:
            try:
                tell(self.served.answer(ask, tell, cancelled))
            except BaseException as error:  # noqa: BLE001 (raised where it is awaited)
                tell(error)

        future = self._threads.submit(work)
        try:
            while True:
                async with asyncio.timeout(max(deadline - time.monotonic(), 0)):
                    piece = await news.get()
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
                if isinstance(piece, Answered):
                    self.metrics.tokens.inc(piece.answer_tokens)
                    return
        except WorkCancelledError as error:
            raise RefusalError(503, "the server is closing", retry_s=5) from error
        except TimeoutError as error:
            raise RefusalError(504, "the answer took too long and was given up") from error
        finally:
            cancelled.set()
            future.cancel()

    def close(self) -> None:
        """End the workers and wait for the threads."""
        self.served.close()
        self._threads.shutdown(cancel_futures=True)


async def answer_of(models: AnsweringModels, ask: Ask, deadline: float) -> Answered:
    """Return the whole answer to an ask."""
    async with aclosing(models.stream(ask, deadline)) as stream:
        async for news in stream:
            if isinstance(news, Answered):
                return news
    raise RuntimeError("a stream of answers ended without an answer")
