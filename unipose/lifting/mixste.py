"""MixSTE: attention over joints and over frames in turns, all frames said (Zhang et al. 2022).

Weights have the names of the published checkpoints.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError, LiftingError
from unipose.lifting.task_net import SaidRows, SeenRows

EPS = 1e-6
"""Of all layer norms but the head's."""


@dataclass(frozen=True, kw_only=True)
class MixSteConfig:
    """The published network of 243 frames."""

    joints: int = 17
    frames: int = 243
    width: int = 512
    depth: int = 8
    """Pairs of a spatial and a temporal block."""
    heads: int = 8
    ratio: int = 2
    """Of a block's inner layer to the width."""
    drop_path: float = 0.1
    """Of the last pair, in training: how often a block's branch is left out; 0 for the first."""

    def __post_init__(self) -> None:
        if self.width % self.heads or min(self.frames, self.depth) < 1:
            raise ConfigError(f"expected a width that {self.heads} heads share, got {self}")


class MixSte(nn.Module):
    """From a window's keypoints to the joints of all its frames."""

    says_all = True

    def __init__(self, config: MixSteConfig) -> None:
        super().__init__()
        self.config, self.frames = config, config.frames
        width = config.width
        self.Spatial_patch_to_embedding = nn.Linear(2, width)
        self.Spatial_pos_embed = nn.Parameter(torch.zeros(1, config.joints, width))
        self.Temporal_pos_embed = nn.Parameter(torch.zeros(1, config.frames, width))
        drops = [config.drop_path * i / max(1, config.depth - 1) for i in range(config.depth)]
        self.STEblocks = nn.ModuleList([_MixSteBlock(config, drop) for drop in drops])
        self.TTEblocks = nn.ModuleList([_MixSteBlock(config, drop) for drop in drops])
        # one norm after every spatial block, one after every temporal one
        self.Spatial_norm = nn.LayerNorm(width, eps=EPS)
        self.Temporal_norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3))

    def forward(self, seen: SeenRows) -> SaidRows:
        """Return the joints of each frame. Raises LiftingError for more frames than it knows."""
        rows, frames, joints, _ = seen.shape
        if frames > self.frames:
            raise LiftingError(f"the network looks at {self.frames} frames, got {frames}")
        x = self.Spatial_patch_to_embedding(seen.flatten(0, 1)) + self.Spatial_pos_embed
        for number, (spatial, temporal) in enumerate(zip(self.STEblocks, self.TTEblocks)):
            x = self.Spatial_norm(spatial(x))
            x = rearrange(x, "(row frame) joint width -> (row joint) frame width", row=rows)
            if number == 0:
                x = x + self.Temporal_pos_embed[:, :frames]
            x = self.Temporal_norm(temporal(x))
            x = rearrange(x, "(row joint) frame width -> (row frame) joint width", joint=joints)
        return self.head(x).unflatten(0, (rows, frames))


class _MixSteBlock(nn.Module):
    """Attention and a perceptron, each normalised first, each beside a way around it."""

    def __init__(self, config: MixSteConfig, drop: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=EPS)
        self.attn = _MixSteAttention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=EPS)
        inner = config.width * config.ratio
        first, last = nn.Linear(config.width, inner), nn.Linear(inner, config.width)
        self.mlp = nn.Sequential(OrderedDict(fc1=first, gelu=nn.GELU(), fc2=last))
        self.drop = drop

    def forward(self, x: Float[Tensor, "row token width"]) -> Float[Tensor, "row token width"]:
        x = x + self._dropped(self.attn(self.norm1(x)))
        return x + self._dropped(self.mlp(self.norm2(x)))

    def _dropped(self, x: Float[Tensor, "row token width"]) -> Float[Tensor, "row token width"]:
        """Return the branch, left out for some rows in training; the others make up for it."""
        if not self.training or not self.drop:
            return x
        return F.dropout(x.new_ones(len(x), 1, 1), self.drop) * x


class _MixSteAttention(nn.Module):
    """Self-attention of some heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "row token width"]) -> Float[Tensor, "row token width"]:
        q, k, v = rearrange(
            self.qkv(x), "row token (three head part) -> three row head token part",
            three=3, head=self.heads,
        )  # fmt: skip
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.proj(rearrange(mixed, "row head token part -> row token (head part)"))
