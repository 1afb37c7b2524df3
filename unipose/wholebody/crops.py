"""Crops of people for keypoint networks: not square, padded around a box, never stretched.

A crop is its middle and the size of what it spans, in pixels of the picture, which always has the
network's aspect: where a box reaches beyond the picture, the crop is black there. Places inside
are counted in the network's own pixels. Published networks were trained on crops that OpenCV's
`warpAffine` cut, where a pixel is named by its index and not by its middle; boxes and keypoints are
taken as data sets have them, whatever half a pixel they mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unipose.body.people import Box
from unipose.errors import PoseQueryError
from unipose.files.photo import Pixels

PADDING = 1.25
"""Of a crop, to the box that it holds (RTMPose, mmpose's top-down crops)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AffineCrops:
    """One crop per person; `scale` always has the aspect of the network's input."""

    centre: Float[np.ndarray, "person 2"]
    """Pixels of the picture: x right, y down."""
    scale: Float[np.ndarray, "person 2"]
    """Width and height of what is spanned, in pixels of the picture."""
    size: tuple[int, int]
    """Width and height of the network's input."""
    angle: Float[np.ndarray, " person"]
    """Radians: how far what is upright in the crop is turned in the picture."""

    def __len__(self) -> int:
        return len(self.centre)

    @classmethod
    def around(
        cls,
        boxes: Sequence[Box] | Float[np.ndarray, "person 4"],
        size: tuple[int, int],
        *,
        padding: float = PADDING,
    ) -> AffineCrops:
        """Return crops of boxes (left, top, right, bottom), made larger to the aspect of `size`.

        Raises PoseQueryError for a box that is not finite or without an area.
        """
        rows = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        span = rows[:, 2:] - rows[:, :2]
        wrong = ~(np.isfinite(rows).all(1) & (span > 0).all(1))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise PoseQueryError(
                f"expected boxes (left, top, right, bottom) with an area, got "
                f"{rows[first].tolist()} for person {first}"
            )
        return cls(
            centre=(rows[:, :2] + rows[:, 2:]) / 2,
            scale=_with_aspect(span * padding, size[0] / size[1]),
            size=size,
            angle=np.zeros(len(rows)),
        )

    def from_picture(self) -> Float[np.ndarray, "person 2 3"]:
        """Return the maps from pixels of the picture to pixels of the crop.

        With s = width / scale_x, middle (w/2, h/2) and turn a: s R(-a) (p - centre) + middle, which
        is mmpose's `get_warp_matrix` for fix_aspect_ratio and a rotation of a.
        """
        step = self.size[0] / self.scale[:, 0]
        cos, sin = step * np.cos(self.angle), step * np.sin(self.angle)
        turn = np.stack([np.stack([cos, sin], -1), np.stack([-sin, cos], -1)], axis=1)
        middle = np.array(self.size) / 2
        moved = middle - np.einsum("pij,pj->pi", turn, self.centre)
        return np.concatenate([turn, moved[..., None]], axis=2)

    def to_picture(self) -> Float[np.ndarray, "person 2 3"]:
        """Return the maps from pixels of the crop to pixels of the picture."""
        there = self.from_picture()
        back = np.linalg.inv(there[:, :, :2])
        moved = -np.einsum("pij,pj->pi", back, there[:, :, 2])
        return np.concatenate([back, moved[..., None]], axis=2)

    def cut(self, pixels: Pixels, *, averaged: bool = False) -> UInt8[np.ndarray, "person h w 3"]:
        """Return the crops' pixels; black beyond the picture.

        `averaged`: where a crop shrinks, whole pixels are averaged first, so that none is skipped;
        published networks have learned from crops in which some were.
        """
        width, height = self.size
        cut = np.zeros((len(self), height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels)
        for row, matrix in zip(cut, self.to_picture(), strict=True):
            # Pillow counts from a pixel's corner, OpenCV names a pixel by its index
            matrix[:, 2] += 0.5 - matrix[:, :2] @ (0.5, 0.5)
            row[:] = _cut(picture, matrix, self.size, averaged=averaged)
        return cut


def moved_by(
    points: Float[np.ndarray, "person point 2"], maps: Float[np.ndarray, "person 2 3"]
) -> Float[np.ndarray, "person point 2"]:
    """Return each person's points after their map."""
    return points @ maps[:, :, :2].swapaxes(1, 2) + maps[:, None, :, 2]


def _with_aspect(
    span: Float[np.ndarray, "person 2"], aspect: float
) -> Float[np.ndarray, "person 2"]:
    """Return widths and heights with the shorter side made longer: width = aspect * height."""
    width, height = span.T
    wide = width > aspect * height
    return np.where(
        wide[:, None],
        np.stack([width, width / aspect], axis=1),
        np.stack([aspect * height, height], axis=1),
    )


def _cut(
    picture: Image.Image,
    matrix: Float[np.ndarray, "2 3"],
    size: tuple[int, int],
    *,
    averaged: bool,
) -> UInt8[np.ndarray, "h w 3"]:
    """Return one crop; `matrix` takes its corners' pixels to those of the picture."""
    width, height = size
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)])
    reached = corners @ matrix[:, :2].T + matrix[:, 2]
    low, high = reached.min(axis=0) - 2, reached.max(axis=0) + 2
    left, top = max(0, floor(low[0])), max(0, floor(low[1]))
    right, bottom = min(picture.width, ceil(high[0])), min(picture.height, ceil(high[1]))
    if left >= right or top >= bottom:
        return np.zeros((height, width, 3), dtype=np.uint8)
    shrink = max(1, int(np.hypot(*matrix[:, 0]))) if averaged else 1
    matrix = matrix.copy()
    if shrink > 1:
        picture = picture.reduce(shrink, box=(left, top, right, bottom))
        matrix[:, 2] -= (left, top)
        matrix /= shrink
    cut = picture.transform(
        size, Image.Transform.AFFINE, data=tuple(matrix.ravel()),
        resample=Image.Resampling.BILINEAR,
    )  # fmt: skip
    return np.asarray(cut)
