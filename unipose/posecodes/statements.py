"""What a text can state of one pose, and what of a pair, as data that can be tested on joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from unipose.errors import PoseError
from unipose.posecodes.catalogue import ANGLE_POINTS, SEGMENTS, SIDES, SUPER
from unipose.posecodes.measure import KINDS, Condition, Measured, Recipes, in_band
from unipose.posecodes.positions import POSITIONS

PARTS = (
    "hand", "foot", "elbow", "knee", "ankle", "wrist", "shoulder", "hip", "head", "neck", "torso",
    "pelvis", "waist", "spine3",
)  # fmt: skip
"""Parts with a place, in the order in which they become the first part of a statement."""

CENTRAL = frozenset({"head", "neck", "torso", "pelvis", "waist", "spine3", "body"})
OPPOSITE = {
    "above": "below",
    "below": "above",
    "front": "behind",
    "behind": "front",
    "at_left": "at_right",
    "at_right": "at_left",
}
SYMMETRIC = frozenset({"close", "shoulder_width", "spread", "wide", "apart", "level"})
_INF = float("inf")
ANGLES: dict[str, tuple[float, float]] = {
    band: KINDS["angle"].interval(band) for band in KINDS["angle"].bands if band
} | {"bent": (-_INF, 135.0)}
"""Relations of an elbow or knee -> degrees. "bent" alone leaves open how much."""
PLACES: dict[str, tuple[str, float, float]] = {
    band: (kind, *KINDS[kind].interval(band))
    for kind in ("distance", "x", "y", "z")
    for band in KINDS[kind].bands
    if band
} | {"apart": ("distance", 0.40, _INF), "level": ("y", -0.05, 0.05)}
"""Relations between two parts -> what is measured and its bounds."""
TILTS = ("vertical", "horizontal")
HAND_WORDS = {"on_hip": "hip", "at_side": "hip", "reach_front": "shoulder", "out_side": "shoulder"}
"""Natural words for a hand -> the part of its own side that it is measured against."""


def _lunge(front: str, back: str) -> tuple[Condition, ...]:
    return (
        Condition("z", (f"{front}_foot", f"{back}_foot"), 0.50, _INF),
        Condition("angle", ANGLE_POINTS[f"{front}_knee"], -_INF, 125.0),
        Condition("angle", ANGLE_POINTS[f"{back}_knee"], 125.0, _INF),
        Condition("y", (f"{back}_knee", f"{back}_ankle"), -0.05, _INF),
    )


def _hand(relation: str, side: str) -> tuple[Condition, ...]:
    """Return what a hand's natural words need, against the hip or shoulder of its own side."""
    hand, hip, shoulder = f"{side}_hand", f"{side}_hip", f"{side}_shoulder"
    elbow, outward = ANGLE_POINTS[f"{side}_elbow"], (f"{side}_elbow", hand)
    out = (0.08, _INF) if side == "left" else (-_INF, -0.08)
    away = (0.30, _INF) if side == "left" else (-_INF, -0.30)
    return {
        "on_hip": (
            Condition("distance", (hand, hip), -_INF, 0.26),
            Condition("angle", elbow, -_INF, 120.0),
            Condition("x", outward, *out),
        ),
        "at_side": (
            Condition("distance", (hand, hip), -_INF, 0.40),
            Condition("angle", elbow, 120.0, _INF),
        ),
        "reach_front": (Condition("z", (hand, shoulder), 0.35, _INF),),
        "out_side": (Condition("x", (hand, shoulder), *away),),
    }[relation]


def _postures() -> dict[str, Recipes]:
    """Whole-body words beyond the posecodes, defined by joints alone."""

    def each(kind: str, a: str, b: str, low: float, high: float) -> tuple[Condition, ...]:
        return tuple(Condition(kind, (f"{s}_{a}", f"{s}_{b}"), low, high) for s in SIDES)

    knees_deep = tuple(
        Condition("angle", ANGLE_POINTS[f"{side}_knee"], -_INF, 105.0) for side in SIDES
    )
    knees_up = tuple(Condition("ground", (f"{side}_knee",), 0.15, _INF) for side in SIDES)
    return {
        "standing": tuple(
            (Condition("y", ("pelvis", f"{side}_ankle"), 0.65, _INF),) for side in SIDES
        ),
        "sitting": (
            (
                *each("y", "hip", "knee", -0.20, 0.20),
                *each("z", "ankle", "hip", 0.25, _INF),
                Condition("y", ("neck", "pelvis"), 0.30, _INF),
            ),
        ),
        "squatting": (
            (
                *knees_deep,
                *knees_up,
                *each("y", "hip", "ankle", 0.0, 0.60),
                *each("z", "ankle", "hip", -_INF, 0.25),
            ),
        ),
        "lunging_on_left": (_lunge("left", "right"),),
        "lunging_on_right": (_lunge("right", "left"),),
    }


