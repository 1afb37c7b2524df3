"""Keypoints: a batch of landmarks of one keypoint set, in 2D or 3D, with a score each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.body.keypoint_sets import MIDPOINTS, KeypointSet, Ways
from unipose.errors import PoseError

LEAST_SCORE = 0.2
"""From which a detector's keypoint counts as seen (MoveNet's own examples use 0.2 to 0.3)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Keypoints:
    """Landmarks of people or of frames, one a row.

    A keypoint that is missing has `present` False, a score of 0 and the point 0; no number held
    here is ever NaN. `Keypoints.of` marks what is missing. Raises PoseError for shapes that do not
    fit, and for numbers that are not finite.
    """

    keypoint_set: KeypointSet
    points: Float[Tensor, "batch keypoint axis"]
    """2D: pixels, x right, y down, (0, 0) at the picture's top left corner. 3D: metres."""
    scores: Float[Tensor, "batch keypoint"]
    """The detector's own; of marked ones 1, or 0.5 for one that is known but hidden or outside of
    the picture."""
    present: Bool[Tensor, "batch keypoint"]

    def __post_init__(self) -> None:
        count = len(self.keypoint_set)
        if self.points.ndim != 3 or self.points.shape[1] != count or self.points.shape[2] not in (
            2, 3,
        ):  # fmt: skip
            raise PoseError(
                f"expected points (batch, {count}, 2 or 3) of {self.keypoint_set.name}, got "
                f"{tuple(self.points.shape)}"
            )
        for name in ("scores", "present"):
            if getattr(self, name).shape != self.points.shape[:2]:
                raise PoseError(
                    f"expected {name} {tuple(self.points.shape[:2])}, got "
                    f"{tuple(getattr(self, name).shape)}"
                )
        if not bool(torch.isfinite(self.points).all() & torch.isfinite(self.scores).all()):
            raise PoseError(
                "keypoints hold NaN or infinite numbers; Keypoints.of marks missing ones"
            )

    @classmethod
    def of(
        cls,
        keypoint_set: KeypointSet,
        points: Float[Tensor, "batch keypoint axis"],
        scores: Float[Tensor, "batch keypoint"] | None = None,
        *,
        present: Bool[Tensor, "batch keypoint"] | None = None,
    ) -> Keypoints:
        """Return keypoints of which NaN points, and those not `present`, are marked as missing.

        Without `scores` every present keypoint has 1.
        """
        here = torch.isfinite(points).all(-1)
        if present is not None:
            here = here & present
        if scores is None:
            scores = torch.ones(points.shape[:2], dtype=points.dtype, device=points.device)
        here = here & torch.isfinite(scores)
        return cls(
            keypoint_set=keypoint_set,
            points=torch.where(here[..., None], points, 0.0),
            scores=torch.where(here, scores, 0.0),
            present=here,
        )

    @classmethod
    def stacked(cls, parts: Sequence[Keypoints]) -> Keypoints:
        """Return the rows of all parts, in order. Raises PoseError unless of one set."""
        if len({part.keypoint_set.name for part in parts}) != 1:
            names = sorted({part.keypoint_set.name for part in parts})
            raise PoseError(f"expected keypoints of one set, got {', '.join(names) or 'none'}")
        return cls(
            keypoint_set=parts[0].keypoint_set,
            points=torch.cat([part.points for part in parts]),
            scores=torch.cat([part.scores for part in parts]),
            present=torch.cat([part.present for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, item: int | slice | Tensor) -> Keypoints:
        """Return some of the rows; always a batch again."""
        if isinstance(item, int):
            if not -len(self) <= item < len(self):
                raise PoseError(f"no row {item} in keypoints of {len(self)}")
            item = slice(item, item + 1 or None)
        return replace(
            self, points=self.points[item], scores=self.scores[item], present=self.present[item]
        )

    @property
    def points_or_nan(self) -> Float[Tensor, "batch keypoint axis"]:
        """Return the points, NaN for those that are missing."""
        return torch.where(self.present[..., None], self.points, torch.nan)

    def point(self, name: str) -> Float[Tensor, "batch axis"]:
        """Return one landmark of each row, NaN where it is missing.

        Raises SkeletonError if the set has none of this name.
        """
        return self.points_or_nan[:, self.keypoint_set.indices(name)[0]]

    def mapped_to(self, target: KeypointSet, *, ways: Ways = MIDPOINTS) -> Keypoints:
        """Return the keypoints of another set: those of the same name, unchanged.

        What is missing and `ways` knows (a pelvis between the hips) is the mean of the keypoints
        named there, with the lowest of their scores, the first way all of whose keypoints are
        present; the rest stays missing.
        """
        shape = (len(self), len(target))
        points = self.points.new_zeros(*shape, self.points.shape[2])
        scores, present = self.scores.new_zeros(shape), self.present.new_zeros(shape)
        index = self.keypoint_set.index
        for at, name in enumerate(target.names):
            for way in ((name,), *ways.get(name, ())):
                if not all(part in index for part in way):
                    continue
                columns = [index[part] for part in way]
                new = self.present[:, columns].all(1) & ~present[:, at]
                points[new, at] = self.points[:, columns].mean(1)[new]
                scores[new, at] = self.scores[:, columns].amin(1)[new]
                present[:, at] |= new
        return Keypoints(keypoint_set=target, points=points, scores=scores, present=present)

    def mirrored(self, *, width_px: int | float = 0) -> Keypoints:
        """Return the keypoints of the mirrored picture (x -> width - x) or body (x -> -x)."""
        order = list(self.keypoint_set.mirror)
        points = self.points[:, order].clone()
        points[..., 0] = width_px - points[..., 0]
        present = self.present[:, order]
        return replace(
            self,
            points=torch.where(present[..., None], points, 0.0),
            scores=self.scores[:, order],
            present=present,
        )
