"""A keypoint head over a frozen Pose-ViT: the small whole-body network that comes along.

The Pose-ViT of unipose-mini has seen some hundred thousand people of the studio; its map of 8 x 6
places is what a head of RTMPose or CIGPose looks at. Only the head is kept in a folder of its own.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError, WeightsError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.files.saved_network import load_weights, read_config, save_network
from unipose.vision.pose_vit import PoseViT, PoseViTConfig
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.keypoint_head import KeypointHead, KeypointLogits
from unipose.wholebody.network import CONFIG_FILE, WholeBodyNetwork

MINI = Path(__file__).parents[1] / "weights" / "mini"
EYES = "eyes.pose."
"""How the Pose-ViT's weights are called in a pose language model."""
BACKBONE = "pose_vit"
"""What a folder's configuration calls the backbone, which says who can open it."""


class PoseViTKeypoints(nn.Module):
    """The frozen Pose-ViT of a pose language model, and a head that learns."""

    def __init__(self, config: WholeBodyConfig, vit: PoseViT) -> None:
        """Raise ConfigError unless the crops and the map are the Pose-ViT's."""
        super().__init__()
        seen = vit.config
        size = seen.image_px - 2 * seen.dropped_px, seen.image_px
        if config.size != size or config.stride != seen.patch_px:
            raise ConfigError(
                f"expected crops of {size} and a stride of {seen.patch_px}, got {config.size} and "
                f"{config.stride}"
            )
        self.config = config
        self.backbone = vit.requires_grad_(requires_grad=False).eval()
        self.head = KeypointHead(config, seen.width)

    def forward(self, images: Float[Tensor, "person 3 height width"]) -> KeypointLogits:
        """Return the logits of normalised crops (RGB)."""
        return self.head(self.features(images))

    @torch.no_grad()
    def features(
        self, images: Float[Tensor, "person 3 height width"]
    ) -> Float[Tensor, "person channel row column"]:
        """Return the Pose-ViT's map of crops; it takes a square and leaves its sides out."""
        aside = self.backbone.config.dropped_px
        return self.backbone(F.pad(images, (aside, aside)))

    def train(self, mode: bool = True) -> PoseViTKeypoints:
        """Set the training mode of the head; the Pose-ViT is not touched."""
        self.training = mode
        self.head.train(mode)
        return self

    def save_pretrained(self, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write the head's configuration and weights, whose numbers become `dtype`."""
        save_network(self.head, {"backbone": BACKBONE} | asdict(self.config), folder, dtype=dtype)

    @classmethod
    def from_pretrained(cls, folder: Path, *, mini: Path = MINI) -> PoseViTKeypoints:
        """Load a head and the Pose-ViT of a pose language model. Raises as `read_checkpoint`."""

        def config_of(backbone: str = "", **values: Any) -> WholeBodyConfig:
            if backbone != BACKBONE:
                raise ConfigError("it is no head over a Pose-ViT")
            return WholeBodyConfig(**values)

        config = read_config(folder, config_of, holds="keypoint network")
        network = cls(config, load_pose_vit(mini))
        load_weights(network.head, folder)
        return network.eval()


def load_pose_vit(folder: Path = MINI) -> PoseViT:
    """Return the Pose-ViT of a pose language model (its folder), as float32."""
    try:
        values = json.loads((folder / "config.json").read_text("utf-8"))["eyes"]["pose"]
        values["stem"] = tuple(tuple(stage) for stage in values.get("stem", ()))
        vit = PoseViT(PoseViTConfig(**values))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(folder, f"is no pose language model with eyes ({error}).") from error
    path = folder / "model.safetensors"
    load_strictly(vit, part_of(read_checkpoint(path, (EYES,)), EYES), path)
    return vit.eval()


def open_keypoint_network(path: Path) -> WholeBodyNetwork | PoseViTKeypoints:
    """Open a folder of ours, of either kind, or a published checkpoint of RTMPose or CIGPose.

    Raises MissingFileError or WeightsError.
    """
    config = path / CONFIG_FILE
    if config.is_file() and f'"backbone": "{BACKBONE}"' in config.read_text("utf-8"):
        return PoseViTKeypoints.from_pretrained(path)
    return WholeBodyNetwork.open(path)
