"""Recorded motions with the names of their actions, cut into pieces: what motions and texts learn.

A piece is drawn so that rare actions come about as often as frequent ones, at a slightly other
speed, half of the time mirrored (with left and right exchanged in its name), facing +z when it
begins.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from data_builders.studio.motions import Motions, mirror_words
from unipose.body.facing import yaw_of
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import ConfigError, FileError
from unipose.language.text_features import plain_label
from unipose.retrieval.motion_text import FPS, SEGMENT_FRAMES

INDEX = "cmu-index.csv"
"""Descriptions of all trials of the CMU database, of which a folder may hold a few."""
SHORTEST = 24
"""Frames that a piece has at least; shorter recordings are one piece."""
FASTER = 0.2
"""A piece is played up to so much faster or slower."""
UP = torch.tensor([[0.0, 1.0, 0.0]])


@dataclass(frozen=True, kw_only=True, eq=False)
class MotionPieces:
    """A batch of pieces; frames after a piece's end repeat its last one and are not `present`."""

    rotations: Float[Tensor, "piece frame 22 3 3"]
    present: Bool[Tensor, "piece frame"]
    text: Int[Tensor, " piece"]
    """Position in `LabelledMotions.texts`."""


class LabelledMotions:
    """All recordings of a split with a name, as one row of poses."""

    def __init__(self, motions: Motions) -> None:
        takes = [take for take in motions.takes if take.label and len(take.rotations) > 1]
        if not takes:
            raise ConfigError("no recording of this split has the name of an action")
        names = [plain_label(take.label) for take in takes]
        self.texts = sorted({*names, *(mirror_words(name) for name in names)})
        place = {text: i for i, text in enumerate(self.texts)}
        self.lengths = torch.tensor([len(take.rotations) for take in takes])
        self.starts = self.lengths.cumsum(0) - self.lengths
        self.rotations = torch.from_numpy(
            np.concatenate([take.rotations[:, :POSED_JOINTS] for take in takes])
        ).float()
        self.text = torch.tensor([place[name] for name in names])
        self.mirrored_text = torch.tensor([place[mirror_words(name)] for name in names])

    @classmethod
    def read(cls, folder: str | Path, split: str) -> LabelledMotions:
        """Return the recordings of a split at 30 frames per second."""
        return cls(Motions.read(folder, split, fps=FPS))

    def draw(
        self, count: int, generator: torch.Generator, *, frames: int = SEGMENT_FRAMES
    ) -> MotionPieces:
        """Return pieces of at most `frames` frames; an action weighs as the root of its length."""
        seconds = torch.zeros(len(self.texts)).index_add_(0, self.text, self.lengths.float())
        odds = self.lengths / seconds[self.text].sqrt()
        takes = torch.multinomial(odds, count, replacement=True, generator=generator)
        random = torch.rand(4, count, generator=generator)
        speed = 1 + FASTER * (2 * random[0] - 1)
        wanted = (SHORTEST + random[1] * (frames + 1 - SHORTEST)).floor().clamp(max=frames)
        wanted = torch.where(random[1] < 0.5, torch.full_like(wanted, frames), wanted)
        room = self.lengths[takes]
        spans = torch.minimum((wanted - 1) * speed, room - 1.0)
        first = (random[2] * (room - spans)).floor().clamp(min=0)
        steps = torch.arange(frames)
        at = torch.minimum(first[:, None] + steps * speed[:, None], (first + spans)[:, None])
        present = steps <= (spans / speed)[:, None] + 1e-4
        at = torch.minimum(at.round().long(), room[:, None] - 1)
        rows = self.rotations[self.starts[takes, None] + at]
        flip = random[3] < 0.5
        return MotionPieces(
            rotations=from_front(
                torch.where(flip[:, None, None, None, None], mirrored(rows), rows)
            ),
            present=present,
            text=torch.where(flip, self.mirrored_text[takes], self.text[takes]),
        )

    def segments(self, *, frames: int = SEGMENT_FRAMES) -> MotionPieces:
        """Return all recordings cut into pieces that follow each other, as they are.

        Of what is left at the end, less than SHORTEST frames count only if they are all there is.
        """
        pieces = []
        for start, length, text in zip(
            self.starts.tolist(), self.lengths.tolist(), self.text.tolist()
        ):
            for begin in range(0, length, frames):
                count = min(frames, length - begin)
                if begin == 0 or count >= SHORTEST:
                    pieces.append((start + begin, count, text))
        first, counts, texts = (torch.tensor(column) for column in zip(*pieces))
        steps = torch.arange(frames)
        at = first[:, None] + torch.minimum(steps[None], counts[:, None] - 1)
        return MotionPieces(
            rotations=from_front(self.rotations[at]),
            present=steps < counts[:, None],
            text=texts,
        )


def mirrored(rotations: Float[Tensor, "*any 22 3 3"]) -> Float[Tensor, "*any 22 3 3"]:
    """Return poses with left and right exchanged."""
    flip = torch.tensor([-1.0, 1.0, 1.0])
    return rotations[..., list(SMPL.mirror[:POSED_JOINTS]), :, :] * flip[:, None] * flip


def from_front(
    rotations: Float[Tensor, "piece frame 22 3 3"],
) -> Float[Tensor, "piece frame 22 3 3"]:
    """Return the pieces turned so that each faces +z when it begins."""
    yaw = yaw_of(rotations[:, 0, 0])
    turn = roma.rotvec_to_rotmat(UP * -yaw[:, None])
    root = turn[:, None] @ rotations[:, :, 0]
    return torch.cat([root[:, :, None], rotations[:, :, 1:]], dim=2)


def read_descriptions(folder: str | Path) -> list[str]:
    """Return what the trials of the whole database are called, each once; empty without a list.

    Raises FileError if the list has no column `text`.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    if rows and "text" not in rows[0]:
        raise FileError(path, "has no column 'text' with the trials' descriptions.")
    return sorted({plain_label(row["text"]) for row in rows if row["text"].strip()})
