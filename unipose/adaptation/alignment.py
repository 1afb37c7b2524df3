"""Where a film's segments are pulled: the point of their label's text, or the nearest anchor.

The root's turns of a segment are replaced by those of the exemplar before it is compared, so that
only local poses are pulled (semantics-aware adaptation, section 4.1, equation 4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.segments import FilmSegment
from unipose.body.skeletons import POSED_JOINTS
from unipose.retrieval.motion_text import FPS, MotionSpace, facing_motion
from unipose.vision.mesh_recovery_protocol import LEVEL


@dataclass(frozen=True, kw_only=True, eq=False)
class SegmentTargets:
    """For each segment of a film, where it is pulled."""

    points: Float[Tensor, "segment feature"]
    """Unit vectors."""
    roots: Float[Tensor, "segment tick 3 3"]
    """The exemplar's turns, at 30 per second."""
    pulls: Bool[Tensor, " segment"]
    """False where there is no label."""

    @classmethod
    def of_labels(
        cls, segments: Sequence[FilmSegment], dictionary: MotionDictionary
    ) -> SegmentTargets:
        """Return the targets of labels. Raises PoseQueryError for one that is not known."""
        rows = [dictionary.index(one.label) if one.pulls else 0 for one in segments]
        return cls(
            points=dictionary.points[rows],
            roots=dictionary.roots[dictionary.exemplar[rows]],
            pulls=torch.tensor([one.pulls for one in segments]),
        )

    def to(self, device: torch.device | str) -> SegmentTargets:
        """Return the same on a device."""
        return SegmentTargets(**{name: value.to(device) for name, value in vars(self).items()})


class Alignment:
    """Compares segments of a film of some frame rate with their targets."""

    def __init__(self, space: MotionSpace, segments: Sequence[FilmSegment], *, fps: float) -> None:
        self.space, self.segments = space, segments
        self.ticks = [_ticks(len(one), fps) for one in segments]

    def cosines(
        self,
        rotations: Sequence[Float[Tensor, "_ 24 3 3"]],
        which: Sequence[int],
        targets: SegmentTargets,
    ) -> Float[Tensor, " chosen"]:
        """Return the cosine of some segments' motions with their targets (equation 3).

        `rotations` are those of the chosen segments, one after the other.
        """
        motions = [some[self.ticks[i]][:, :POSED_JOINTS] for some, i in zip(rotations, which)]
        longest = targets.roots.shape[1] - 1
        turned = [
            torch.cat(
                [
                    targets.roots[i, torch.arange(len(motion)).clamp(max=longest), None],
                    motion[:, 1:],
                ],
                dim=1,
            )
            for motion, i in zip(motions, which)
        ]
        seen = self.space.encode_motion(*_padded(turned))
        return (seen * targets.points[list(which)]).sum(1)

    def facing_motions(
        self, rotations: Float[Tensor, "frame 24 3 3"]
    ) -> Float[Tensor, "segment feature"]:
        """Return the segments' motions as they are, each turned to face +z when it begins.

        `rotations` are those of a mesh recovery network, in its crops' cameras; recorded motions
        were turned in the same way when the space was learned.
        """
        facing = []
        for one, ticks in zip(self.segments, self.ticks):
            motion = rotations[one.start : one.end][ticks]
            root = LEVEL.to(motion) @ motion[:, 0]
            facing.append(facing_motion(torch.cat([root[:, None], motion[:, 1:]], dim=1)))
        return self.space.encode_motion(*_padded(facing))

    @torch.no_grad()
    def nearest_anchors(
        self, rotations: Float[Tensor, "frame 24 3 3"], dictionary: MotionDictionary
    ) -> SegmentTargets:
        """Return for each segment the anchor nearest to its motion as it is now."""
        seen = self.facing_motions(rotations)
        chosen = (seen @ dictionary.anchors.to(seen).mT).argmax(1)
        return SegmentTargets(
            points=dictionary.anchors.to(seen)[chosen],
            roots=dictionary.anchor_roots.to(seen)[chosen],
            pulls=torch.ones(len(chosen), dtype=torch.bool, device=seen.device),
        )


def _ticks(frames: int, fps: float) -> list[int]:
    """Return the frames nearest to a clock of 30 ticks per second."""
    count = int((frames - 1) / fps * FPS + 1e-6) + 1
    return [min(frames - 1, round(tick * fps / FPS)) for tick in range(count)]


def _padded(
    motions: Sequence[Float[Tensor, "_ 22 3 3"]],
) -> tuple[Float[Tensor, "motion frame 22 3 3"], Bool[Tensor, "motion frame"]]:
    """Return motions of different lengths as one batch, and which of its frames are theirs."""
    lengths = torch.tensor([len(motion) for motion in motions], device=motions[0].device)
    steps = torch.arange(int(lengths.max()), device=motions[0].device)
    at = torch.minimum(steps[None], lengths[:, None] - 1)
    starts = lengths.cumsum(0) - lengths
    rows = torch.cat(list(motions))[(starts[:, None] + at).flatten()]
    return rows.unflatten(0, at.shape), steps < lengths[:, None]
