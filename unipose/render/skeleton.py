"""Keypoints drawn on the picture they were seen in: left limbs cool, right limbs warm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from unipose.body.keypoints import LEAST_SCORE, Keypoints

LEFT, RIGHT, MIDDLE = (60, 140, 240), (245, 120, 50), (90, 200, 110)
SHADE = (20, 22, 28)
_SMOOTH = 2
"""Drawn so many times as large, then made smaller: Pillow's lines have no smooth edges."""


def draw_keypoints(
    pixels: UInt8[np.ndarray, "height width 3"],
    people: Sequence[Keypoints],
    *,
    least: float = LEAST_SCORE,
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture with each row's keypoints (pixels) and their bones.

    Keypoints that are missing or whose score is below `least` are left out.
    """
    height, width = pixels.shape[:2]
    picture = Image.fromarray(pixels).resize(
        (width * _SMOOTH, height * _SMOOTH), Image.Resampling.BICUBIC
    )
    drawing = ImageDraw.Draw(picture)
    for keypoints in people:
        for row in range(len(keypoints)):
            _draw(drawing, keypoints[row], least, max(width, height))
    return np.asarray(picture.resize((width, height), Image.Resampling.BOX))


def _draw(drawing: ImageDraw.ImageDraw, person: Keypoints, least: float, longer_px: int) -> None:
    seen = (person.present[0] & (person.scores[0] >= least)).numpy()
    if not seen.any():
        return
    points = person.points[0, :, :2].numpy() * _SMOOTH
    names = person.keypoint_set.names
    size = float(np.ptp(points[seen], axis=0).max()) / _SMOOTH
    line = _SMOOTH * float(np.clip(size / 60, 1.5, max(longer_px / 160, 1.5)))
    bones = [(a, b) for a, b in person.keypoint_set.edges if seen[a] and seen[b]]
    for grown, shaded in ((1.0 + 2 * _SMOOTH / line, True), (1.0, False)):
        for a, b in bones:
            ends = [tuple(points[a].tolist()), tuple(points[b].tolist())]
            small = _is_small(names[a]) and _is_small(names[b])
            width = max(1, round(line * grown * (0.4 if small else 1.0)))
            drawing.line(ends, fill=SHADE if shaded else _colour(names[a], names[b]), width=width)
        for at in np.flatnonzero(seen):
            reach = line * grown * (0.4 if _is_small(names[at]) else 0.8)
            x, y = points[at].tolist()
            fill = SHADE if shaded else _colour(names[at], names[at])
            drawing.ellipse((x - reach, y - reach, x + reach, y + reach), fill=fill)


def _is_small(name: str) -> bool:
    """Whether a keypoint is one of the many of a face or a hand."""
    return name.startswith("face-") or name[-1:].isdigit()


def _colour(a: str, b: str) -> tuple[int, int, int]:
    sides = {name.partition("_")[0] for name in (a, b)}
    if sides == {"left"}:
        return LEFT
    return RIGHT if sides == {"right"} else MIDDLE
