"""The posecodes as data: 77 elementary ones of the ECCV-sized set and 10 built out of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from unipose.posecodes.measure import (
    KINDS,
    Condition,
    Measured,
    Recipes,
    bands_of,
    in_band,
)

SIDES = ("left", "right")
ANGLE_POINTS = {
    f"{side}_{joint}": tuple(f"{side}_{name}" for name in names)
    for side in SIDES
    for joint, names in {
        "knee": ("hip", "knee", "ankle"),
        "elbow": ("shoulder", "elbow", "wrist"),
    }.items()
}
"""Where angles are measured: the point of the middle -> the three points."""

SEGMENTS = {
    f"{side}_{part}": tuple(f"{side}_{name}" for name in names)
    for side in SIDES
    for part, names in {
        "thigh": ("hip", "knee"),
        "shin": ("knee", "ankle"),
        "upperarm": ("shoulder", "elbow"),
        "forearm": ("elbow", "wrist"),
    }.items()
} | {"torso": ("pelvis", "neck")}
"""Parts that can be vertical or horizontal -> the two points of their line."""


@dataclass(frozen=True)
class Elementary:
    """One column: what is measured on which points."""

    kind: str
    points: tuple[str, ...]

    @property
    def name(self) -> str:
        """A readable column name."""
        return f"{self.kind}: {' '.join(self.points)}"


def _elementary() -> tuple[Elementary, ...]:
    found = [Elementary("angle", names) for names in ANGLE_POINTS.values()]
    pairs = [("left_" + part, "right_" + part) for part in ("elbow", "hand", "knee", "foot")]
    for hand, other in (("left", "right"), ("right", "left")):
        near = ("left_shoulder", "right_shoulder", f"{other}_elbow", "left_knee", "right_knee")
        near += ("left_ankle", "right_ankle", "left_foot", "right_foot")
        pairs += [(f"{hand}_hand", part) for part in near]
    found += [Elementary("distance", pair) for pair in pairs]

    both = {p: (f"left_{p}", f"right_{p}") for p in ("shoulder", "elbow", "knee", "hand", "foot")}
    found += [Elementary("x", both[p]) for p in ("hand", "foot")]
    found += [Elementary("x", (f"{s}_hand", f"{s}_shoulder")) for s in SIDES]
    found += [Elementary("x", (f"{s}_foot", f"{s}_hip")) for s in SIDES]
    found += [Elementary("x", ("neck", "pelvis"))]
    found += [Elementary("y", pair) for pair in both.values()]
    found += [
        Elementary("y", (f"{side}_{first}", second.replace("~", f"{side}_")))
        for first, second in (
            ("hand", "~shoulder"),
            ("foot", "~hip"),
            ("wrist", "neck"),
            ("hand", "~hip"),
            ("hip", "~knee"),
            ("ankle", "neck"),
        )
        for side in SIDES
    ]
    found += [Elementary("z", pair) for pair in both.values()]
    found += [Elementary("z", (f"{s}_{part}", "torso")) for part in ("hand", "foot") for s in SIDES]
    found += [Elementary("z", ("neck", "pelvis"))]
    found += [Elementary("tilt", line) for part, line in SEGMENTS.items() if part != "torso"]
    found += [Elementary("tilt", ("pelvis", f"{side}_shoulder")) for side in SIDES]
    found += [Elementary("tilt", ("pelvis", "neck"))]
    found += [Elementary("tilt", both[part]) for part in ("hand", "foot")]
    found += [Elementary("ground", (f"{s}_{part}",)) for part in ("knee", "foot") for s in SIDES]
    return tuple(found)


ELEMENTARY = _elementary()
"""77 columns."""


def _kneel_on(side: str, other: str) -> tuple[Condition, ...]:
    knees = ("left_knee", "right_knee")
    return (
        in_band("y", knees, "below" if side == "left" else "above"),
        in_band("ground", [f"{side}_knee"], "on_ground"),
        in_band("ground", [f"{other}_foot"], "on_ground"),
    )


def _each_side(kind: str, *names: str, band: str) -> tuple[Condition, ...]:
    return tuple(in_band(kind, [f"{side}_{n}" for n in names], band) for side in SIDES)


def _bent(axis: str, band: str) -> Recipes:
    return tuple(
        (in_band("y", (f"{side}_ankle", "neck"), "below"), in_band(axis, ("neck", "pelvis"), band))
        for side in SIDES
    )


def _shoulder_width(part: str) -> Recipes:
    pair = (f"left_{part}", f"right_{part}")
    return ((in_band("distance", pair, "shoulder_width"), in_band("tilt", pair, "horizontal")),)


_KNEES_ON_GROUND = _each_side("ground", "knee", band="on_ground")

SUPER: dict[str, Recipes] = {
    "torso_horizontal": (
        tuple(in_band("tilt", ("pelvis", f"{s}_shoulder"), "horizontal") for s in SIDES),
    ),
    "bent_left": _bent("x", "at_left"),
    "bent_right": _bent("x", "at_right"),
    "bent_forward": _bent("z", "front"),
    "bent_backward": _bent("z", "behind"),
    "kneeling_on_left": (_kneel_on("left", "right"),),
    "kneeling_on_right": (_kneel_on("right", "left"),),
    "kneeling": (
        _each_side("y", "hip", "knee", band="above") + _KNEES_ON_GROUND,
        _each_side("angle", "hip", "knee", "ankle", band="completely_bent") + _KNEES_ON_GROUND,
    ),
    "hands_shoulder_width": _shoulder_width("hand"),
    "feet_shoulder_width": _shoulder_width("foot"),
}
"""10 columns: true if every condition of one of the recipes is."""

COLUMNS = tuple(code.name for code in ELEMENTARY) + tuple(SUPER)
"""Names of all 87 columns."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Posecodes:
    """What the 87 columns say of a batch of poses."""

    values: Float[np.ndarray, "pose 77"]
    bands: Int[np.ndarray, "pose 77"]
    """Positions in KINDS[...].bands, low to high."""
    supers: Bool[np.ndarray, "pose 10"]

    def table(self) -> Int[np.ndarray, "pose 87"]:
        """Return all columns as one table of numbers; super-posecodes are 0 or 1."""
        return np.concatenate([self.bands, self.supers.astype(self.bands.dtype)], axis=1)


