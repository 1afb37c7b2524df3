"""What is drawn over a picture, or instead of one, as SVG: box, 2D keypoints, a skeleton in 3D.

Class names say what a line is, the page says how it looks: `left`, `right` or `middle` limbs,
`hidden` ones. A dot is a line without length and with round ends.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from unipose.body.keypoint_sets import SMPL_22, Bone, keypoint_set_of
from unipose.body.whole_body import FINGERS

_SMALL = re.compile(rf"face-|.*_({'|'.join(FINGERS)})\d$")
"""Landmarks that are drawn small."""

_AZIMUTH, _ELEVATION = math.radians(30), math.radians(12)
"""Where the skeleton is seen from: as `unipose.render.drawing` shows a body."""


def overlay_svg(
    size: tuple[int, int], box: Sequence[float] | None, keypoints: Mapping[str, Any] | None
) -> str:
    """Return box and keypoints as an SVG of the picture's `size` (width, height; pixels).

    `keypoints` as in the schema, connected as the registry's set of their names is; what is NaN or
    not visible (0) is not drawn.
    """
    marks = _box(box) + (_keypoints(keypoints) if keypoints else [])
    return _svg((0, 0, size[0], size[1]), marks, "overlay")


def skeleton_svg(joints: Float[np.ndarray, "22 3"]) -> str:
    """Return the joints of a body (metres, its own frame) seen from its front, a bit to its left.

    Joints that are NaN are left out, and with them the bones that end there.
    """
    across = joints[:, 0] * math.cos(_AZIMUTH) - joints[:, 2] * math.sin(_AZIMUTH)
    ahead = joints[:, 0] * math.sin(_AZIMUTH) + joints[:, 2] * math.cos(_AZIMUTH)
    down = ahead * math.sin(_ELEVATION) - joints[:, 1] * math.cos(_ELEVATION)
    points = np.stack([across, down], axis=1) * 100
    known = np.isfinite(points.sum(axis=1))
    if not known.any():
        return ""
    low, high = points[known].min(axis=0) - 15, points[known].max(axis=0) + 15
    seen = {name: points[i] for i, name in enumerate(SMPL_22.names) if known[i]}
    return _svg([*low, *(high - low)], _lines(seen, set(), SMPL_22.bones), "skeleton")


def _svg(view: Sequence[float | int], marks: list[str], name: str) -> str:
    numbers = " ".join(f"{value:g}" for value in np.round(view, 1))
    return f'<svg class="{name}" viewBox="{numbers}" aria-hidden="true">{"".join(marks)}</svg>'


def _box(box: Sequence[float] | None) -> list[str]:
    if box is None or not np.isfinite(box).all():
        return []
    left, top, right, bottom = (round(float(edge), 1) for edge in box)
    path = f"M{left:g} {top:g}H{right:g}V{bottom:g}H{left:g}Z"
    return [f'<path class="box shade" d="{path}"/><path class="box" d="{path}"/>']


def _keypoints(keypoints: Mapping[str, Any]) -> list[str]:
    seen: dict[str, np.ndarray] = {}
    hidden: set[str] = set()
    for name, point, visible in zip(
        keypoints["names"], keypoints["points"], keypoints["visible"], strict=True
    ):
        at = np.array(point, dtype=float)
        if visible and np.isfinite(visible) and np.isfinite(at).all():
            seen[name] = at
            if visible < 1:
                hidden.add(name)
    return _lines(seen, hidden, keypoint_set_of(keypoints["names"]).bones)


def _lines(seen: Mapping[str, np.ndarray], hidden: set[str], bones: Sequence[Bone]) -> list[str]:
    """Return one path per kind of line and of dot, hidden ones first so that others cover them."""
    kinds: dict[str, list[str]] = {}
    for first, second in bones:
        if first in seen and second in seen:
            kind = "small bone" if _SMALL.match(second) else "bone"
            off = " hidden" if hidden & {first, second} else ""
            line = f"M{_at(seen[first])}L{_at(seen[second])}"
            kinds.setdefault(f"{kind} {_side(second, first)}{off}", []).append(line)
    for name, point in seen.items():
        kind = "small dot" if _SMALL.match(name) else "dot"
        off = " hidden" if name in hidden else ""
        kinds.setdefault(f"{kind} {_side(name, name)}{off}", []).append(f"M{_at(point)}h0")
    order = sorted(kinds, key=lambda kind: ("dot" in kind, "hidden" not in kind, kind))
    return [f'<path class="{kind}" d="{"".join(kinds[kind])}"/>' for kind in order]


def _at(point: np.ndarray) -> str:
    return f"{round(float(point[0]), 1):g} {round(float(point[1]), 1):g}"


def _side(name: str, other: str) -> str:
    """Return which side both ends belong to; a middle joint takes its neighbour's side."""
    sides = {n.split("_")[0] for n in (name, other)} & {"left", "right"}
    return sides.pop() if len(sides) == 1 else "middle"
