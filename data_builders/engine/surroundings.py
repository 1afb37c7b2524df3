"""What a task finds around it, wherever it runs: our modules, and one thread.

One thread, so that two workers on two cores do not fight, and so that sums are added in the same
order however many workers there are.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}
"""Read by torch, numpy and numba when they are imported: the environment of a worker."""


def import_path() -> str:
    """Return the PYTHONPATH that lets another machine's Python find what this program imports."""
    paths = [sys.path[0] or str(Path.cwd()), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.pathsep.join(dict.fromkeys(str(Path(path).absolute()) for path in paths if path))


@contextmanager
def one_thread_in_workers() -> Iterator[None]:
    """Let processes that are started inside begin with one thread; this one stays as it is."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_thread_here() -> Iterator[None]:
    """Let torch use one thread in this process, as it does in a worker.

    numpy reads its number of threads only when it is imported; set OMP_NUM_THREADS=1 before the
    start where the last bit of large matrix products matters.
    """
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if torch:
            torch.set_num_threads(threads)
