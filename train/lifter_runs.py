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

REDUCED: dict[str, dict[str, int | float]] = {
    "simple": {"width": 256}, "semgcn": {"width": 32}, "videopose": {"width": 256},
    "videopose243": {"width": 128, "levels": 3}, "mixste": {"width": 32, "depth": 2, "frames": 27},
    "pstmo": {"width": 64, "inner": 128, "levels": 3},
}  # fmt: skip
"""Networks that a core can teach in a minute; see docs/log.md."""
TINY: dict[str, dict[str, int | float]] = {
    "simple": {"width": 8}, "semgcn": {"width": 4}, "videopose": {"width": 8},
}  # fmt: skip
RATES = {
    "simple": 3e-3, "semgcn": 1e-2, "videopose": 3e-3, "videopose243": 3e-3, "mixste": 1e-3,
    "pstmo": 3e-3,
}  # fmt: skip
"""Of the reduced networks, chosen on validation without the trainable loss."""
BATCHES = {"videopose243": 64, "mixste": 16, "pstmo": 32}
"""Windows of the reduced networks of films; MixSTE says all frames of each."""
ENERGY_WEIGHTS = {"nce": 1e-4}
"""NCE's energies have no scale of their own: a tenth of the margin's weight; see docs/log.md."""


@dataclass(frozen=True, kw_only=True)
class LifterRuns:
    """What is compared."""

    out: Path = Path("runs/lifting")
    """A folder for each run: NET.LOSS.SEED."""
    nets: tuple[TaskNetName, ...] = ("simple", "semgcn", "videopose")
    seals: tuple[Literal["none", "margin", "nce", "static"], ...] = ("none", "margin", "nce")
    """static: margin, from a loss-net that learns first, by what the plain run of the seed says."""
    seeds: int = 5
    first_seed: int = 0
    """Several processes can share the seeds of one bench."""
    size: Literal["reduced", "published", "tiny"] = "reduced"
    """Of the networks."""
    masked_steps: int = 0
    """Of P-STMO's pre-training on masked poses."""
    training: LifterTraining = field(default_factory=lambda: PRESETS["reduced"])
    """Settings of every run."""

    def runs(self) -> list[LifterTraining]:
        """Return the runs, seed by seed."""
        sizes = {"reduced": REDUCED, "published": {}, "tiny": TINY}[self.size]
        rates, batches = (RATES, BATCHES) if self.size == "reduced" else ({}, {})
        return [
            replace(
                self.training,
                task_net=net,
                seal="margin" if seal == "static" else seal,
                root_held=seal == "static",
                static_from=self._folder(net, "none", seed) / "last" if seal == "static" else None,
                seed=seed,
                out=self._folder(net, seal, seed),
                changes=sizes.get(net, {}),
                batch=batches.get(net, self.training.batch),
                masked_steps=self.masked_steps if net == "pstmo" else 0,
                energy_weight=ENERGY_WEIGHTS.get(seal, self.training.energy_weight),
                peak_rate=rates.get(net, self.training.peak_rate),
            )
            for seed in range(self.first_seed, self.first_seed + self.seeds)
            for net in self.nets
            for seal in self.seals
        ]

    def _folder(self, net: str, seal: str, seed: int) -> Path:
        return self.out / f"{net}.{'plain' if seal == 'none' else seal}.{seed}"


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
        "paper": LifterRuns(training=PRESETS["paper"], size="published"),
        "sequences": LifterRuns(
            nets=("videopose243", "mixste", "pstmo"), seals=("none", "margin"), seeds=3,
            masked_steps=300,
            training=replace(PRESETS["reduced"], steps=600, save_every=200, masked_rate=1e-3),
        ),
        "debug": LifterRuns(
            out=Path("runs/lifting_debug"), seeds=1, training=PRESETS["debug"], size="tiny",
        ),
    })  # fmt: skip
