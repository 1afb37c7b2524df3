"""Statements beyond the ECCV-sized set: how a body lies, how its trunk leans, how its head is held.

They are options of the writers and always understood by the reader. Lying and being upside down
only come to light where the tilt of the root is kept (`normalised_root`, mode "yaw").
"""

from __future__ import annotations

from typing import Literal

from unipose.posecodes.measure import KINDS, Condition, Recipes, in_band

Extra = Literal["lying", "lean", "head"]
"""Groups of statements that a writer can be asked for."""
Named = tuple[str, str]
"""Part and relation."""

_INF = float("inf")
_SIDES = ("left", "right")
_TRUNK = ("pelvis", "neck")
_CHEST = ("left_shoulder", "right_shoulder", *_TRUNK)
_SHOULDERS = ("left_shoulder", "right_shoulder")
_LEAN = ("pelvis", *_SHOULDERS)

_FLAT = (
    Condition("ground", ("pelvis",), -_INF, 0.30),
    Condition("ground", ("neck",), -_INF, 0.40),
    Condition("trunk_up", _TRUNK, -35.0, 35.0),
)


def _lying() -> dict[Named, Recipes]:
    def flat(kind: str, points: tuple[str, ...], low: float, high: float) -> Recipes:
        return ((*_FLAT, Condition(kind, points, low, high)),)

    head_down = in_band("trunk_up", _TRUNK, "down")
    hands = tuple(Condition("ground", (f"{side}_hand",), -_INF, 0.15) for side in _SIDES)
    knees = tuple(in_band("ground", [f"{side}_knee"], "on_ground") for side in _SIDES)
    prone = (
        Condition("chest_up", _CHEST, -_INF, -30.0),
        Condition("ground", ("pelvis",), 0.35, _INF),  # higher than one who lies, noise included
    )
    return {
        ("body", "lying_on_back"): flat("chest_up", _CHEST, 45.0, _INF),
        ("body", "lying_on_front"): flat("chest_up", _CHEST, -_INF, -45.0),
        ("body", "lying_on_left"): flat("side_up", _SHOULDERS, -_INF, -45.0),
        ("body", "lying_on_right"): flat("side_up", _SHOULDERS, 45.0, _INF),
        ("body", "upside_down"): tuple(
            (head_down, Condition("y", (f"{side}_ankle", "pelvis"), 0.15, _INF)) for side in _SIDES
        ),
        ("body", "on_all_fours"): ((*hands, *knees, *prone),),
        ("torso", "facing_up"): ((in_band("chest_up", _CHEST, "up"),),),
        ("torso", "facing_down"): ((in_band("chest_up", _CHEST, "down"),),),
    }


def _leaning() -> dict[Named, Recipes]:
    """Return the inclines of the trunk, of people whose feet are well below their shoulders."""

    def standing(kind: str, points: tuple[str, ...], band: str) -> Recipes:
        return tuple(
            (in_band(kind, points, band), Condition("y", (f"{side}_ankle", "neck"), -_INF, -0.20))
            for side in _SIDES
        )

    found = {}
    for band in ("backward", "slightly_backward", "slightly_forward", "forward"):
        found["torso", f"leaning_{band}"] = standing("lean_x", _LEAN, band)
    for side in _SIDES:
        for band in (side, f"slightly_{side}"):
            found["torso", f"leaning_{band}"] = standing("lean_z", _LEAN, band)
            found["torso", f"twisted_{band}"] = ((in_band("twist", _SHOULDERS, band),),)
    return found


def _head() -> dict[Named, Recipes]:
    found = {("head", band): ((in_band("nod", (), band),),) for band in KINDS["nod"].bands if band}
    for side in _SIDES:
        found["head", f"turned_{side}"] = ((in_band("turn", (), side),),)
        found["head", f"turned_slightly_{side}"] = ((in_band("turn", (), f"slightly_{side}"),),)
        found["head", f"tipped_{side}"] = ((in_band("tip", (), side),),)
    return found


GROUPS: dict[Extra, dict[Named, Recipes]] = {
    "lying": _lying(),
    "lean": _leaning(),
    "head": _head(),
}
POSITIONS: dict[Named, Recipes] = GROUPS["lying"] | GROUPS["lean"] | GROUPS["head"]
"""Part and relation -> what must hold on the joints."""
