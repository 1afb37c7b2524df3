"""What every training program can be told, and the learning rate that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch

from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """What every run has: where it goes, how long it is, and how it is kept."""

    out: Path
    steps: int
    batch: int
    """Of each process, per step."""
    peak_rate: float
    warmup: int = 200
    """Steps in which the rate rises to its peak; then it falls to zero along half a cosine."""
    save_every: int = 1000
    """Steps between checkpoints, and between validations that come with them."""
    trackers: tuple[str, ...] = ("tensorboard",)
    """Where the log goes beside metrics.jsonl: tensorboard, wandb, mlflow, ... (accelerate's)."""
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.save_every) < 1:
            raise ConfigError(
                "steps, batch and save_every are at least 1, got "
                f"{self.steps}, {self.batch} and {self.save_every}"
            )

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        return cosine(step, steps=self.steps, warmup=self.warmup, peak=self.peak_rate)

    def saves(self, step: int) -> bool:
        """Return whether a checkpoint is due after a step."""
        return (step + 1) % self.save_every == 0 or step + 1 == self.steps


def cosine(step: int, *, steps: int, warmup: int, peak: float) -> float:
    """Return the rate of `step`: linear warm-up to `peak`, then half a cosine to zero."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return peak * 0.5 * (1 + math.cos(math.pi * done))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Let all weights learn at a rate from now on."""
    for group in optimizer.param_groups:
        group["lr"] = rate
