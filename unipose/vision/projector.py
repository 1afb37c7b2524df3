"""From two eyes to the language model: features side by side, then a small perceptron."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.errors import ConfigError
from unipose.vision.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.vision.pose_vit import on_square_grid


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig:
    """Widths; the defaults are UniPose's (26.2 M weights)."""

    clip: int = 1024
    """Channels of CLIP's patches; 0 leaves CLIP out."""
    pose: int = 1280
    """Channels of the Pose-ViT's map."""
    width: int = 4096
    """Of the language model."""


class VisualProjector(nn.Module):
    """Two layers with a GELU between (LLaVA's mlp2x_gelu, with a wider first layer)."""

    def __init__(self, config: ProjectorConfig) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            nn.Linear(config.clip + config.pose, config.width),
            nn.GELU(),
            nn.Linear(config.width, config.width),
        )

    def forward(
        self,
        clip: Float[Tensor, "image patch channel"] | None,
        pose: Float[Tensor, "image other row column"],
    ) -> Float[Tensor, "image token width"]:
        """Return each picture as tokens: CLIP's patches with the Pose-ViT's map laid over them.

        Without CLIP there are as many tokens as the Pose-ViT's square map has places. Raises
        ConfigError if CLIP's patches are no square or one eye is missing.
        """
        if (clip is None) != (self.config.clip == 0):
            raise ConfigError(
                "CLIP's features are needed exactly if the projector has room for them"
            )
        side = pose.shape[2] if clip is None else math.isqrt(clip.shape[1])
        if clip is not None and side * side != clip.shape[1]:
            raise ConfigError(f"expected a square of patches, got {clip.shape[1]}")
        features = on_square_grid(pose, side)
        if clip is not None:
            features = torch.cat([clip, features.to(clip.dtype)], dim=2)
        return self.layers(features)

    def start_from_llava(self, path: str | Path, *, prefix: str = "model.mm_projector.") -> None:
        """Load the second layer of a LLaVA checkpoint's projector; the first stays fresh.

        UniPose does so: its first layer reads more channels than LLaVA's. Raises WeightsError if
        the file's second layer is not of this shape.
        """
        path = Path(path)
        weights = part_of(read_checkpoint(path, (prefix,)), prefix)
        load_strictly(self.layers[2], part_of(weights, "2."), path)
