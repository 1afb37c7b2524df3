"""A real Ray cluster of two nodes with one core each, both on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from unittest.mock import patch

_START_S = 120.0


@contextmanager
def two_nodes() -> Iterator[str]:
    """Give the address of a cluster; all of its processes are ended, whatever happens."""
    with cluster() as (address, _):
        yield address


@contextmanager
def cluster(**environment: str) -> Iterator[tuple[str, Callable[[], None]]]:
    """Give the address of a cluster and what kills its second node; `environment` is of both."""
    with ExitStack() as stack:
        # a token that another cluster has left in the home folder is none of this one's
        stack.enter_context(patch.dict(os.environ, RAY_AUTH_MODE="disabled"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ray")))
        port, client_port = _free_port(), _free_port()
        head = ["--head", "--node-ip-address=127.0.0.1", f"--port={port}"]
        head += [f"--ray-client-server-port={client_port}", f"--temp-dir={folder}"]
        processes = [
            stack.enter_context(_node(folder / f"{name}.log", options, environment))
            for name, options in {
                "head": [*head, "--include-dashboard=false"],
                "second": [f"--address=127.0.0.1:{port}"],
            }.items()
        ]
        yield f"127.0.0.1:{port}", lambda: os.killpg(processes[1].pid, signal.SIGKILL)


@contextmanager
def _node(
    log: Path, options: list[str], environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    limits = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
    ray = Path(sys.executable).with_name("ray")
    with log.open("w") as file:
        process = subprocess.Popen(
            [ray, "start", *options, *limits],
            stdout=file,
            stderr=file,
            env={
                **os.environ,
                **environment,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_worker_niceness": "0",  # by default its workers starve on a busy machine
            },
            start_new_session=True,  # a group of its own, which ends as one
        )
    try:
        deadline = time.monotonic() + _START_S
        while "Ray runtime started" not in log.read_text():
            said = log.read_text()
            assert process.poll() is None, said
            assert time.monotonic() < deadline, said
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        with suppress(ProcessLookupError):  # all gone
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
