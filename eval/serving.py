"""The server under load: many clients at once, some of them hostile, and what batching is worth.

Run as `python -m eval.serving`. Requests whose answers are known are asked of a server of its own
by many clients for two minutes; every answer is compared with what the request was answered alone.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import httpx2

from eval.program import print_result, print_table, run
from eval.serving_batches import measure_batching
from eval.serving_requests import (
    HUNG_UP,
    HostileRequest,
    ServedRequest,
    hostile_requests,
    valid_requests,
)
from unipose.errors import ConfigError, EndpointError

SETTLED = 0.25
"""Share of the time after which memory is compared with that of the end."""


@dataclass(frozen=True, kw_only=True)
class ServingOptions:
    """Options of eval.serving."""

    clients: int = 32
    """How many ask at the same time, each the next request as soon as it has an answer."""
    seconds: float = 120.0
    """How long they go on."""
    hostile: float = 0.1
    """Share of requests that no server should be sent."""
    rows: int = 16
    """Rows that a model answers at once."""
    time_limit: float = 600.0
    """Of a request, seconds; a machine that does other things too needs more than the usual 60."""
    batching: int = 24
    """Requests of one round of the comparison with one at a time; 0: it is left out."""
    pictures: bool = True
    """Whether poses are also read off a picture."""
    seed: int = 0
    """Start value of who asks what."""
    json: bool = False
    """Print one JSON object as the last line."""

    def __post_init__(self) -> None:
        if self.clients < 1 or self.seconds <= 0 or not 0 <= self.hostile < 1:
            raise ConfigError("expected a client or more, some seconds, a share below 1")


@dataclass
class LoadResult:
    """What came of the load."""

    statuses: Counter[int] = field(default_factory=Counter)
    """Of valid requests."""
    hostile: Counter[str] = field(default_factory=Counter)
    """What hostile requests came to, as "kind status"."""
    seconds: list[float] = field(default_factory=list)
    """How long answered requests took."""
    wrong: int = 0
    """Answers that are those of another request."""
    differing: int = 0
    """Answers unlike the one alone, and nobody else's: rounding that tips a choice."""
    server_errors: int = 0
    unexpected: int = 0
    """Hostile requests that were answered otherwise than they should be."""


def main(options: ServingOptions) -> None:
    """Measure batching, then load a server."""
    result: dict[str, Any] = {}
    if options.batching:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            result |= pool.submit(measure_batching, options.batching, options.rows).result()
    load, resident, alone = serve_and_load(options)
    settled, last = _windows(resident)
    answered = load.statuses[200]
    ordered = sorted(load.seconds)
    result |= {
        "requests": sum(load.statuses.values()),
        "answered": answered,
        "refused_politely": load.statuses[429],
        "lost": load.statuses[HUNG_UP],
        "hostile_requests": sum(load.hostile.values()),
        "hostile_unexpected": load.unexpected,
        "wrong_answers": load.wrong,
        "differing_answers": load.differing,
        "server_errors": load.server_errors,
        "memory_mb": last / 1e6,
        "memory_growth": last / settled - 1,
        "requests_per_s": answered / options.seconds,
        "p50_s": statistics.median(ordered) if ordered else 0.0,
        "p99_s": ordered[int(0.99 * (len(ordered) - 1))] if ordered else 0.0,
        "alone_s": alone,
        "hostile": dict(sorted(load.hostile.items())),
    }
    rows = [(name, value) for name, value in result.items() if isinstance(value, int | float)]
    print_table(f"A server and {options.clients} clients", ["", "value"], rows)
    print_result(result, as_json=options.json)


def serve_and_load(options: ServingOptions) -> tuple[LoadResult, list[float], float]:
    """Return what came of the load, the server's memory (bytes), and seconds of a request alone."""
    with _server(options) as (url, process):
        return asyncio.run(_load(options, url, process.pid))


@contextmanager
def _server(options: ServingOptions) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Give the address of a server in a process of its own."""
    command = [sys.executable, "-m", "unipose.app.cli", "serve", "--port", "0"]
    command += ["--rows", str(options.rows), "--time-limit", str(options.time_limit)]
    command += ["--eyes", "own"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line.startswith("serving on "):
                raise EndpointError("the server did not start; its own message stands above")
            yield line.split()[2], process
        finally:
            process.terminate()


async def _load(
    options: ServingOptions, url: str, pid: int
) -> tuple[LoadResult, list[float], float]:
    valid = valid_requests(pictures=options.pictures)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx2.AsyncClient(
        base_url=url, timeout=options.time_limit + 60, limits=limits
    ) as client:
        begin = time.monotonic()
        for request in valid:
            answer = await client.post(request.path, json=request.content)
            if answer.status_code != 200:
                raise EndpointError(
                    f"{request.path} alone is answered {answer.status_code}: {answer.text[:200]}"
                )
            request.expected = request.said(answer.json())
        alone = (time.monotonic() - begin) / len(valid)
        load, resident = LoadResult(), [_resident(pid)]
        hostile = hostile_requests(valid)
        until = time.monotonic() + options.seconds
        watch = asyncio.create_task(_watch(pid, resident))
        clients = [
            _client(
                client, load, valid, hostile, options, until, random.Random(f"{options.seed} {i}")
            )
            for i in range(options.clients)
        ]
        await asyncio.gather(*clients)
        watch.cancel()
        resident.append(_resident(pid))
        health = await client.get("/health")
        if health.status_code != 200:
            raise EndpointError("the server is not well after the load")
    return load, resident, alone


async def _client(
    client: httpx2.AsyncClient,
    load: LoadResult,
    valid: list[ServedRequest],
    hostile: list[HostileRequest],
    options: ServingOptions,
    until: float,
    draws: random.Random,
) -> None:
    while time.monotonic() < until:
        if draws.random() < options.hostile:
            bad = draws.choice(hostile)
            status = await bad.send(client)
            load.hostile[f"{bad.kind} {status}"] += 1
            load.unexpected += status not in bad.expected
            load.server_errors += status == 500
            continue
        asked = draws.choice(valid)
        begin = time.monotonic()
        try:
            answer = await client.post(asked.path, json=asked.content)
        except httpx2.TransportError:
            load.statuses[HUNG_UP] += 1
            continue
        load.statuses[answer.status_code] += 1
        load.server_errors += answer.status_code >= 500
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers.get("retry-after", "1")))
        if answer.status_code != 200:
            continue
        load.seconds.append(time.monotonic() - begin)
        said = asked.said(answer.json())
        if said != asked.expected:
            others = [one.expected for one in valid if one.path == asked.path]
            load.wrong += said in others or asked.mark(said) != asked.mark(asked.expected)
            load.differing += said not in others


async def _watch(pid: int, resident: list[float]) -> None:
    while True:
        await asyncio.sleep(1.0)
        resident.append(_resident(pid))


def _resident(pid: int) -> float:
    """Return the bytes of memory that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096.0


def _windows(resident: list[float]) -> tuple[float, float]:
    """Return the usual memory a while after the beginning, and at the end."""
    size = max(1, len(resident) // 10)
    begin = int(SETTLED * len(resident))
    return statistics.median(resident[begin : begin + size]), statistics.median(resident[-size:])


if __name__ == "__main__":
    run(main, ServingOptions)
