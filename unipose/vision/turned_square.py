"""Squares of a picture, turned about their middle: what keypoint networks look at."""

from __future__ import annotations

from dataclasses import dataclass
from math import atan2, cos, hypot, sin

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from unipose.body.people import Box
from unipose.files.photo import Pixels


@dataclass(frozen=True, kw_only=True)
class TurnedSquare:
    """A square of a picture, turned about its middle."""

    centre: tuple[float, float]
    """Pixels: x right, y down, (0, 0) the picture's top left corner."""
    side: float
    angle: float = 0.0
    """Radians: how far the square's top is turned to the right of the picture's top."""

    @classmethod
    def around_box(cls, box: Box, *, scale: float = 1.0) -> TurnedSquare:
        """Return the upright square that holds a box (left, top, right, bottom), made larger."""
        left, top, right, bottom = box
        return cls(
            centre=((left + right) / 2, (top + bottom) / 2),
            side=max(scale * max(right - left, bottom - top), 1.0),
        )

    @classmethod
    def around_circle(
        cls, middle: Float[np.ndarray, "2"], above: Float[np.ndarray, "2"], *, scale: float = 1.0
    ) -> TurnedSquare:
        """Return the square around a circle, given by its middle and the point at its top."""
        x, y = (float(v) for v in above - middle)
        return cls(
            centre=(float(middle[0]), float(middle[1])),
            side=max(2 * hypot(x, y) * scale, 1.0),
            angle=atan2(x, -y),
        )

    def cut(self, pixels: Pixels, side_px: int) -> UInt8[np.ndarray, "side side 3"]:
        """Return the square's pixels; black beyond the picture.

        Where it shrinks, whole pixels are averaged first, so that none is skipped.
        """
        shrink = max(1, int(self.side / side_px))
        picture, corner = Image.fromarray(pixels), (0, 0)
        if shrink > 1:
            x, y, reach = *self.centre, self.side * 0.75  # more than half of a turned square
            corner = (max(0, int(x - reach)), max(0, int(y - reach)))
            edge = (min(picture.width, int(x + reach) + 1), min(picture.height, int(y + reach) + 1))
            if corner[0] >= edge[0] or corner[1] >= edge[1]:
                return np.zeros((side_px, side_px, 3), dtype=np.uint8)
            picture = picture.reduce(shrink, box=(*corner, *edge))
        matrix = self._matrix(side_px)
        matrix[:, 2] -= corner
        matrix /= shrink
        cut = picture.transform(
            (side_px, side_px), Image.Transform.AFFINE, data=tuple(matrix.ravel()),
            resample=Image.Resampling.BILINEAR,
        )  # fmt: skip
        return np.asarray(cut)

    def to_picture(self, places: Float[np.ndarray, "point 2"]) -> Float[np.ndarray, "point 2"]:
        """Return places in the square (0 to 1, from its top left corner) as pixels."""
        matrix = self._matrix(1)
        return (places @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    def _matrix(self, side_px: int) -> Float[np.ndarray, "2 3"]:
        """Return the affine map from the square's own pixels to the picture's."""
        step = self.side / side_px
        across = np.array([cos(self.angle), sin(self.angle)]) * step
        down = np.array([-sin(self.angle), cos(self.angle)]) * step
        corner = np.array(self.centre) - (across + down) * side_px / 2
        return np.stack([across, down, corner], axis=1)
