"""Lifters by name, and in folders: a config that says which network it is, and its weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from safetensors.torch import save_file
from torch import nn

from unipose.body.keypoint_sets import HUMAN36M_17, keypoint_set
from unipose.errors import ConfigError, MissingFileError, SkeletonError, WeightsError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
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
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(config), indent=2) + "\n"
    (folder / "config.json").write_text(text, encoding="utf-8")
    weights = {
        name: (value.half() if half and value.ndim > 1 else value).contiguous()
        for name, value in net.state_dict().items()
    }
    unfinished = folder / "model.tmp"
    save_file(weights, unfinished, metadata={"format": "pt"})
    unfinished.rename(folder / "model.safetensors")


def load_lifter(folder: Path) -> tuple[nn.Module, LifterConfig]:
    """Return a lifter in eval mode, and which it is.

    Raises MissingFileError or WeightsError if the folder is not what `save_lifter` wrote.
    """
    path = folder / "config.json"
    if not path.is_file():
        raise MissingFileError(
            path, "there is no lifter here.", "Train one: python -m train.lifter --out FOLDER."
        )
    try:
        config = LifterConfig(**json.loads(path.read_text("utf-8")))
        net = make_task_net(config)
    except (ValueError, TypeError, SkeletonError) as error:
        raise WeightsError(path, f"is no config of a lifter ({error}).") from error
    load_strictly(net, read_checkpoint(folder / "model.safetensors"), folder)
    return net.eval(), config


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
