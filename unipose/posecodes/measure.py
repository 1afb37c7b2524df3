"""Elementary measurements of poses, a whole batch at once, and the bands that they fall into."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from unipose.posecodes.joints import POINT, points


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One way to measure: unit in words, bands from low to high, and the declared noise."""

    unit: str
    bands: tuple[str | None, ...]
    """None: between two bands, never spoken."""
    thresholds: tuple[float, ...]
    """A value falls in the first band whose threshold it does not exceed."""
    noise: float
    """A band may be stated for a value that is this far outside of it."""

    def interval(self, band: str) -> tuple[float, float]:
        """Return (low, high) such that the band holds for low < value <= high."""
        edges = (-np.inf, *self.thresholds, np.inf)
        at = self.bands.index(band)
        return edges[at], edges[at + 1]


def _axis(low: str, high: str) -> Kind:
    return Kind(unit="m", bands=(low, None, high), thresholds=(-0.15, 0.15), noise=0.05)


KINDS: dict[str, Kind] = {
    "angle": Kind(
        unit="degree",
        bands=(
            "completely_bent",
            "bent_more",
            "right_angle",
            "bent_less",
            "slightly_bent",
            "straight",
        ),
        thresholds=(45.0, 75.0, 105.0, 135.0, 160.0),
        noise=5.0,
    ),
    "distance": Kind(
        unit="m",
        bands=("close", "shoulder_width", "spread", "wide"),
        thresholds=(0.20, 0.40, 0.80),
        noise=0.05,
    ),
    "x": _axis("at_right", "at_left"),
    "y": _axis("below", "above"),
    "z": _axis("behind", "front"),
    "tilt": Kind(
        unit="degree", bands=("vertical", None, "horizontal"), thresholds=(10.0, 80.0), noise=5.0
    ),
    "ground": Kind(unit="m", bands=("on_ground", None), thresholds=(0.10,), noise=0.05),
    "lean_x": Kind(
        unit="degree",
        bands=("backward", "slightly_backward", None, "slightly_forward", "forward"),
        thresholds=(-50.0, -20.0, 20.0, 50.0),
        noise=5.0,
    ),
    "lean_z": Kind(
        unit="degree",
        bands=("right", "slightly_right", None, "slightly_left", "left"),
        thresholds=(-30.0, -15.0, 15.0, 30.0),
        noise=5.0,
    ),
    "twist": Kind(
        unit="degree",
        bands=("left", "slightly_left", None, "slightly_right", "right"),
        thresholds=(-50.0, -20.0, 20.0, 50.0),
        noise=5.0,
    ),
    "trunk_up": Kind(
        unit="degree", bands=("down", None, "up"), thresholds=(-45.0, 45.0), noise=5.0
    ),
    "chest_up": Kind(
        unit="degree", bands=("down", None, "up"), thresholds=(-60.0, 60.0), noise=5.0
    ),
    "side_up": Kind(
        unit="degree", bands=("right", None, "left"), thresholds=(-45.0, 45.0), noise=5.0
    ),
    "nod": Kind(
        unit="degree", bands=("thrown_back", None, "bowed"), thresholds=(-45.0, 30.0), noise=5.0
    ),
    "turn": Kind(
        unit="degree",
        bands=("right", "slightly_right", None, "slightly_left", "left"),
        thresholds=(-30.0, -15.0, 15.0, 30.0),
        noise=5.0,
    ),
    "tip": Kind(unit="degree", bands=("left", None, "right"), thresholds=(-30.0, 30.0), noise=5.0),
}
"""angle: at the middle one of three points. distance: between two. x, y, z: first minus second
(left, up, front). tilt: of the line between two points against the vertical, 0 to 90. ground:
height over the lowest joint. lean_x, lean_z: pelvis to mid-shoulders, to the front and to the left.
twist: of the shoulder line against the left axis, positive if the left shoulder is in front.
trunk_up, chest_up, side_up: how far the trunk's upper end, its front, its left side point up, -90
to 90. nod, turn, tip: of the head against the trunk, forward, to the left, to the right."""

HEAD_KINDS = ("nod", "turn", "tip")
"""Not measured on points but handed over with the pose; see head.py."""
_LIMB_ENDS = ("foot", "ankle", "knee", "wrist", "elbow")
_ENDS = [POINT[name] for name in ("pelvis", "head")]
_ENDS += [POINT[f"{side}_{end}"] for side in ("left", "right") for end in _LIMB_ENDS]
"""What may be the lowest of a body."""


class Condition(NamedTuple):
    """A measurement between two bounds: low < value <= high."""

    kind: str
    points: tuple[str, ...]
    low: float
    high: float


Recipes = tuple[tuple[Condition, ...], ...]
"""True if all conditions of any one recipe are."""


def in_band(kind: str, names: Iterable[str], band: str) -> Condition:
    """Return the condition that the measurement `kind` of the points falls into `band`."""
    return Condition(kind, tuple(names), *KINDS[kind].interval(band))


