"""Gradient-based inference: poses follow the energy's gradient (SEAL-Pose, Algorithm 2, phase 3).

As a predictor it changes a lifter's answers by a loss-net that was trained for it; as a probe it
shows what a loss-net has learned: where its gradient leads, measures of plausibility should fall.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError

Energy = Callable[[Tensor, Tensor], Float[Tensor, " pose"]]
"""Screen-normalised keypoints and poses in metres -> energy of each pose."""


def follow_energy(
    energy: Energy,
    seen: Float[Tensor, "pose joint 2"],
    said: Float[Tensor, "pose joint 3"],
    *,
    steps: int = 50,
    first_step_mm: float = 0.3,
) -> Float[Tensor, "step pose joint 3"]:
    """Return the poses before the first step, and after each (metres).

    Plain gradient descent; the paper leaves its rate out, here it is such that joints move by
    `first_step_mm` in the mean in the first step. Raises ConfigError for steps below 0.
    """
    if steps < 0 or first_step_mm <= 0:
        raise ConfigError(f"expected steps and millimetres, got {steps} and {first_step_mm}")
    path, rate = [said.detach()], 0.0
    for step in range(steps):
        slope = _slope(energy, seen, path[-1])
        if step == 0:
            rate = first_step_mm / 1000 / max(float(slope.norm(dim=-1).mean()), 1e-12)
        path.append(path[-1] - rate * slope)
    return torch.stack(path)


def energy_of_joints(
    energy: Energy, seen: Float[Tensor, "pose joint 2"], said: Float[Tensor, "pose joint 3"]
) -> Float[Tensor, "pose joint"]:
    """Return how fast the energy changes as each joint moves (per metre): where it is at odds."""
    return _slope(energy, seen, said).norm(dim=-1)


def _slope(
    energy: Energy, seen: Float[Tensor, "pose joint 2"], said: Float[Tensor, "pose joint 3"]
) -> Float[Tensor, "pose joint 3"]:
    said = said.detach().requires_grad_()
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(energy(seen, said).sum(), said)
    return slope
