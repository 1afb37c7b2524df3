"""SemGCN: graph convolutions along the bones with learned edge weights (Zhao et al. 2019).

Weights have the names of the published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.body.keypoint_sets import HUMAN36M_17, keypoint_set
from unipose.errors import ConfigError
from unipose.lifting.task_net import SaidRows, SeenRows

FAR_BELOW = -9e15
"""Logit of two joints that no bone joins."""
Joined = tuple[tuple[bool, ...], ...]
"""Whether a bone joins two joints; each joins itself."""


@dataclass(frozen=True, kw_only=True)
class SemGcnConfig:
    """The published network without its non-local blocks."""

    keypoints: str = HUMAN36M_17.name
    """Name of the keypoint set whose bones are the graph."""
    width: int = 128
    units: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if not keypoint_set(self.keypoints).bones:
            raise ConfigError(f"{self.keypoints} has no bones, so there is no graph to learn on")


class SemGcn(nn.Module):
    """One block, residual units of two blocks each, one convolution."""

    frames = 1

    def __init__(self, config: SemGcnConfig) -> None:
        super().__init__()
        self.config = config
        joined = neighbours(config.keypoints)
        self.gconv_input = nn.Sequential(_GraphBlock(joined, 2, config.width, config.dropout))
        self.gconv_layers = nn.Sequential(
            *(_GraphUnit(joined, config.width, config.dropout) for _ in range(config.units))
        )
        self.gconv_output = SemanticGraphConvolution(joined, config.width, 3)

    def forward(self, seen: SeenRows) -> SaidRows:
        """Return the joints of each frame."""
        x = self.gconv_layers(self.gconv_input(seen.flatten(0, 1)))
        return self.gconv_output(x).unflatten(0, seen.shape[:2])


def neighbours(name: str) -> Joined:
    """Return which joints of a keypoint set a bone joins; each joint is its own neighbour."""
    chosen = keypoint_set(name)
    edges = {*chosen.edges, *((b, a) for a, b in chosen.edges)}
    rows = range(len(chosen))
    return tuple(tuple(a == b or (a, b) in edges for b in rows) for a in rows)


class SemanticGraphConvolution(nn.Module):
    """Equation 2: X -> S_self X W0 + S_others X W1 + b; S is the softmax of learned edge logits."""

    joined: Bool[Tensor, "joint joint"]

    def __init__(self, joined: Joined, channels: int, out_channels: int) -> None:
        super().__init__()
        self.register_buffer("joined", torch.tensor(joined), persistent=False)
        self.W = nn.Parameter(torch.empty(2, channels, out_channels))
        nn.init.xavier_uniform_(self.W, gain=1.414)
        self.e = nn.Parameter(torch.ones(1, sum(map(sum, joined))))
        bound = 1 / sqrt(out_channels)
        self.bias = nn.Parameter(torch.empty(out_channels).uniform_(-bound, bound))

    def forward(
        self, x: Float[Tensor, "pose joint channel"]
    ) -> Float[Tensor, "pose joint out_channel"]:
        """Return the joints' new features."""
        logits = self.e.new_full(self.joined.shape, FAR_BELOW)
        logits[self.joined] = self.e[0]
        shares = F.softmax(logits, dim=1)
        own = torch.diagonal(shares)
        others = shares - torch.diag(own)
        # one product for both matrices; a joint's own share is a factor
        first, second = (x @ torch.cat([self.W[0], self.W[1]], dim=1)).chunk(2, dim=-1)
        return own[:, None] * first + others @ second + self.bias


class _GraphBlock(nn.Module):
    """Graph convolution, batch norm, ReLU (and dropout, as the published code has it)."""

    def __init__(self, joined: Joined, channels: int, out_channels: int, dropout: float) -> None:
        super().__init__()
        self.gconv = SemanticGraphConvolution(joined, channels, out_channels)
        self.bn = nn.BatchNorm1d(out_channels)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "pose joint channel"]
    ) -> Float[Tensor, "pose joint out_channel"]:
        x = self.gconv(x)
        x = self.bn(x.flatten(0, 1)).view_as(x)
        return self.dropout(F.relu(x))


class _GraphUnit(nn.Module):
    """Two blocks beside a way around them."""

    def __init__(self, joined: Joined, width: int, dropout: float) -> None:
        super().__init__()
        self.gconv1 = _GraphBlock(joined, width, width, dropout)
        self.gconv2 = _GraphBlock(joined, width, width, dropout)

    def forward(
        self, x: Float[Tensor, "pose joint channel"]
    ) -> Float[Tensor, "pose joint channel"]:
        return x + self.gconv2(self.gconv1(x))
