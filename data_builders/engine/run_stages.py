"""What is built, in which order, and where: stages of independent tasks, run to the end.

A stage is one datatrove step and a fixed number of tasks. Every place runs the same tasks and
leaves the same marker for each that is done (`folder/STAGE/completions/00003`), so a run that was
stopped goes on where it stopped, and may even go on somewhere else.

What a step must keep to:
- it can be pickled, and its module can be imported (what runs lies behind `if __name__ == ...`);
- every task begins with a fresh copy of it; what should live longer belongs to its module
  (`functools.cache`), and stays as long as the process;
- a task's files depend on its number alone and appear whole (`unipose.files.atomic`), for a task
  that was killed is done again from its beginning. A task stopped by SIGKILL leaves its temporary
  file behind;
- on Slurm and Ray all paths lie on a disk that every machine sees.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from data_builders.engine.folder import keep, sole_use
from data_builders.engine.stages import BuildStage, Place
from data_builders.engine.task import StageTasks
from unipose.available_cores import available_cores
from unipose.errors import ConfigError, FileError


def run_stages(stages: Sequence[BuildStage], folder: Path, place: Place) -> None:
    """Do every task that is not done yet, stage after stage; logs and markers go to `folder`.

    On this machine and on Ray it returns when all is done. On Slurm it returns as soon as the jobs
    are submitted; called again after they ended it submits what failed, or nothing (`stages_done`).
    The number of workers never changes what is written: tasks get one thread each everywhere.
    Ctrl-C stops the tasks, says how to go on and leaves with exit status 130.

    Raises StageError when a task fails or keeps killing its worker: tasks that run are finished,
    no new ones begin. Raises ConfigError for a place that is not there or stages that contradict
    each other or what the folder was begun with.
    """
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names):
        raise ConfigError(f"stages need names of their own, got {', '.join(names)}")
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with sole_use(folder) as lock:
        for stage in stages:
            _keep_number_of_tasks(stage, folder)
        if place.slurm:
            from data_builders.engine.slurm import submit

            submit(stages, folder, place)
        elif place.ray:
            from data_builders.engine.ray_cluster import run_on_ray

            run_on_ray(stages, folder, place)
        else:
            from data_builders.engine.local import run_here

            run_here(stages, folder, workers=place.workers or available_cores(), lock=lock)


def stages_done(stages: Sequence[BuildStage], folder: Path) -> bool:
    """Return whether every task of every stage is done, wherever it was."""
    return not any(StageTasks(stage, folder).get_incomplete_ranks() for stage in stages)


def _keep_number_of_tasks(stage: BuildStage, folder: Path) -> None:
    path = folder / stage.name / "stage.json"
    if not path.is_file():
        path.parent.mkdir(exist_ok=True)
        keep(path, {"tasks": stage.tasks})
        return
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))["tasks"]
    except (ValueError, LookupError, TypeError) as error:
        raise FileError(path, "does not say how many tasks there are.", "Begin anew.") from error
    if tasks != stage.tasks:
        raise ConfigError(
            f"stage {stage.name} was begun with {tasks} tasks in {folder}, now it has "
            f"{stage.tasks}: what is done would not fit. Keep to {tasks}, or choose another folder."
        )
