"""How the page's answers leave: streamed as they are made, as downloads, as pictures kept ready."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from fastapi import HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from unipose.app.page.page_session import Emit, PageEvent, PageSession
from unipose.app.wording import problem_in_words
from unipose.errors import UniPoseError
from unipose.files.atomic import written_whole

HEARTBEAT_S = 1.0
"""An empty line goes out so often, so that a page that has gone is noticed."""


def streamed(
    pool: Executor, session: PageSession, work: Callable[[Emit], None]
) -> StreamingResponse:
    """Return what `work` tells, a line of JSON each, as soon as it is told.

    `work` runs in `pool`; if nobody listens any more the session is told to stop.
    """
    return StreamingResponse(
        _lines(pool, session, work),
        media_type="application/x-ndjson",
        headers={"X-Accel-Buffering": "no"},  # proxies hand each line on at once
    )


async def _lines(
    pool: Executor, session: PageSession, work: Callable[[Emit], None]
) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[PageEvent | None] = asyncio.Queue()

    def emit(event: PageEvent | None) -> None:
        loop.call_soon_threadsafe(told.put_nowait, event)

    def run() -> None:
        try:
            work(emit)
        except UniPoseError as error:
            emit({"kind": "error", "text": problem_in_words(error)})
        except BaseException:
            emit({"kind": "error", "text": "Something went wrong here; the server's log says what"})
            raise
        finally:
            emit(None)

    pool.submit(run)
    ended = False
    try:
        while not ended:
            try:
                event = await asyncio.wait_for(told.get(), HEARTBEAT_S)
            except TimeoutError:
                yield b"\n"
                continue
            ended = event is None
            if event is not None:
                yield json.dumps(event, ensure_ascii=False).encode() + b"\n"
    finally:
        if not ended:
            session.stop()


@contextmanager
def problems_told() -> Iterator[None]:
    """Turn what a visitor did wrong into an answer that says so (422)."""
    try:
        yield
    except (UniPoseError, OSError) as error:
        raise HTTPException(422, problem_in_words(error)) from error


async def receive(request: Request, path: Path, most_bytes: int) -> None:
    """Write what is sent into a file, which appears whole or not at all; 413 if it is too much."""
    size = 0
    with written_whole(path) as temporary, temporary.open("wb") as file:
        async for piece in request.stream():
            size += len(piece)
            if size > most_bytes:
                raise HTTPException(413, f"{path.name} is larger than {most_bytes:,} bytes")
            file.write(piece)


def download(content: bytes, name: str) -> Response:
    """Return bytes that a browser keeps as a file and never shows."""
    return Response(
        content,
        media_type="application/octet-stream",
        headers={"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"},
    )


class KeptPictures:
    """Pictures that take a while to draw, kept under a name; the oldest ones go."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._drawing = threading.Lock()

    def of(self, name: str, draw: Callable[[], bytes]) -> bytes:
        """Return a picture, drawn if it is not there; one is drawn at a time."""
        kept = self._kept.get(name)
        if kept is not None:
            return kept
        with self._drawing:
            if name not in self._kept:
                self._kept[name] = draw()
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
            return self._kept[name]
