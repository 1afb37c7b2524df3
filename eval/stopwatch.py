"""Run a command and say when its first output came, when it ended, and how much memory it took.

A program of its own that imports nothing large: the kernel counts the memory of the process that
starts a command as the command's own, so whoever measures must be small.

    python stopwatch.py COMMAND ...      ->  {"first_s": 3.1, "total_s": 3.4, "peak_mb": 812.0, ...}
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time


def measure(command: list[str]) -> dict[str, object]:
    """Return seconds to the first byte of output and to the end, and the peak resident memory."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout is not None
        output = process.stdout.read(1)
        first = time.perf_counter() - start
        output += process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    scale = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes on Linux
    return {
        "first_s": first,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "total_s": time.perf_counter() - start,
        "peak_mb": usage.ru_maxrss * scale / 1e6,
        "status": process.returncode,
        "output": output.decode(errors="replace"),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:])))
