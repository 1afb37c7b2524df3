"""Settings of every training program, and the learning rate that follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError, UniPoseError


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
    threads: int = 0
    """Of each process, on the CPU; 0 shares out the cores (`train.threads`)."""

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


class NonFiniteLossError(UniPoseError, ArithmeticError):
    """A step's loss or gradient is not a finite number; training stops and saves nothing of it."""

    def __init__(self, *, step: int, places: Sequence[int], parts: Sequence[str]) -> None:
        self.step, self.places, self.parts = step, tuple(places), tuple(parts)
        super().__init__(
            f"step {step} is not finite: {', '.join(parts)}, of what was drawn at place "
            f"{', '.join(map(str, places))}. Nothing of it was saved; look at what is drawn there, "
            "or resume with a lower --peak-rate"
        )


def check_finite(
    step: int,
    drawn: Sequence[tuple[int, Float[Tensor, ""], Mapping[str, Tensor]]],
    *,
    norm: Tensor | float | None = None,
) -> None:
    """Raise NonFiniteLossError if a step's losses, or the norm of its gradient, are not finite.

    `drawn` holds what the step's batches were drawn at (their place), their loss and its parts.
    """
    losses = [loss.detach() for _, loss, _ in drawn]
    total = torch.stack(losses).sum()
    if norm is not None:
        total = total + torch.as_tensor(norm, device=total.device)
    if bool(torch.isfinite(total)):
        return
    places: list[int] = []
    wrong: dict[str, None] = {}  # in the order they come
    for (place, _, parts), loss in zip(drawn, losses, strict=True):
        found = [name for name, part in parts.items() if not bool(torch.isfinite(part).all())]
        if found or not bool(torch.isfinite(loss)):
            places.append(place)
            wrong |= dict.fromkeys(found or ["the loss"])
    if not places:
        places, wrong = [place for place, _, _ in drawn], {"the gradient": None}
    raise NonFiniteLossError(step=step, places=places, parts=list(wrong))


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