def measure(
    joints: Float[np.ndarray, "pose joint 3"],
    *,
    noise: np.random.Generator | None = None,
) -> Posecodes:
    """Return the posecodes of `joints` (metres, body frame, SMPL order, 22 or more).

    Without `noise` the bands are exact. With it every elementary value is shifted once by a uniform
    draw within its kind's declared noise before it is binned.
    """
    measured = Measured(joints)
    values = np.stack([measured.value(code.kind, code.points) for code in ELEMENTARY], axis=1)
    grounded = [i for i, code in enumerate(ELEMENTARY) if code.kind == "ground"]
    values[:, grounded] -= measured.lowest()[:, None]
    if noise is not None:
        width = np.array([KINDS[code.kind].noise for code in ELEMENTARY])
        values = values + noise.uniform(-1.0, 1.0, values.shape) * width
    bands = np.stack(
        [bands_of(code.kind, values[:, i]) for i, code in enumerate(ELEMENTARY)], axis=1
    )
    at = {(code.kind, code.points): i for i, code in enumerate(ELEMENTARY)}

    def holds(condition: Condition) -> np.ndarray:
        value = values[:, at[condition.kind, condition.points]]
        return (condition.low < value) & (value <= condition.high)

    supers = np.stack(
        [
            np.any([np.all([holds(c) for c in recipe], axis=0) for recipe in recipes], axis=0)
            for recipes in SUPER.values()
        ],
        axis=1,
    )
    return Posecodes(values=values, bands=bands, supers=supers)
