"""What the benchmarks of conversations share: whom they ask, about whom, and what they report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from data_builders.mocap import read_manifest
from data_builders.pose_pool import PosePool
from eval.program import ModelOptions, select, track
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.language.conversation_model import ConversationModel

FPS = 30.0
"""Recordings are read at this rate, as `PosePool.read` reads them."""


@dataclass(frozen=True, kw_only=True)
class ConversationOptions(ModelOptions):
    """Options of a benchmark that talks with the conversation model."""

    model: Path | None = None
    """Folder of adapters; without it the embedded ones."""
    base: str = ""
    """The language model below the adapters, by path or name; empty is SmolLM2."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Of its weights."""
    poses: int = 300
    """Poses that are drawn once and talked about."""
    wrong: Path | None = None
    """A file that every wrong turn is written to, a JSON object a line."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.poses < 1:
            raise ConfigError(f"--poses must be at least 1, got {self.poses}")

    def load_speaker(self) -> ConversationModel:
        """Return the model that is talked with."""
        dtype = {
            "float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16,
        }[self.dtype]  # fmt: skip
        return ConversationModel.load(
            self.model, base=self.base or None, dtype=dtype, device=self.device
        )

    def read_people(self) -> PosePool:
        """Return the poses of the recordings that the options ask for."""
        recordings = select(read_manifest(self.data), self)
        poses = [
            recording.open(fps=FPS).rotations[:, :POSED_JOINTS].float()
            for recording in track(recordings, "reading")
        ]
        lengths = torch.tensor([len(some) for some in poses])
        return PosePool(torch.cat(poses), torch.arange(len(poses)).repeat_interleave(lengths))


def percent(right: Iterable[bool]) -> float:
    """Return the share that is true, in percent; 0 of nothing."""
    votes = list(right)
    return 100.0 * sum(votes) / len(votes) if votes else 0.0


def most_frequent(wanted: Sequence[Hashable]) -> float:
    """Return the share of what is wanted most often, in percent; 0 of nothing."""
    if not wanted:
        return 0.0
    return 100.0 * Counter(wanted).most_common(1)[0][1] / len(wanted)


def write_wrong(path: Path | None, wrong: Iterable[dict[str, object]]) -> None:
    """Write what went wrong, a JSON object a line, if a file for it was named."""
    if path is not None:
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in wrong))
