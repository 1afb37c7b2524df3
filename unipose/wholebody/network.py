"""Crops of people in, logits of their keypoints out; weights by name, also published ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor, nn

from unipose.errors import ConfigError, WeightsError
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.files.saved_network import load_weights, read_config, save_network
from unipose.wholebody.config import WholeBodyConfig, config_of_weights
from unipose.wholebody.cspnext import CSPNeXt
from unipose.wholebody.keypoint_head import KeypointHead, KeypointLogits

MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)
"""Of red, green and blue, 0 to 255: ImageNet's, as all published networks were trained with."""
WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
_DEAD = ("head.mlp.", "head.cls_x.", "head.cls_y.")
"""In CIGPose's files: layers of RTMPose that its head inherits and never uses."""
_RENAMED = {
    "head.mlp_pre_gau.": "head.mlp.", "head.cls_gx.": "head.cls_x.", "head.cls_gy.": "head.cls_y.",
}  # fmt: skip
"""CIGPose's names of what takes their place."""


class WholeBodyNetwork(nn.Module):
    """CSPNeXt and a keypoint head."""

    def __init__(self, config: WholeBodyConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = CSPNeXt(deepen=config.deepen, widen=config.widen)
        self.head = KeypointHead(config, self.backbone.channels)

    def forward(self, images: Float[Tensor, "person 3 height width"]) -> KeypointLogits:
        """Return the logits of normalised crops (RGB)."""
        return self.head(self.backbone(images))

    def save_pretrained(self, folder: Path, *, dtype: torch.dtype = torch.float32) -> None:
        """Write config.json and model.safetensors; numbers of weights become `dtype`."""
        save_network(self, self.config, folder, dtype=dtype)

    @classmethod
    def from_pretrained(cls, folder: Path) -> WholeBodyNetwork:
        """Load what `save_pretrained` wrote, as float32, ready to be asked.

        Raises MissingFileError or WeightsError.
        """
        config = read_config(folder, WholeBodyConfig, holds="keypoint network")
        return load_weights(cls(config), folder)

    @classmethod
    def open(cls, path: Path) -> WholeBodyNetwork:
        """Load a folder of ours, or a published checkpoint, which tells by its shapes what it is.

        Raises MissingFileError or WeightsError.
        """
        if path.is_dir():
            return cls.from_pretrained(path)
        weights = own_names(read_checkpoint(path, ("backbone.", "head.")))
        try:
            config = config_of_weights({n: tuple(value.shape) for n, value in weights.items()})
        except ConfigError as error:
            raise WeightsError(path, f"{error}.") from error
        network = cls(config)
        load_strictly(network, weights, path)
        return network.eval()

    def load_published(self, path: Path) -> None:
        """Load a checkpoint of RTMPose or CIGPose (.pth of mmengine) strictly.

        Nothing in the file is executed. Raises MissingFileError, or WeightsError if it is damaged
        or the weights are not those of this configuration.
        """
        weights = read_checkpoint(path, ("backbone.", "head."))
        load_strictly(self, own_names(weights), path)

    def load_published_backbone(self, path: Path) -> None:
        """Load the backbone alone (`cspnext-m_udp-...`), which published trainings start from."""
        weights = read_checkpoint(path, ("backbone.",))
        named = {name.removeprefix("backbone."): value for name, value in weights.items()}
        load_strictly(self.backbone, named, path)


def own_names(published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return published weights under our names, without layers that were never used.

    RTMPose   head.cls_x.weight                               stays
    CIGPose   head.cls_x.weight (never used)                  is left out
              head.cls_gx.weight                              -> head.cls_x.weight
    """
    if not any(name.startswith(tuple(_RENAMED)) for name in published):
        return dict(published)
    found = {}
    for name, value in published.items():
        if name.startswith(_DEAD):
            continue
        for theirs, ours in _RENAMED.items():
            name = name.replace(theirs, ours) if name.startswith(theirs) else name  # noqa: PLW2901
        found[name] = value
    return found


def normalised_crops(
    crops: UInt8[ndarray, "person height width 3"],
) -> Float[Tensor, "person 3 height width"]:
    """Return crops (RGB, 0 to 255) as the network wants them."""
    pixels = torch.from_numpy(crops).movedim(3, 1).float()
    return (pixels - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
