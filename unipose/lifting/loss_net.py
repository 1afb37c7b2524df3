"""The loss-net of SEAL-Pose: an energy of a 3D pose beside the 2D keypoints it was lifted from."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.errors import ConfigError
from unipose.lifting.simple_baseline import residual_perceptron


@dataclass(frozen=True, kw_only=True)
class LossNetConfig:
    """As published (section 4.2): SimpleBaseline's shape, no batch norm and no dropout."""

    joints: int = 17
    width: int = 2048
    stages: int = 2

    def __post_init__(self) -> None:
        if min(self.joints, self.width) < 1 or self.stages < 0:
            raise ConfigError(f"expected joints, width and stages, got {self}")


class LossNet(nn.Module):
    """E(x, y): low for plausible poses, high for what a lifter still gets wrong."""

    def __init__(self, config: LossNetConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = residual_perceptron(
            5 * config.joints, config.width, config.stages, norm=False, dropout=0.0
        )
        self.answer = nn.Linear(config.width, 1)

    def forward(
        self, seen: Float[Tensor, "pose joint 2"], said: Float[Tensor, "pose joint 3"]
    ) -> Float[Tensor, " pose"]:
        """Return the energy of each pose: screen-normalised keypoints, metres from the root."""
        numbers = torch.cat([seen.flatten(1), said.flatten(1)], dim=1)
        return self.answer(self.trunk(numbers))[:, 0]
