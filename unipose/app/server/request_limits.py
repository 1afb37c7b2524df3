"""What surrounds a request: who may ask, how many at once, how long, whether it is still wanted.

A body's size is counted as it comes in (FastAPI's own `max_body_size` answers in a form of its own,
and serves films alone). A request is counted when its body is there; its work is cancelled when its
time is over or its client has gone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from unipose.app.server.refusals import RefusalError
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings

OPEN = ("/health",)
"""Paths that no key is asked for."""
COUNTED = "/v1/"
"""Beginning of the paths whose requests are counted and limited in time."""
UNCOUNTED = "/v1/work"
"""Beginning of those that are not: films go to disk as they come, and take their time."""
GONE = 499
"""Status that requests are counted under whose client has gone; it is sent to nobody."""
LAST_WORDS_S = 5.0
"""Beyond the time limit: to say that it is over, or to an answer that is read slowly."""


class RequestLimits:
    """Middleware of ASGI; see the module."""

    def __init__(self, app: ASGIApp, *, settings: ServerSettings, metrics: ServerMetrics) -> None:
        self.app, self.settings, self.metrics = app, settings, metrics
        self._keys = [_digest(key.encode()) for key in settings.keys]
        self._active = 0
        self._bytes = 0
        self._usual_s = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._stranger(scope)
        film = scope["path"].startswith(UNCOUNTED)
        if refusal is None and not film:
            refusal = self._too_large(scope)
            receive = self._sized(receive)
        if refusal is not None:
            await refusal.response()(scope, receive, send)
        elif scope["path"].startswith(COUNTED) and not film:
            await self._limited(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _stranger(self, scope: Scope) -> RefusalError | None:
        """Return why somebody may not ask at all."""
        headers = Headers(scope=scope)
        hosts = self.settings.hosts
        if hosts and _without_port(headers.get("host", "")) not in hosts:
            return RefusalError(421, "this server does not go by the name in the Host header")
        if not self._keys or scope["path"] in OPEN:
            return None
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        digest = _digest(shown.strip().encode("latin-1"))  # as headers were decoded
        # all are compared, each in constant time: how long it takes tells nothing
        known = [hmac.compare_digest(digest, key) for key in self._keys]
        if scheme.lower() == "bearer" and any(known):
            return None
        return RefusalError(401, "a key is needed: Authorization: Bearer KEY")

    def _too_large(self, scope: Scope) -> RefusalError | None:
        """Return why a body that says its size is not read."""
        said = Headers(scope=scope).get("content-length", "")
        if said.isdecimal() and int(said) > self.settings.largest_body:
            return RefusalError(413, self._most())
        return None

    def _sized(self, receive: Receive) -> Receive:
        """Return `receive`, which raises HTTPException 413 where a body becomes too large."""
        taken = 0

        async def receive_part() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.settings.largest_body:
                raise HTTPException(413, self._most())
            return message

        return receive_part

    def _most(self) -> str:
        return f"at most {self.settings.largest_body:,} bytes are read"

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        counted = _Counted(receive=receive, send=send, enter=self._enter, take=self._take)
        begin = time.monotonic()
        scope["unipose.deadline"] = begin + self.settings.time_limit_s
        work = asyncio.ensure_future(self.app(scope, counted.receive_part, counted.send_part))
        watch = asyncio.ensure_future(counted.until_gone())
        late = False
        try:
            async with asyncio.timeout(self.settings.time_limit_s + LAST_WORDS_S):
                await asyncio.wait({work, watch}, return_when=asyncio.FIRST_COMPLETED)
                if not work.done() and counted.complete:
                    await work
        except TimeoutError:
            late = True
        finally:
            status = 504 if late else counted.status if work.done() else GONE
            for task in (work, watch):
                task.cancel()
            await asyncio.gather(work, watch, return_exceptions=True)
            self._bytes -= counted.bytes
            if counted.entered:
                self._active -= 1
            took = time.monotonic() - begin
            self._usual_s += 0.1 * (took - self._usual_s)
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.count_request(route, status, took)
            self.metrics.active.set(self._active)
        if late and not counted.started:
            refusal = RefusalError(504, f"no answer within {self.settings.time_limit_s:g} s")
            await refusal.response()(scope, receive, send)
        elif work.done() and not work.cancelled() and (error := work.exception()) is not None:
            raise error

    def _enter(self) -> None:
        """Count a request whose body is there. Raises HTTPException 429."""
        most = self.settings.most_active + self.settings.most_waiting
        if self._active >= most:
            wait = math.ceil(self._usual_s * most / self.settings.most_active)
            raise HTTPException(
                429, f"{most} requests are being worked on; come back later",
                {"Retry-After": str(min(max(wait, 1), 30))},
            )  # fmt: skip
        self._active += 1
        self.metrics.active.set(self._active)

    def _take(self, count: int) -> None:
        """Count bytes of a body. Raises HTTPException 429."""
        self._bytes += count
        if self._bytes > self.settings.most_body_bytes:
            raise HTTPException(
                429, "too much is being received at once; come back later", {"Retry-After": "1"}
            )


@dataclass(kw_only=True)
class _Counted:
    """The two ends of one request, watched."""

    receive: Receive
    send: Send
    enter: Callable[[], None]
    take: Callable[[int], None]
    bytes: int = 0
    entered: bool = False
    started: bool = False
    complete: bool = False
    status: int = 500
    _whole: asyncio.Event = field(default_factory=asyncio.Event)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive_part(self) -> Message:
        """Return the next part of the body; behind the last only that the client has gone."""
        if self._whole.is_set():
            await self._gone.wait()
            return {"type": "http.disconnect"}
        message = await self.receive()
        if message["type"] != "http.request":
            return message
        size = len(message.get("body", b""))
        self.bytes += size
        self.take(size)
        if not message.get("more_body", False):
            self.enter()
            self.entered = True
            self._whole.set()
        return message

    async def send_part(self, message: Message) -> None:
        """Send a part of the answer."""
        if message["type"] == "http.response.start":
            self.started, self.status = True, int(message["status"])
        await self.send(message)
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True

    async def until_gone(self) -> None:
        """Return when the client has gone."""
        await self._whole.wait()
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self.receive()
        self._gone.set()


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()


def _without_port(host: str) -> str:
    """Return the name of a Host header: "[::1]:80" -> "[::1]", "localhost:80" -> "localhost"."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()
