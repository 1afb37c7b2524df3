"""From two eyes to the language model: features side by side, then a small perceptron."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
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

    def start_from_llava(self, path: str | Path) -> None:
        """Load the second layer of a LLaVA's projector; the first stays fresh.

        UniPose does so: its first layer reads more channels than LLaVA's. `path` is a checkpoint
        or a folder of them, in the original layout or in Hugging Face's. Raises MissingFileError or
        WeightsError if there is no such layer, or it is not of this shape.
        """
        path = Path(path)
        found, file = _second_layer(path)
        load_strictly(self.layers[2], found, file)


SECOND_LAYER = (
    "model.mm_projector.2.",
    "multi_modal_projector.linear_2.",
    "model.multi_modal_projector.linear_2.",
)
"""Names of a LLaVA's second layer: the original's, Hugging Face's before and since version 5."""


def _second_layer(path: Path) -> tuple[dict[str, Tensor], Path]:
    """Return the second layer of a LLaVA's projector and the file it lies in."""
    files = [path]
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix in (".safetensors", ".bin"))
        if not files:
            raise MissingFileError(path, "there are no files of weights here.")
    error: WeightsError | None = None
    for file in files:
        try:
            weights = read_checkpoint(file, SECOND_LAYER)
        except WeightsError as missing:  # the layer may be in another file
            error = missing
            continue
        for prefix in SECOND_LAYER:
            if found := part_of(weights, prefix):
                return found, file
    assert error is not None
    raise error
