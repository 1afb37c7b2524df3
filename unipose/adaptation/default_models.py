"""The embedded networks of adaptation, and the user's own in their published layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from torch import nn

from unipose.adaptation.denoiser import MotionDenoiser
from unipose.adaptation.dictionary import MotionDictionary
from unipose.errors import ConfigError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.retrieval.motion_text import EMBEDDED_SPACE, MotionTextModel
from unipose.vision.mesh_recovery import (
    HMR2,
    MeshHeadConfig,
    MeshRecoveryConfig,
    MeshRecoveryNetwork,
)
from unipose.vision.pose_vit import PoseViTConfig
from unipose.vision.resnet_recovery import ResNetRecovery
from unipose.vision.token_recovery import TokenRecoveryNetwork

WEIGHTS = Path(__file__).parents[1] / "weights"
DENOISER, EYES = WEIGHTS / "motion_denoiser", WEIGHTS / "mini"


def load_space(folder: Path | None = None) -> tuple[MotionTextModel, MotionDictionary]:
    """Return the motion-text model of a folder (None: the embedded one) and its dictionary."""
    folder = folder or EMBEDDED_SPACE
    return MotionTextModel.from_pretrained(folder), MotionDictionary.load(folder)


def load_denoiser(path: Path | None = None) -> MotionDenoiser:
    """Return the denoiser of a folder, or of a published checkpoint; None: the embedded one."""
    path = path or DENOISER
    if path.is_file():
        network = MotionDenoiser()
        network.load_published(path)
        return network.eval()
    return MotionDenoiser.from_pretrained(path)


PUBLISHED: dict[str, Callable[[], MeshRecoveryNetwork | TokenRecoveryNetwork | ResNetRecovery]] = {
    "hmr2": lambda: MeshRecoveryNetwork(HMR2),
    "tokenhmr": TokenRecoveryNetwork,
    "cycleadapt": ResNetRecovery,
}
"""Layout of a checkpoint -> its network: HMR 2.0; TokenHMR; BOA, DynaBOA and CycleAdapt."""


def load_network(
    path: Path | None = None, *, layout: str = "hmr2"
) -> MeshRecoveryNetwork | TokenRecoveryNetwork | ResNetRecovery:
    """Return the mesh recovery network that adapts.

    None: the embedded eyes' Pose-ViT with its head; a folder: one of ours; a file: a checkpoint in
    one of the PUBLISHED layouts, whose betas are those of the licensed SMPL body. Raises
    ConfigError for another layout, WeightsError as their loaders do.
    """
    if path is None:
        return embedded_network()
    if path.is_dir():
        return MeshRecoveryNetwork.from_pretrained(path)
    if layout not in PUBLISHED:
        raise ConfigError(f"there is no layout {layout!r}, only {', '.join(PUBLISHED)}")
    network = PUBLISHED[layout]()
    network.load_published(path)
    return network.eval()


def embedded_network(head: MeshHeadConfig | None = None) -> MeshRecoveryNetwork:
    """Return the embedded eyes as a mesh recovery network; `head` takes a new head instead."""
    eyes = json.loads((EYES / "config.json").read_text())["eyes"]
    own = MeshHeadConfig(**eyes["head"])
    config = MeshRecoveryConfig.from_dict({"vit": eyes["pose"], "head": vars(head or own)})
    assert isinstance(config.vit, PoseViTConfig)
    network = MeshRecoveryNetwork(config)
    path = EYES / "model.safetensors"
    parts: dict[str, nn.Module] = {"eyes.pose.": network.backbone}
    if head is None:
        parts["eyes.head."] = network.smpl_head
    for prefix, part in parts.items():
        weights = part_of(read_checkpoint(path, (prefix,)), prefix)
        load_strictly(part, {name: value.float() for name, value in weights.items()}, path)
    return network.eval()
