"""The splits that lifters learn from and are measured on, by the name of their data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from data_builders.lifting.mocap_lifting import MocapLiftingConfig, read_mocap
from unipose.body.keypoint_sets import keypoint_set
from unipose.lifting.lifting_data import LiftingData, SequenceName

DataName = Literal["mocap"]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class LiftingSource:
    """Where frames come from."""

    data: DataName = "mocap"
    folder: Path = Path("../shared/mocap")
    """Folder of the data set; "" makes poses up (for tests)."""
    keypoints: str = "human36m-17"
    fps: float = 10.0
    """Of the recordings' frames that are taken."""


def read_split(source: LiftingSource, split: Split) -> LiftingData:
    """Return the frames of a split; errors of the readers are FileError and LiftingError."""
    if source.folder == Path():
        return made_up(source.keypoints, seed=["train", "val", "test"].index(split))
    return read_mocap(
        source.folder, split, MocapLiftingConfig(keypoints=source.keypoints, fps=source.fps)
    )


def made_up(keypoints: str, *, seed: int, frames: int = 96) -> LiftingData:
    """Return frames of points that are no people: for debug presets and tests."""
    chosen = keypoint_set(keypoints)
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randn(frames, len(chosen), 3, generator=generator) * 0.3
    truth = truth.clamp(-1, 1) - truth[:, :1].clamp(-1, 1)
    return LiftingData(
        keypoint_set=chosen,
        seen=truth[..., :2] * (0.4 - 0.05 * truth[..., 2:]),
        truth=truth,
        sequence=torch.arange(frames) // (frames // 3 or 1),
        names=tuple(SequenceName(subject="nobody", action=a, camera="") for a in "abcd"),
        fps=10.0,
    )
