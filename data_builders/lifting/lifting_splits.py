"""The splits that lifters learn from and are measured on, by the name of their data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from data_builders.lifting.h3wb_lifting import read_h3wb
from data_builders.lifting.human36m_lifting import read_human36m
from data_builders.lifting.mocap_lifting import (
    HUMAN36M_CAMERAS,
    MPI_INF_3DHP_CAMERAS,
    MocapLiftingConfig,
    read_mocap,
)
from data_builders.lifting.mpi_inf_3dhp_lifting import PROTOCOLS, read_mpi_inf_3dhp
from unipose.body.keypoint_sets import keypoint_set
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.lifting_scores import LiftingProtocol, protocol_of

DataName = Literal[
    "mocap", "mocap_3dhp", "human36m", "mpi_inf_3dhp", "mpi_inf_3dhp_single_frame", "h3wb"
]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, kw_only=True)
class LiftingSource:
    """Where frames come from."""

    data: DataName = "mocap"
    folder: Path = Path("../shared/mocap")
    """Folder of the data set; "" makes poses up (for tests)."""
    keypoints: str = "human36m-17"
    """What is lifted of recordings and Human3.6M; the other sets have their own."""
    fps: float = 10.0
    """Of the recordings' frames that are taken."""


def read_split(source: LiftingSource, split: Split) -> LiftingData:
    """Return the frames of a split; errors of the readers are FileError and LiftingError."""
    if source.folder == Path():
        return made_up(source.keypoints, seed=["train", "val", "test"].index(split))
    if source.data == "human36m":
        return read_human36m(source.folder, split, keypoint_set(source.keypoints))
    if source.data.startswith("mpi_inf_3dhp"):
        official = source.data == "mpi_inf_3dhp"
        return read_mpi_inf_3dhp(source.folder, split, "official" if official else "single-frame")
    if source.data == "h3wb":
        return read_h3wb(source.folder, split)
    cameras = MPI_INF_3DHP_CAMERAS if source.data == "mocap_3dhp" else HUMAN36M_CAMERAS
    config = MocapLiftingConfig(keypoints=source.keypoints, fps=source.fps, cameras=cameras)
    return read_mocap(source.folder, split, config)


def protocol_of_source(source: LiftingSource) -> LiftingProtocol:
    """Return how a data set is measured."""
    if source.data.startswith("mpi_inf_3dhp"):
        return PROTOCOLS["official" if source.data == "mpi_inf_3dhp" else "single-frame"]
    return protocol_of(keypoint_set(source.keypoints))


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
