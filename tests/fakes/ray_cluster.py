"""A real Ray cluster of two nodes with one core each, both on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

_START_S = 120.0


@contextmanager
def two_nodes() -> Iterator[str]:
    """Give the address of a cluster; all of its processes are ended, whatever happens."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ray")))
        port, client_port = _free_port(), _free_port()
        head = ["--head", "--node-ip-address=127.0.0.1", f"--port={port}"]
        head += [f"--ray-client-server-port={client_port}", f"--temp-dir={folder}"]
        for name, options in {
            "head": [*head, "--include-dashboard=false"],
            "second": [f"--address=127.0.0.1:{port}"],
        }.items():
            stack.enter_context(_node(folder / f"{name}.log", options))
        yield f"127.0.0.1:{port}"


@contextmanager
def _node(log: Path, options: list[str]) -> Iterator[None]:
    limits = ["--num-cpus=1", "--object-store-memory=80000000", "--disable-usage-stats", "--block"]
    ray = Path(sys.executable).with_name("ray")
    with log.open("w") as file:
        process = subprocess.Popen(
            [ray, "start", *options, *limits],
            stdout=file,
            stderr=file,
            env={
                **os.environ,
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
        yield
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
