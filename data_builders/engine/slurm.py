"""All stages as job arrays of a Slurm cluster, each waiting for the one before.

The jobs run this Python, with this working directory and this PYTHONPATH, which all nodes see
under the same paths. datatrove hands the stage over as a pickle in the stage's own folder: our
own bytes, written by the user who reads them.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from datatrove.executor.slurm import SlurmPipelineExecutor
from datatrove.utils.logging import logger

from data_builders.engine.folder import keep
from data_builders.engine.stages import BuildStage, Place, StageError
from data_builders.engine.surroundings import ONE_THREAD, import_path
from unipose.errors import ConfigError, FileError

MOST_JOBS = 1000
"""Jobs of one array; Slurm's own default limit is 1001. More tasks than this share jobs."""


class SlurmStage(SlurmPipelineExecutor):
    """One stage as one job array. One, so that `afterok` speaks for all of its tasks."""

    def __init__(self, stage: BuildStage, folder: Path, place: Place, *, after: str | None) -> None:
        super().__init__(
            pipeline=[stage.step],
            tasks=stage.tasks,
            logging_dir=str(folder / stage.name),
            time=place.slurm_time,
            partition=place.slurm,
            mem_per_cpu_gb=place.slurm_memory_gb,
            workers=place.workers or -1,
            job_name=stage.name,
            qos=place.slurm_qos,
            depends_job_id=after,
            env_command=same_surroundings(),
            mail_type="NONE",
            job_id_retriever=read_job_id,
            sbatch_args={
                "kill-on-invalid-dep": "yes",  # a stage whose forerunner failed would wait for ever
                **{name: value for name, _, value in (a.partition("=") for a in place.slurm_args)},
            },
        )
        self.tasks_per_job = -(-len(self.get_incomplete_ranks()) // MOST_JOBS) or 1

    def launch_merge_stats(self) -> None:
        """Submit no job of its own for this: `merge_stats FOLDER/stats` does it when wanted."""


def submit(stages: Sequence[BuildStage], folder: Path, place: Place) -> None:
    """Submit what is not done yet and say how to go on.

    Raises ConfigError where there is no Slurm, the folder's name cannot stand in a script, or the
    jobs of an earlier call are still queued; StageError with sbatch's words if it refuses.
    """
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        raise ConfigError("this is a Slurm job already; start the builder from a login node")
    for program in ("sbatch", "squeue"):
        if shutil.which(program) is None:
            raise ConfigError(f"no {program} on this machine; run on a login node of the cluster")
    if re.search(r"[^\w./+@:,=-]", str(folder)):
        raise ConfigError(f"Slurm scripts need a folder name without spaces or quotes: {folder}")
    if queued := _still_queued(folder):
        raise ConfigError(
            f"jobs of an earlier call are not over: {' '.join(queued)}. Wait for them (squeue), or "
            f"stop them: scancel {' '.join(queued)}"
        )
    submitted: list[str] = []
    for stage in stages:
        if job := _launch(SlurmStage(stage, folder, place, after=(submitted or [None])[-1])):
            submitted.append(job)
            keep(folder / "slurm_jobs.json", submitted)
            print(f"stage {stage.name}: job {job}", file=sys.stderr)
    if submitted:
        print("when they are over, the same command submits what failed", file=sys.stderr)
    else:
        print(f"all {len(stages)} stages are done", file=sys.stderr)


def same_surroundings() -> str:
    """Return shell lines that give a job this Python, its import path, folder and one thread."""
    variables = {"PYTHONPATH": import_path(), **ONE_THREAD}
    return "\n".join(
        [
            f"cd {shlex.quote(str(Path.cwd()))} || exit 1",
            f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
            *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()),
        ]
    )


def read_job_id(answer: str) -> str:
    """Return the job's number from what sbatch printed (a cluster's name may follow it)."""
    found = re.search(r"\d+", answer)
    if found is None:
        raise StageError(f"sbatch gave no job number: {answer.strip()!r}")
    return found[0]


def _launch(stage: SlurmStage) -> str:
    """Submit the stage and return its job id, or nothing where all is done."""
    logger.disable("datatrove")  # the same is said here in one line
    try:
        stage.launch_job()
    except subprocess.CalledProcessError as error:
        raise StageError(
            f"sbatch refused stage {stage.job_name} with exit status {error.returncode}; its words "
            "stand above. What was submitted before goes on"
        ) from error
    finally:
        logger.enable("datatrove")
    return "" if stage.job_id == -1 else str(stage.job_id)


def _still_queued(folder: Path) -> list[str]:
    """Return the jobs of the last call that Slurm still knows as waiting or running."""
    path = folder / "slurm_jobs.json"
    if not path.is_file():
        return []
    try:
        jobs = [str(int(job)) for job in json.loads(path.read_text(encoding="utf-8"))]
    except (ValueError, TypeError) as error:
        raise FileError(path, "is no list of job numbers.", "Delete it.") from error
    queue = subprocess.run(  # noqa: S603 - the jobs are numbers
        ["squeue", "--noheader", "--format=%A", f"--jobs={','.join(jobs)}"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,  # a job that was forgotten is an error to squeue and over to us
    )
    return sorted(set(queue.stdout.split()) & set(jobs), key=int)
