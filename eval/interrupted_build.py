"""Does a build that was killed again and again end with the same bytes as one that was not?"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from unipose.errors import ConfigError

LONGEST_S = 1800.0


def resumed_equal(data: Path, folder: Path, *, pictures: int) -> dict[str, int | float | bool]:
    """Build ImageScript twice from the studio, and compare every file of rows.

    Once in one go in one process; once with two workers, killed by SIGKILL with all its processes
    after each new piece of work and started again, until it ends by itself. Raises ConfigError if
    a build fails.
    """
    whole, killed = folder / "whole", folder / "killed"
    start = time.perf_counter()
    _finish(_start(data, whole, pictures, workers=1))
    taken = time.perf_counter() - start
    kills = 0
    for pieces in (1, 4, 9, 15):
        process = _start(data, killed, pictures, workers=2)
        if _wait_for(killed, pieces, process):
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        process.communicate()
    _finish(_start(data, killed, pictures, workers=2))
    rows = _digests(whole)
    return {
        "resumed_equal": bool(rows) and rows == _digests(killed),
        "kills": kills,
        "files_compared": len(rows),
        "build_s": taken,
    }


def _start(data: Path, out: Path, pictures: int, *, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "data_builders.imagescript", "--out", str(out)]
    command += ["--source", f"studio={data}", "--workers", str(workers), "--gallery", "6"]
    command += ["--counts", f"studio.train={pictures}", f"studio.test={max(2, pictures // 10)}"]
    command += ["--chunk", str(max(2, pictures // 6)), "--rows-per-file", str(pictures // 3 + 1)]
    return subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _finish(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate(timeout=LONGEST_S)
    if process.returncode:
        raise ConfigError(f"the build failed; it said: {said.strip()[-500:]}")


def _wait_for(out: Path, pieces: int, process: subprocess.Popen[str]) -> bool:
    """Wait until so many tasks are done; False if the build ended before."""
    end = time.monotonic() + LONGEST_S
    while process.poll() is None and time.monotonic() < end:
        if sum(1 for _ in out.glob(".work/log/*/completions/*")) >= pieces:
            time.sleep(0.3)  # into the next ones
            return process.poll() is None
        time.sleep(0.02)
    return False


def _digests(out: Path) -> dict[str, str]:
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.glob("*/*.parquet"))
    }
