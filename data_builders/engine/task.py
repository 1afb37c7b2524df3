"""One task of a stage, the same at every place: skipped if done, logged, marked when done."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path

from datatrove.executor.base import DistributedEnvVars, PipelineExecutor
from datatrove.utils.logging import log_pipeline, logger, setup_default_logger
from datatrove.utils.stats import PipelineStats

from data_builders.engine.stages import BuildStage, StageError
from unipose.errors import UniPoseError

_LOG_LINE = "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level: <8} | {name}:{function}:{line} - {message}"


class StageTasks(PipelineExecutor):
    """The tasks of one stage: which of them are done, and how one is done.

    The folder is laid out by datatrove (`completions/`, `logs/`, `stats/`), so its tools read it
    and every place understands what another has done.
    """

    def __init__(self, stage: BuildStage, folder: Path) -> None:
        self.stage = stage
        self.folder = folder / stage.name
        super().__init__([stage.step], str(self.folder))

    @property
    def world_size(self) -> int:
        """The number of tasks."""
        return self.stage.tasks

    def get_distributed_env(self, node_rank: int = -1) -> DistributedEnvVars:
        """Not for us: a task knows its number only, never the machine it runs on."""
        raise NotImplementedError

    def run(self) -> None:
        """Not for us: the places choose who does which task when."""
        raise NotImplementedError

    def do(self, rank: int) -> Exception | None:
        """Do one task and mark it as done; return why it failed, or None."""
        if self.is_rank_completed(rank):
            return None
        failures: list[Exception] = []
        catch = logger.catch(
            Exception,
            message=f"task {rank} of {self.stage.name} failed",
            onerror=failures.append,  # type: ignore[arg-type]
        )
        with self._logged(rank), catch:
            begin = time.perf_counter()
            step = deepcopy(self.stage.step)
            log_pipeline([step])
            deque(step(None, rank, self.stage.tasks) or (), maxlen=0)
            (self.folder / "stats").mkdir(exist_ok=True)
            with (self.folder / "stats" / f"{rank:05d}.json").open("w") as file:
                PipelineStats([step]).save_to_disk(file)
            self.mark_rank_as_completed(rank)
            logger.info(f"task {rank} done in {time.perf_counter() - begin:.2f} s")
        return failures[0] if failures else None

    def failure(self, rank: int, problem: str) -> StageError:
        """Return the error that names a task which could not be done."""
        log = self.folder / "logs" / f"task_{rank:05d}.log"
        return StageError(
            f"stage {self.stage.name}, task {rank} of {self.stage.tasks}: {problem} (log: {log}). "
            "What is done stays done: the same command goes on where it stopped."
        )

    def stopped(self) -> str:
        """Say how far a run came that the user stopped."""
        done = self.stage.tasks - len(self.get_incomplete_ranks())
        return (
            f"stopped: {done} of {self.stage.tasks} tasks of stage {self.stage.name} are done; "
            "the same command goes on from there"
        )

    @contextmanager
    def _logged(self, rank: int) -> Iterator[None]:
        """Send what datatrove and the step log to the task's file; warnings to the terminal too."""
        logger.remove()
        logger.add(self.folder / "logs" / f"task_{rank:05d}.log", format=_LOG_LINE, diagnose=False)
        logger.add(
            sys.stderr,
            level="WARNING",
            format=f"{self.stage.name}, task {rank}: {{level}}: {{message}}",
            filter=lambda record: record["exception"] is None,  # the caller reports it
        )
        try:
            yield
        finally:
            logger.remove()  # closes the file
            setup_default_logger()


def error_line(error: BaseException) -> str:
    """Return an error as one line: our own are written for users, others need their type."""
    return str(error) if isinstance(error, UniPoseError) else f"{type(error).__name__}: {error}"
