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

from unipose.body.skeletons import POSED_JOINTS, SMPL

_SIDES = ("left", "right")
_LIMBS = ("shoulder elbow", "elbow wrist", "hip knee", "knee ankle", "shoulder hip", "eye ear",
          "ankle heel", "ankle big_toe", "ankle toe", "big_toe small_toe")  # fmt: skip
_MIDDLE = ("left_shoulder right_shoulder", "left_hip right_hip", "nose left_eye", "nose right_eye",
           "neck nose", "neck head_top", "head head_top")  # fmt: skip
_TREE = [(SMPL.joints[p], SMPL.joints[j]) for j, p in enumerate(SMPL.parents) if p >= 0]
EDGES = frozenset(
    [(f"{side}_{a}", f"{side}_{b}") for side in _SIDES for a, b in map(str.split, _LIMBS)]
    + [(a, b) for a, b in map(str.split, _MIDDLE)]
    + _TREE
)
"""Names of the landmarks that lines connect, whichever of the data sets they are from."""

_FINGER = re.compile(r"((?:left|right)_[a-z]+_?[a-z]*)([1-4])$")
_SMALL = re.compile(r"face-|.*_(thumb|forefinger|middle_finger|ring_finger|pinky_finger)\d$")

_AZIMUTH, _ELEVATION = math.radians(30), math.radians(12)
"""Where the skeleton is seen from: as `unipose.render.drawing` shows a body."""


def overlay_svg(
    size: tuple[int, int], box: Sequence[float] | None, keypoints: Mapping[str, Any] | None
) -> str:
    """Return box and keypoints as an SVG of the picture's `size` (width, height; pixels).

    `keypoints` as in the schema; what is NaN or not visible (0) is not drawn.
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
    seen = {name: points[i] for i, name in enumerate(SMPL.joints[:POSED_JOINTS]) if known[i]}
    return _svg([*low, *(high - low)], _lines(seen, set(), [*_TREE]), "skeleton")


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
    edges = [edge for edge in EDGES if edge[0] in seen and edge[1] in seen]
    return _lines(seen, hidden, sorted(edges) + _fingers(seen))


def _fingers(seen: Mapping[str, np.ndarray]) -> list[tuple[str, str]]:
    """Return the bones of the hands: each joint to the one before, the first to the wrist."""
    found = []
    for name in seen:
        match = _FINGER.match(name)
        if match and _SMALL.match(name):
            stem, number = match[1], int(match[2])
            before = f"{stem}{number - 1}" if number > 1 else f"{name.split('_')[0]}_hand_root"
            if before in seen:
                found.append((before, name))
    return found


def _lines(
    seen: Mapping[str, np.ndarray], hidden: set[str], edges: Sequence[tuple[str, str]]
) -> list[str]:
    """Return one path per kind of line and of dot, hidden ones first so that others cover them."""
    kinds: dict[str, list[str]] = {}
    for first, second in edges:
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
    sides = {n.split("_")[0] for n in (name, other)} & set(_SIDES)
    return sides.pop() if len(sides) == 1 else "middle"
