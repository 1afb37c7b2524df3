"""A builder as a user starts it: `python -m tests.fakes.engine_program --out FOLDER`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import tyro

from data_builders.engine import BuildStage, Place, run_stages, stages_done
from tests.fakes.engine_steps import WhereAmI, two_stages
from unipose.errors import UniPoseError


@dataclass(frozen=True, kw_only=True)
class Toy:
    out: Path
    tasks: int = 6
    pause_s: float = 0.0
    killed: tuple[int, ...] = ()
    times: int = 1
    broken: tuple[int, ...] = ()
    where: bool = False
    place: Place = field(default_factory=Place)


def main(config: Toy) -> None:
    out = config.out / "out"
    out.mkdir(exist_ok=True, parents=True)
    stages = two_stages(
        out,
        config.tasks,
        pause_s=config.pause_s,
        killed=config.killed,
        times=config.times,
        broken=config.broken,
    )
    if config.where:
        step = WhereAmI(config.out / "where", pause_s=1.5)  # longer than a worker takes to start
        stages.append(BuildStage(name="where", step=step, tasks=6))
    try:
        run_stages(stages, config.out / "log", config.place)
    except UniPoseError as error:
        sys.exit(f"error: {error}")
    print("whole" if stages_done(stages, config.out / "log") else "not yet")


if __name__ == "__main__":
    main(tyro.cli(Toy))
