"""What changes from one pose to another (paircodes), measured for a batch of pairs at once."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from unipose.posecodes.catalogue import ANGLE_POINTS, SIDES
from unipose.posecodes.changes import ACTIONS, Change, MeasuredPair
from unipose.posecodes.facts import Fact, atoms


class Column(NamedTuple):
    """One direction of one measurement with the bounds of its sizes."""

    part: str
    action: str
    other: str | None
    scale: float

    def change(self, size: str) -> Change:
        """Return the change in this direction by `size`."""
        return Change(self.part, self.action, size, self.other)


@cache
def columns() -> tuple[Column, ...]:
    """Return all that is measured, one column for each of the two directions."""
    found = []
    for joint in ANGLE_POINTS:
        found += [Column(joint, action, None, 45.0) for action in ("bend", "unbend")]
    for part in ("shoulder", "elbow", "hand", "knee", "foot"):
        for side in SIDES:
            axes = ("left", "right", "up", "down", "forward", "back")
            for action in axes[2 * (part == "shoulder") :]:
                found.append(Column(f"{side}_{part}", action, None, 0.35))
    for action in ("lean_forward", "lean_back", "lean_left", "lean_right"):
        found.append(Column("body", action, None, 15.0))
    found += [Column("body", action, None, 20.0) for action in ("turn_left", "turn_right")]
    for part in ("elbow", "hand", "knee", "foot"):
        pairs = [(f"left_{part}", f"right_{part}")]
        pairs += [(f"{side}_{part}", "torso") for side in SIDES]
        for one, other in pairs:
            found += [Column(one, action, other, 0.25) for action in ("closer", "apart")]
    return tuple(found)


@cache
def targets() -> tuple[Fact, ...]:
    """Return the states that can be asked for: absolute ones, said of single parts."""
    angles = ("completely_bent", "right_angle", "straight")
    found = []
    for fact in atoms():
        said = fact.members[0]
        place = said.relation in ("above", "close") and said.second is not None
        near = place and (
            said.relation == "close" or said.second in ("head", f"{said.first[:-4]}shoulder")
        )
        if said.relation in (*angles, "horizontal", "on_hip", "shoulder_width") or near:
            found.append(fact)
    return tuple(found)


class PairCodes:
    """Everything measured of a batch of pairs."""

    def __init__(
        self,
        joints_a: Float[np.ndarray, "pose joint 3"],
        joints_b: Float[np.ndarray, "pose joint 3"],
    ) -> None:
        pair = MeasuredPair(joints_a, joints_b)
        known = columns()
        self.steps = np.stack([pair.difference(c.change("any")) for c in known], axis=1)
        floor = np.array([ACTIONS[c.action].sizes["any"][0] for c in known])
        self.moved = self.steps > floor
        for i, column in enumerate(known):
            if column.other is not None:  # only if the near end is near
                near = pair.second if column.action == "closer" else pair.first
                distance = near.value("distance", (column.part, column.other))
                self.moved[:, i] &= distance <= 0.20
        self.straight = np.stack(
            [
                pair.holds(Change(c.part, "straighten"))
                if c.action == "unbend"
                else np.zeros(len(pair), bool)
                for c in known
            ],
            axis=1,
        )
        recipes = [fact.members[0].recipes for fact in targets()]
        after = np.stack([pair.second.holds(r) for r in recipes], axis=1)
        before = np.stack([pair.first.holds(r, tolerance=True) for r in recipes], axis=1)
        self.reached = after & ~before