BODY: dict[str, Recipes] = {
    name: recipes for name, recipes in SUPER.items() if "shoulder_width" not in name
} | _postures()
"""Relations of the whole body."""


@dataclass(frozen=True, order=True)
class Statement:
    """One thing a text says of a pose: `first` stands in `relation` to `second`.

    Parts are named like "left_hand" or "torso"; the whole person is "body". Make them with `state`,
    which brings the two parts into one order, so that equal meanings are equal statements.
    """

    first: str
    relation: str
    second: str | None = None

    @property
    def recipes(self) -> Recipes:
        """What must hold on the joints."""
        return _recipes(self)

    def mirrored(self) -> Statement:
        """Return the same statement of the pose seen in a mirror."""
        second = self.second and mirrored_part(self.second)
        return state(mirrored_part(self.first), _mirrored_relation(self.relation), second)


def mirrored_part(part: str) -> str:
    """Return the part's counterpart on the other side; a part of the middle is its own."""
    if part.startswith("left_"):
        return "right_" + part[5:]
    if part.startswith("right_"):
        return "left_" + part[6:]
    return part


def _mirrored_relation(relation: str) -> str:
    head, _, side = relation.rpartition("_")
    if head and side in SIDES:
        return f"{head}_{'right' if side == 'left' else 'left'}"
    return relation


def _place(part: str) -> tuple[int, bool]:
    side, _, name = part.rpartition("_")
    return PARTS.index(name) if name in PARTS else len(PARTS), side == "right"


def state(first: str, relation: str, second: str | None = None) -> Statement:
    """Return the statement in its one canonical form.

    state("right_hand", "below", "left_hand") == state("left_hand", "above", "right_hand")
    Raises PoseError for a relation that these parts cannot have.
    """
    if second is not None and _place(second) < _place(first):
        if relation in OPPOSITE:
            first, relation, second = second, OPPOSITE[relation], first
        elif relation in SYMMETRIC:
            first, second = second, first
    statement = Statement(first, relation, second)
    _recipes(statement)
    return statement


@cache
def _recipes(said: Statement) -> Recipes:
    first, relation, second = said.first, said.relation, said.second
    side, _, part = first.rpartition("_")
    if first == "body" and second is None and relation in BODY:
        return BODY[relation]
    if second is None and (first, relation) in POSITIONS:
        return POSITIONS[first, relation]
    if second is None and relation in ANGLES and first in ANGLE_POINTS:
        return ((Condition("angle", ANGLE_POINTS[first], *ANGLES[relation]),),)
    if second is None and relation in TILTS and first in SEGMENTS:
        return ((in_band("tilt", SEGMENTS[first], relation),),)
    if second is None and relation == "on_ground" and part in PARTS and side:
        return ((in_band("ground", (first,), relation),),)
    if part == "hand" and second == f"{side}_{HAND_WORDS.get(relation)}":
        return (_hand(relation, side),)
    if second is None or relation not in PLACES or first == second:
        raise PoseError(f"{said} is not something that can be measured")
    if {_place(first)[0], _place(second)[0]} & {len(PARTS)}:
        raise PoseError(f"{said}: a part without a place")
    if relation == "shoulder_width" and part in ("hand", "foot") and second.endswith(part):
        return SUPER["hands_shoulder_width" if part == "hand" else "feet_shoulder_width"]
    kind, low, high = PLACES[relation]
    if part == "hand" and second == "neck" and kind == "y":
        first = f"{side}_wrist"  # measured at the wrist, spoken of as the hand
    return ((Condition(kind, (first, second), low, high),),)


def truth(
    statements: Sequence[Statement],
    joints: Float[np.ndarray, "pose joint 3"] | Measured,
    *,
    tolerance: bool = True,
) -> Bool[np.ndarray, "pose statement"]:
    """Return which statements are true of which pose (joints: metres, body frame).

    With `tolerance` a statement counts as true if it could be made under the declared noise of the
    thresholds (5 degrees, 0.05 m); without it the bands are exact.
    """
    measured = joints if isinstance(joints, Measured) else Measured(joints)
    if not statements:
        return np.ones((len(measured), 0), dtype=bool)
    return np.stack([measured.holds(s.recipes, tolerance=tolerance) for s in statements], axis=1)


def is_true(
    statement: Statement, joints: Float[np.ndarray, "joint 3"], *, tolerance: bool = True
) -> bool:
    """Return whether one statement is true of one pose; see `truth`."""
    return bool(truth([statement], np.asarray(joints)[None], tolerance=tolerance)[0, 0])
