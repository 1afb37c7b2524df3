"""SimpleBaseline: a residual perceptron from 2D keypoints to 3D joints (Martinez et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError
from unipose.lifting.task_net import SaidRows, SeenRows


@dataclass(frozen=True, kw_only=True)
class SimpleBaselineConfig:
    """The published network; H3WB's and SEAL-Pose's larger one are 2048 wide with 3 stages."""

    joints: int = 17
    width: int = 1024
    stages: int = 2
    dropout: float = 0.5
    root_is_zero: bool = False
    """Whether joint 0 is not said but zero, as published for 16 joints."""

    def __post_init__(self) -> None:
        if min(self.joints - self.root_is_zero, self.width) < 1 or self.stages < 0:
            raise ConfigError(f"expected joints, width and stages, got {self}")


class SimpleBaseline(nn.Module):
    """Linear layers with batch norm, ReLU and dropout, two of them in each residual stage."""

    frames = 1

    def __init__(self, config: SimpleBaselineConfig) -> None:
        super().__init__()
        self.config = config
        self.trunk = residual_perceptron(
            2 * config.joints, config.width, config.stages, norm=True, dropout=config.dropout
        )
        self.answer = nn.Linear(config.width, 3 * (config.joints - config.root_is_zero))

    def forward(self, seen: SeenRows) -> SaidRows:
        """Return the joints of each frame."""
        said = self.answer(self.trunk(seen.flatten(2).flatten(0, 1))).unflatten(1, (-1, 3))
        if self.config.root_is_zero:
            said = F.pad(said, (0, 0, 1, 0))
        return said.unflatten(0, seen.shape[:2])


def residual_perceptron(
    numbers: int, width: int, stages: int, *, norm: bool, dropout: float
) -> nn.Sequential:
    """Return the layers up to the last one; nothing follows the sum of a stage."""
    first = _layer(numbers, width, norm=norm, dropout=dropout)
    return nn.Sequential(
        *first, *(_ResidualStage(width, norm=norm, dropout=dropout) for _ in range(stages))
    )


def _layer(numbers: int, width: int, *, norm: bool, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Linear(numbers, width)]
    if norm:
        layers.append(nn.BatchNorm1d(width))
    layers.append(nn.ReLU())
    if dropout:
        layers.append(nn.Dropout(dropout))
    return layers


class _ResidualStage(nn.Module):
    """Two layers beside a way around them."""

    def __init__(self, width: int, *, norm: bool, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_layer(width, width, norm=norm, dropout=dropout),
            *_layer(width, width, norm=norm, dropout=dropout),
        )

    def forward(self, x: Float[Tensor, "pose width"]) -> Float[Tensor, "pose width"]:
        return x + self.layers(x)
