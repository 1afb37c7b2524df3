"""What is built and where: stages of independent tasks, and the places that can run them."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler

from datatrove.pipeline.base import PipelineStep

from unipose.errors import ConfigError, UniPoseError


class StageError(UniPoseError, RuntimeError):
    """A stage could not be finished; the message names its tasks, why, and how to go on."""


@dataclass(frozen=True, kw_only=True)
class BuildStage:
    """One round over all tasks; the next stage begins when every task of this one is done."""

    name: str
    """Folder of its logs and completion markers."""
    step: PipelineStep
    """Its run(data, rank, world_size) does task number `rank` of `world_size`."""
    tasks: int
    """Fixed by what is built, never by the number of workers."""

    def __post_init__(self) -> None:
        if not self.name or self.name.startswith(".") or "/" in self.name:
            raise ConfigError(f"a stage's name is a folder's name, got {self.name!r}")
        if self.tasks < 1:
            raise ConfigError(f"stage {self.name} needs at least 1 task, got {self.tasks}")
        try:
            ForkingPickler.dumps(self.step)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                f"the step of stage {self.name} cannot be sent to a worker ({error}); "
                "let it hold plain data and open files inside run()"
            ) from error


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where the tasks run: processes on this machine, a Slurm partition, or a Ray cluster."""

    workers: int = 0
    """Processes here (0: one per core); for Slurm and Ray: tasks at once (0: no limit).
    1 does the tasks in this very process."""
    slurm: str = ""
    """Partition of a Slurm cluster; all is submitted at once and the command returns."""
    slurm_time: str = "04:00:00"
    """Time limit of one Slurm job."""
    slurm_memory_gb: int = 4
    slurm_qos: str = ""
    slurm_args: tuple[str, ...] = ()
    """More for sbatch, as name=value: account=poses constraint=avx512."""
    ray: str = ""
    """Address of a running Ray cluster: auto, or 127.0.0.1:6379."""

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"workers must be 0 (one per core) or more, got {self.workers}")
        if self.slurm and self.ray:
            raise ConfigError(
                f"choose one place: the Slurm partition {self.slurm!r} or the Ray cluster "
                f"{self.ray!r}"
            )
        if self.slurm_memory_gb < 1:
            raise ConfigError(f"slurm_memory_gb must be at least 1, got {self.slurm_memory_gb}")
        for argument in self.slurm_args:
            if argument.startswith("-") or any(c.isspace() for c in argument):
                raise ConfigError(
                    f"slurm_args are written name=value, without dashes or spaces, got {argument!r}"
                )
