"""Lifters by name, and in folders: a config that says which network it is, and its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from unipose.body.keypoint_sets import HUMAN36M_17, keypoint_set
from unipose.errors import ConfigError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.files.saved_network import load_weights, read_config, save_network
from unipose.lifting.mixste import MixSte, MixSteConfig
from unipose.lifting.p_stmo import PStmo, PStmoConfig
from unipose.lifting.sem_gcn import SemGcn, SemGcnConfig
from unipose.lifting.simple_baseline import SimpleBaseline, SimpleBaselineConfig
from unipose.lifting.video_pose import VideoPose, VideoPoseConfig

TaskNetName = Literal["simple", "semgcn", "videopose", "videopose243", "mixste", "pstmo"]


@dataclass(frozen=True, kw_only=True)
class LifterConfig:
    """Which network on which keypoints."""

    task_net: TaskNetName = "simple"
    keypoints: str = HUMAN36M_17.name
    fps: float | None = None
    """Frames per second that a lifter of films has learned at."""
    changes: dict[str, Any] = field(default_factory=dict)
    """Settings of the network that are not the published ones."""

    def __post_init__(self) -> None:
        if self.task_net not in get_args(TaskNetName):
            raise ConfigError(
                f"there is no lifter {self.task_net!r}; there are "
                f"{', '.join(get_args(TaskNetName))}"
            )


def make_task_net(config: LifterConfig) -> nn.Module:
    """Return the network with first weights. Raises ConfigError for settings that it lacks."""
    joints = len(keypoint_set(config.keypoints))
    makers: dict[str, Callable[..., nn.Module]] = {
        "simple": lambda **c: SimpleBaseline(SimpleBaselineConfig(joints=joints, **c)),
        "semgcn": lambda **c: SemGcn(SemGcnConfig(keypoints=config.keypoints, **c)),
        "videopose": lambda levels=5, **c: VideoPose(
            VideoPoseConfig(joints=joints, widths=(1,) * levels, **c)
        ),
        "videopose243": lambda levels=5, **c: VideoPose(
            VideoPoseConfig(joints=joints, widths=(3,) * levels, **c)
        ),
        "mixste": lambda **c: MixSte(MixSteConfig(joints=joints, **c)),
        "pstmo": lambda levels=4, **c: PStmo(
            PStmoConfig(joints=joints, strides=(3,) * levels, **c)
        ),
    }
    try:
        return makers[config.task_net](**config.changes)
    except TypeError as error:
        raise ConfigError(f"{config.task_net} has no such settings: {error}") from error


def save_lifter(folder: Path, net: nn.Module, config: LifterConfig, *, half: bool = False) -> None:
    """Write config.json and model.safetensors; `half`: weights of layers in two bytes each."""
    save_network(
        net, config, folder, dtype=torch.float16 if half else None,
        unchanged=lambda name, weight: weight.ndim < 2,
    )  # fmt: skip


def load_lifter(folder: Path) -> tuple[nn.Module, LifterConfig]:
    """Return a lifter in eval mode, and which it is.

    Raises MissingFileError or WeightsError if the folder is not what `save_lifter` wrote.
    """

    def read(**values: Any) -> tuple[nn.Module, LifterConfig]:
        config = LifterConfig(**values)
        return make_task_net(config), config

    remedy = "Train one: python -m train.lifter --out FOLDER."
    net, config = read_config(folder, read, holds="lifter", remedy=remedy)
    return load_weights(net, folder), config


def load_published(net: nn.Module, path: Path) -> None:
    """Load a checkpoint of the network's own repository, strictly.

    VideoPose3D and MixSTE keep weights under `model_pos`, SemGCN under `state_dict`; names may
    begin with `module.`. Raises MissingFileError or WeightsError.
    """
    weights = read_checkpoint(path)
    for prefix in ("model_pos.", "module."):
        if all(name.startswith(prefix) for name in weights):
            weights = part_of(weights, prefix)
    load_strictly(net, weights, path)