class Measured:
    """A batch of poses whose measurements are computed when first asked for, and kept."""

    def __init__(
        self,
        joints: Float[np.ndarray, "pose joint 3"],
        *,
        head: Float[np.ndarray, "pose 3"] | None = None,
    ) -> None:
        """`joints`: see `points`. `head`: nod, turn and tip in degrees (head.py), NaN unknown."""
        self.points = points(joints)
        self._columns = np.ascontiguousarray(self.points.transpose(1, 2, 0))
        self._values: dict[tuple[str, tuple[str, ...]], np.ndarray] = {}
        angles = np.full((3, len(self.points)), np.nan) if head is None else np.asarray(head).T
        self._values.update({(k, ()): row for k, row in zip(HEAD_KINDS, angles, strict=True)})

    def __len__(self) -> int:
        return len(self.points)

    def value(self, kind: str, names: tuple[str, ...]) -> Float[np.ndarray, " pose"]:
        """Return one measurement of every pose (units: KINDS)."""
        key = kind, names
        if key not in self._values:
            self._values[key] = _MEASURE[kind](*(self._columns[POINT[name]] for name in names))
        return self._values[key]

    def lowest(self) -> Float[np.ndarray, " pose"]:
        """Return the height of each pose's lowest joint, metres; NaN where an end is missing."""
        heights = self._columns[:22, 1]
        return np.fmin.reduce(heights, axis=0) + 0.0 * heights[_ENDS, :].sum(axis=0)

    def holds(self, recipes: Recipes, *, tolerance: bool = False) -> Bool[np.ndarray, " pose"]:
        """Return for which poses the recipes are true; `tolerance` widens each by its noise."""
        return np.any(
            [
                np.all([self._in(condition, tolerance) for condition in recipe], axis=0)
                for recipe in recipes
            ],
            axis=0,
        )

    def _in(self, condition: Condition, tolerance: bool) -> Bool[np.ndarray, " pose"]:
        value = self.value(condition.kind, condition.points)
        if condition.kind == "ground":
            value = value - self.lowest()
        slack = KINDS[condition.kind].noise if tolerance else 0.0
        return (condition.low - slack < value) & (value <= condition.high + slack)


Rows = Float[np.ndarray, "3 pose"]


def _norm(rows: Rows) -> Float[np.ndarray, " pose"]:
    return np.sqrt(rows[0] ** 2 + rows[1] ** 2 + rows[2] ** 2)


def _angle(a: Rows, middle: Rows, b: Rows) -> Float[np.ndarray, " pose"]:
    u, v = a - middle, b - middle
    cos = (u * v).sum(axis=0) / np.maximum(_norm(u) * _norm(v), 1e-12)
    return np.degrees(np.arccos(np.clip(cos, -1.0, 1.0)))  # a folded limb must not become NaN


def _tilt(a: Rows, b: Rows) -> Float[np.ndarray, " pose"]:
    line = a - b
    cos = np.abs(line[1]) / np.maximum(_norm(line), 1e-12)
    return np.degrees(np.arccos(np.clip(cos, 0.0, 1.0)))


def _trunk(pelvis: Rows, left: Rows, right: Rows) -> Rows:
    return (left + right) / 2 - pelvis


def _lean_x(pelvis: Rows, left: Rows, right: Rows) -> Float[np.ndarray, " pose"]:
    trunk = _trunk(pelvis, left, right)
    return np.degrees(np.arctan2(trunk[2], trunk[1]))


def _lean_z(pelvis: Rows, left: Rows, right: Rows) -> Float[np.ndarray, " pose"]:
    trunk = _trunk(pelvis, left, right)
    sin = trunk[0] / np.maximum(_norm(trunk), 1e-12)
    return np.degrees(np.arcsin(np.clip(sin, -1.0, 1.0)))


def _twist(left: Rows, right: Rows) -> Float[np.ndarray, " pose"]:
    line = left - right
    return np.degrees(np.arctan2(line[2], line[0]))


def _elevation(direction: Rows) -> Float[np.ndarray, " pose"]:
    sin = direction[1] / np.maximum(_norm(direction), 1e-12)
    return np.degrees(np.arcsin(np.clip(sin, -1.0, 1.0)))


def _chest_up(left: Rows, right: Rows, pelvis: Rows, neck: Rows) -> Float[np.ndarray, " pose"]:
    return _elevation(np.cross(left - right, neck - pelvis, axis=0))


_MEASURE: dict[str, Callable[..., np.ndarray]] = {
    "angle": _angle,
    "distance": lambda a, b: _norm(a - b),
    "x": lambda a, b: a[0] - b[0],
    "y": lambda a, b: a[1] - b[1],
    "z": lambda a, b: a[2] - b[2],
    "tilt": _tilt,
    "ground": lambda a: a[1],
    "lean_x": _lean_x,
    "lean_z": _lean_z,
    "twist": _twist,
    "trunk_up": lambda pelvis, neck: _elevation(neck - pelvis),
    "chest_up": _chest_up,
    "side_up": lambda left, right: _elevation(left - right),
}


def bands_of(kind: str, values: Float[np.ndarray, "*any"]) -> Int[np.ndarray, "*any"]:
    """Return the position of each value's band: the first whose threshold it does not exceed."""
    return np.searchsorted(np.asarray(KINDS[kind].thresholds), values, side="left")
