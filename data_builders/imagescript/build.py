"""The whole build: its steps in order, and what a later run goes on with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from data_builders.engine import BuildStage, Place, run_stages, stages_done
from data_builders.imagescript.choosing import Choose
from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.finishing import Finish, read_summary
from data_builders.imagescript.pairing import KeepPairs, Pair
from data_builders.imagescript.photographing import Photograph
from data_builders.imagescript.plan import Plan
from data_builders.imagescript.refined import Refine, refining_tasks
from data_builders.imagescript.survey import Prepare, Survey
from data_builders.imagescript.writing import Write
from unipose.errors import ConfigError
from unipose.files.atomic import written_whole


def stages_of(plan: Plan) -> list[BuildStage]:
    """Return the steps of a build, each with its tasks."""
    config, pictures, files = plan.config, len(plan.photographs), len(plan.files)
    stages = [
        BuildStage(name="0-motions", step=Prepare(config), tasks=len(plan.splits)),
        BuildStage(name="1-survey", step=Survey(config), tasks=len(plan.surveys)),
        BuildStage(name="2-choice", step=Choose(config), tasks=len(plan.groups)),
        BuildStage(name="3-pictures", step=Photograph(config, "second"), tasks=pictures),
    ]
    if config.pairs:
        stages += [
            BuildStage(name="4-pairs", step=Pair(config), tasks=len(plan.groups)),
            BuildStage(name="5-more-pictures", step=Photograph(config, "first"), tasks=pictures),
            BuildStage(name="6-pairs-to-keep", step=KeepPairs(config), tasks=len(plan.groups)),
        ]
    return [
        *stages,
        BuildStage(name="7-texts", step=Write(config), tasks=files),
        BuildStage(name="8-refined-texts", step=Refine(config), tasks=refining_tasks(plan)),
        BuildStage(name="9-card", step=Finish(config), tasks=1),
    ]


def build(config: BuildConfig) -> str:
    """Build the data sets, or go on with them, and return a summary for people.

    Raises ConfigError if the folder holds a build of other settings.
    """
    # where the work is done is no part of what is built: the steps do not get it
    plan = Plan(replace(config, out=config.out.absolute(), place=Place()))
    _check_settings(plan)
    stages = stages_of(plan)
    log = plan.work / "log"
    run_stages(stages, log, config.place)
    if not stages_done(stages, log):
        return f"{config.out}: not all is done yet; run the same command again to go on or look"
    return read_summary(config.out)


def _check_settings(plan: Plan) -> None:
    """Write the settings into the folder, or see that they are those of the run to go on with."""
    asked = asdict(plan.config)
    del asked["place"], asked["out"]
    text = json.dumps(asked, indent=2, default=str, sort_keys=True) + "\n"
    path = plan.work / "settings.json"
    if path.is_file():
        before = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name, value in json.loads(text).items() if before.get(name) != value]
        if changed:
            raise ConfigError(
                f"{plan.config.out} holds a build with other settings ({', '.join(changed)}); "
                "name another --out, or the same settings to go on"
            )
        return
    plan.work.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
