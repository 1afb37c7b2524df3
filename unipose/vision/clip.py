"""CLIP as an eye: what is in a picture, patch by patch, from open_clip's vision transformers.

UniPose takes OpenAI's ViT-L/14 at 336 px: 24 x 24 patches of the last layer but one, no pooled
output. A small one is the same class from a JSON file in open_clip's own format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unipose.errors import ConfigError, WeightsError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.vision.pixels import CLIP_MEAN, CLIP_STD, normalised, resized_and_cut

PAPER_CLIP = "ViT-L-14-336-quickgelu"
"""OpenAI's weights need the quick GELU; open_clip's "ViT-L-14-336" has the exact one."""

MINI_CLIP = Path(__file__).with_name("clip_mini.json")

TEXT_TOWER = (
    "transformer.", "token_embedding.", "positional_embedding", "ln_final.", "text_projection",
    "logit_scale", "logit_bias", "attn_mask", "text.",
    "input_resolution", "context_length", "vocab_size",
)  # fmt: skip
"""What a CLIP checkpoint holds beside `visual.*`; it is not loaded."""

_NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 64, "heads": 1, "layers": 1}


@dataclass(frozen=True, kw_only=True)
class ClipConfig:
    """Which vision tower, and which layer's features are handed on."""

    model: str = PAPER_CLIP
    """A name that open_clip knows, or the path of a JSON file in its format."""
    layer: int = -2
    """Of the hidden states: -1 is the last block's, -2 the one before (LLaVA, UniPose)."""
    layers: int = 0
    """Other than the model's own number of blocks (tests); 0 keeps it."""


class ClipEye(nn.Module):
    """The vision tower of a CLIP model; frozen in UniPose."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        from open_clip.model import CLIP  # torchvision and timm come with it: seconds

        self.config = config
        described = _described(config.model)
        vision = dict(described["vision_cfg"])
        if config.layers:
            vision["layers"] = config.layers
        whole: Any = CLIP(
            embed_dim=described["embed_dim"],
            vision_cfg=vision,  # type: ignore[arg-type]  # open_clip takes the dictionary, too
            text_cfg=_NO_TEXT,  # type: ignore[arg-type]
            quick_gelu=described.get("quick_gelu", False),
        )
        self.visual: Any = whole.visual
        self.side_px: int = self.visual.image_size[0]
        self.grid: int = self.visual.grid_size[0]
        """Patches per side."""
        self.width: int = vision["width"]
        self.block = vision["layers"] + config.layer
        if not 0 <= self.block < vision["layers"]:
            raise ConfigError(
                f"layer {config.layer} of {vision['layers']} blocks is none; -1 is the last"
            )

    def forward(
        self, images: Float[Tensor, "image 3 side side"]
    ) -> Float[Tensor, "image patch channel"]:
        """Return the features of each patch, row by row; `images` come from `prepare`.

        Blocks after the chosen one are not computed. An empty batch gives an empty one.
        """
        if not len(images):
            return images.new_zeros((0, self.grid**2, self.width))
        found = self.visual.forward_intermediates(
            images,
            indices=[self.block],
            stop_early=True,
            intermediates_only=True,
            output_fmt="NLC",
        )
        return found["image_intermediates"][0]

    def prepare(self, pictures: list[UInt8[Tensor, "_ _ 3"]]) -> Float[Tensor, "image 3 side side"]:
        """Return pictures as CLIP was trained on: short side resized (bicubic), middle cut out."""
        if not pictures:
            return torch.zeros(0, 3, self.side_px, self.side_px)
        cut = [resized_and_cut(picture, self.side_px, mode="bicubic") for picture in pictures]
        return normalised(torch.stack(cut), CLIP_MEAN, CLIP_STD)

    def load_published(self, path: str | Path) -> None:
        """Load an open_clip checkpoint's `visual.*` (.safetensors, .bin, .pt), all of them.

        Nothing in the file is executed. Raises WeightsError: weights that are missing, of another
        shape, or neither of the vision nor of the text tower.
        """
        path = Path(path)
        weights = read_checkpoint(path)
        strange = [n for n in weights if not n.startswith(("visual.", *TEXT_TOWER))]
        if strange:
            raise WeightsError(
                path, f"it is no CLIP of open_clip: it holds {', '.join(strange[:5])}."
            )
        load_strictly(self.visual, part_of(weights, "visual."), path)


def _described(model: str) -> dict[str, Any]:
    """Return a model's description in open_clip's format."""
    import open_clip

    if model.endswith(".json"):
        try:
            described = json.loads(Path(model).read_text())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{model} is no JSON file of a CLIP model ({error})") from error
    else:
        described = open_clip.get_model_config(model)
    if not isinstance(described, dict) or not {"embed_dim", "vision_cfg"} <= described.keys():
        raise ConfigError(
            f"open_clip knows no model {model!r}; give one of its list_models() or a JSON file"
        )
    return described
