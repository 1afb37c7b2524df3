"""How many threads a training process computes with.

`accelerate launch` and torchrun start every process with OMP_NUM_THREADS=1 unless it is set;
on a CPU that leaves all other cores idle. So the programs share out the cores themselves.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from unipose.available_cores import available_cores
from unipose.errors import ConfigError

WORKER_SHARE = 0.25
"""Of a core, that a process which draws batches needs while a step is computed."""

LAUNCHERS = ("ACCELERATE_MIXED_PRECISION", "TORCHELASTIC_RUN_ID")
"""What a launcher that sets OMP_NUM_THREADS=1 by itself leaves in the environment."""


def choose_threads(
    *, asked: int = 0, workers: int = 0, cores: int, environment: Mapping[str, str]
) -> int:
    """Return the threads of one process: `asked`, or its share of the cores, at least 1.

    OMP_NUM_THREADS is respected, unless it is the 1 of a launcher. The share is what the processes
    of this machine (LOCAL_WORLD_SIZE) and their batch workers leave: of 16 cores, 4 processes with
    one worker each take 4 threads each.
    """
    if asked < 0:
        raise ConfigError(f"threads is at least 1, or 0 to share out the cores, got {asked}")
    if asked:
        return asked
    setting = environment.get("OMP_NUM_THREADS", "")
    launched = any(name in environment for name in LAUNCHERS)
    if setting.isdigit() and int(setting) > 0 and not (launched and setting == "1"):
        return int(setting)
    processes = int(environment.get("LOCAL_WORLD_SIZE", "1"))
    return max(1, round(cores / processes - workers * WORKER_SHARE))


def set_threads(*, asked: int = 0, workers: int = 0) -> str:
    """Set torch's threads of this process; return a sentence that says what was chosen."""
    cores = available_cores()
    threads = choose_threads(asked=asked, workers=workers, cores=cores, environment=os.environ)
    torch.set_num_threads(threads)
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return (
        f"{processes} process(es) of {threads} thread(s) on {cores} core(s), "
        f"{workers} batch worker(s) each"
    )
