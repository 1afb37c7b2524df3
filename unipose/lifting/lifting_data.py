"""Keypoints and the joints they are seen of, frame by frame: what lifters learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from unipose.body.keypoint_sets import KeypointSet
from unipose.errors import LiftingError
from unipose.lifting.screen import check_frames


@dataclass(frozen=True, kw_only=True)
class SequenceName:
    """What one run of frames is, as its source says."""

    subject: str
    action: str
    camera: str


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenFrames:
    """Keypoints frame by frame, those of a sequence behind each other."""

    seen: Float[Tensor, "frame joint 2"]
    """On the screen."""
    sequence: Int[Tensor, " frame"]
    """Which sequence a frame is of; never falls."""

    def __len__(self) -> int:
        return len(self.seen)

    def frames_of_windows(
        self, middles: Int[Tensor, " row"], frames: int
    ) -> Int[Tensor, "row frame"]:
        """Return which frames `windows` are made of."""
        if frames == 1:
            return middles[:, None]
        rows = middles[:, None] + torch.arange(frames) - frames // 2
        first, last = self._ends()
        own = self.sequence[middles]
        return rows.clamp(first[own][:, None], last[own][:, None])

    def middles(self, frames: int) -> Int[Tensor, " row"]:
        """Return the middles of windows that cover each sequence without overlap but the last one.

        a sequence of frames 0 to 6, windows of three  ->  1 4 5
        """
        first, last = (ends.tolist() for ends in self._ends())
        half = frames // 2
        rows: list[int] = []
        for start, end in zip(first, last, strict=True):
            if end - start + 1 <= frames:
                rows += [(start + end + 1) // 2] if end >= start else []
                continue
            rows += range(start + half, end - half + 1, frames)
            if rows[-1] + half < end:
                rows.append(end - half)
        return torch.tensor(rows)

    def _ends(self) -> tuple[Int[Tensor, " sequence"], Int[Tensor, " sequence"]]:
        counts = torch.bincount(self.sequence, minlength=int(self.sequence[-1]) + 1)
        ends = counts.cumsum(0)
        return ends - counts, ends - 1


@dataclass(frozen=True, kw_only=True, eq=False)
class LiftingData(SeenFrames):
    """All frames of one split in memory, with the joints that were seen.

    Raises LiftingError for frames that cannot be learned from, and names the first one.
    """

    keypoint_set: KeypointSet
    truth: Float[Tensor, "frame joint 3"]
    """From the root (metres): x right, y down, z ahead."""
    names: tuple[SequenceName, ...]
    fps: float
    valid: Bool[Tensor, " frame"] | None = None
    """Which frames a protocol measures; None: all. All are seen by lifters of films."""

    def __post_init__(self) -> None:
        if not len(self.seen):
            raise LiftingError("there is no frame to learn from")
        check_frames(self.seen, self.truth, len(self.keypoint_set))
        if self.sequence.shape != self.seen.shape[:1] or bool((self.sequence.diff() < 0).any()):
            raise LiftingError("expected a sequence for each frame, one after the other")
        if int(self.sequence.max()) >= len(self.names):
            raise LiftingError(f"frames of {int(self.sequence.max()) + 1} sequences, but "
                               f"{len(self.names)} names")  # fmt: skip

    @classmethod
    def joined(cls, parts: Sequence[LiftingData]) -> LiftingData:
        """Return the frames of several; LiftingError if there are none."""
        if not parts:
            raise LiftingError("there is no sequence to learn from")
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part.names))
        valid = [
            torch.ones(len(part), dtype=torch.bool) if part.valid is None else part.valid
            for part in parts
        ]
        return cls(
            keypoint_set=parts[0].keypoint_set,
            seen=torch.cat([part.seen for part in parts]),
            truth=torch.cat([part.truth for part in parts]),
            sequence=torch.cat([part.sequence + start for part, start in zip(parts, starts)]),
            names=tuple(name for part in parts for name in part.names),
            fps=parts[0].fps,
            valid=None if all(part.valid is None for part in parts) else torch.cat(valid),
        )

    def windows(
        self, middles: Int[Tensor, " row"], frames: int
    ) -> tuple[Float[Tensor, "row frame joint 2"], Float[Tensor, "row frame joint 3"]]:
        """Return the frames around some; beyond a sequence's ends its end frames are repeated.

        sequence  3 3 3 4 4 4 4     middle 3, five frames  ->  frames 3 3 3 4 5
        """
        rows = self.frames_of_windows(middles, frames)
        return self.seen[rows], self.truth[rows]
