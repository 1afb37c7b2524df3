"""Train what the lifting benchmark compares: networks x losses x seeds, in one process.

`python -m train.lifter_runs --out runs/lifting`, then `python -m eval.lifting --runs runs/lifting`.
Seed by seed, so that a stopped bench has compared everything a few times; a run that is done, or
half done, is not begun again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from data_builders.lifting.lifting_splits import read_split
from train.lifter import PRESETS, SPLITS, LifterTraining, train
from train.program import run_program, start_accelerator
from unipose.lifting.saved_lifter import TaskNetName


@dataclass(frozen=True, kw_only=True)
class LifterRuns:
    """What is compared."""

    out: Path = Path("runs/lifting")
    """A folder for each run: NET.LOSS.SEED."""
    nets: tuple[TaskNetName, ...] = ("simple", "semgcn", "videopose")
    seals: tuple[Literal["none", "margin", "nce"], ...] = ("none", "margin", "nce")
    seeds: int = 5
    first_seed: int = 0
    """Several processes can share the seeds of one bench."""
    widths: dict[str, int] = field(
        default_factory=lambda: {"simple": 256, "semgcn": 32, "videopose": 256}
    )
    """Of networks that are not as wide as published."""
    rates: dict[str, float] = field(
        default_factory=lambda: {"simple": 3e-3, "semgcn": 1e-2, "videopose": 3e-3}
    )
    """Of each network, chosen on validation without the trainable loss."""
    training: LifterTraining = field(default_factory=lambda: PRESETS["reduced"])
    """Settings of every run."""

    def runs(self) -> list[LifterTraining]:
        """Return the runs, seed by seed."""
        return [
            replace(
                self.training,
                task_net=net,
                seal=seal,
                seed=seed,
                out=self.out / f"{net}.{'plain' if seal == 'none' else seal}.{seed}",
                changes={"width": self.widths[net]} if net in self.widths else {},
                peak_rate=self.rates.get(net, self.training.peak_rate),
            )
            for seed in range(self.first_seed, self.first_seed + self.seeds)
            for net in self.nets
            for seal in self.seals
        ]


def main(config: LifterRuns) -> None:
    """Read the data once and train what is missing."""
    accelerator = start_accelerator(threads=config.training.threads)
    learn, val = (read_split(config.training.source, split) for split in SPLITS)
    for run in config.runs():
        if not (run.out / "summary.json").exists():
            train(run, learn, val, accelerator)


if __name__ == "__main__":
    run_program(main, {
        "reduced": LifterRuns(),
        "paper": LifterRuns(training=PRESETS["paper"], widths={}, rates={}),
        "debug": LifterRuns(
            out=Path("runs/lifting_debug"), seeds=1, training=PRESETS["debug"],
            widths={"simple": 16, "semgcn": 8, "videopose": 16},
        ),
    })  # fmt: skip
