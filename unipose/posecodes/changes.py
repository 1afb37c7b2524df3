"""What a text can say of the way from one pose to another (paircodes), and whether it happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Bool, Float

from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError
from unipose.posecodes.catalogue import ANGLE_POINTS
from unipose.posecodes.measure import KINDS, Condition, Measured
from unipose.posecodes.statements import Statement, mirrored_part

_INF = float("inf")


@dataclass(frozen=True, kw_only=True)
class Action:
    """How a change is measured: `sign` times (second pose minus first) of a measurement."""

    kind: str
    sign: int
    sizes: dict[str, tuple[float, float]]
    noise: float


_ANGLE = {
    "slight": (18.0, 45.0),
    "medium": (45.0, 80.0),
    "much": (80.0, _INF),
    "any": (18.0, _INF),
}
_PLACE = {"slight": (0.15, 0.40), "much": (0.40, _INF), "any": (0.15, _INF)}
_GAP = {"slight": (0.10, 0.40), "much": (0.40, _INF), "any": (0.10, _INF)}
_LEAN_X = {"slight": (20.0, 45.0), "much": (45.0, _INF), "any": (20.0, _INF)}
_LEAN_Z = {"slight": (15.0, 30.0), "much": (30.0, _INF), "any": (15.0, _INF)}
_WHOLE = {"slight": (20.0, 60.0), "quarter": (60.0, 120.0), "far": (120.0, 150.0)}
_WHOLE |= {"any": (20.0, 150.0)}

ACTIONS: dict[str, Action] = {
    "bend": Action(kind="angle", sign=-1, sizes=_ANGLE, noise=5.0),
    "unbend": Action(kind="angle", sign=1, sizes=_ANGLE, noise=5.0),
    "straighten": Action(kind="angle", sign=1, sizes={"any": _ANGLE["any"]}, noise=5.0),
    "left": Action(kind="x", sign=1, sizes=_PLACE, noise=0.05),
    "right": Action(kind="x", sign=-1, sizes=_PLACE, noise=0.05),
    "up": Action(kind="y", sign=1, sizes=_PLACE, noise=0.05),
    "down": Action(kind="y", sign=-1, sizes=_PLACE, noise=0.05),
    "forward": Action(kind="z", sign=1, sizes=_PLACE, noise=0.05),
    "back": Action(kind="z", sign=-1, sizes=_PLACE, noise=0.05),
    "closer": Action(kind="distance", sign=-1, sizes=_GAP, noise=0.05),
    "apart": Action(kind="distance", sign=1, sizes=_GAP, noise=0.05),
    "lean_forward": Action(kind="lean_x", sign=1, sizes=_LEAN_X, noise=5.0),
    "lean_back": Action(kind="lean_x", sign=-1, sizes=_LEAN_X, noise=5.0),
    "lean_left": Action(kind="lean_z", sign=1, sizes=_LEAN_Z, noise=5.0),
    "lean_right": Action(kind="lean_z", sign=-1, sizes=_LEAN_Z, noise=5.0),
    "turn_left": Action(kind="twist", sign=-1, sizes=_LEAN_X, noise=5.0),
    "turn_right": Action(kind="twist", sign=1, sizes=_LEAN_X, noise=5.0),
    "whole_left": Action(kind="heading", sign=1, sizes=_WHOLE, noise=10.0),
    "whole_right": Action(kind="heading", sign=-1, sizes=_WHOLE, noise=10.0),
    "around": Action(kind="heading", sign=0, sizes={"any": (150.0, _INF)}, noise=10.0),
}
"""straighten: bent less by any amount, and in the end slightly bent or straight. Places are
relative to the pelvis. turn_*: the shoulders against the body's frame. whole_*, around: the whole
body in the world that both poses share, around either way."""

_TRUNK = ("pelvis", "left_shoulder", "right_shoulder")
_SHOULDERS = ("left_shoulder", "right_shoulder")
_CHAINS = {
    "arm": ("collar", "shoulder", "elbow", "wrist", "hand"),
    "leg": ("hip", "knee", "ankle", "foot"),
}
_CHAIN_OF = {part: chain for chain, parts in _CHAINS.items() for part in (*parts, chain)} | {
    "upperarm": "arm",
    "forearm": "arm",
    "thigh": "leg",
    "shin": "leg",
}


@dataclass(frozen=True, order=True)
class Change:
    """One thing a text says about the way from a first pose to a second.

    `part` like "left_hand", or "body" for leaning and turning; `action` one of ACTIONS, or "reach",
    which asks that `target` is true of the second pose; `size` "slight", "medium" (angles only),
    "much" or "any", of a turn of the whole body "slight", "quarter", "far" or "any"; `other` the
    second part of a distance.
    """

    part: str
    action: str
    size: str = "any"
    other: str | None = None
    target: Statement | None = None

    def __post_init__(self) -> None:
        if self.action == "reach":
            if self.target is None:
                raise PoseError(f"{self.part}: a state to reach needs a target")
            return
        action = ACTIONS.get(self.action)
        if action is None or self.size not in action.sizes:
            raise PoseError(f"no change {self.action!r} of size {self.size!r}")
        if action.kind == "angle" and self.part not in ANGLE_POINTS:
            raise PoseError(f"{self.part} cannot bend; known: {', '.join(ANGLE_POINTS)}")
        if (action.kind == "distance") != (self.other is not None):
            raise PoseError(f"{self.action} of {self.part}: a distance, and only it, has two parts")

    @property
    def points(self) -> tuple[str, ...]:
        """The points that are measured in both poses."""
        kind = ACTIONS[self.action].kind
        if kind == "angle":
            return ANGLE_POINTS[self.part]
        if kind == "distance":
            assert self.other is not None
            return (self.part, self.other)
        if kind == "twist":
            return _SHOULDERS
        if kind == "heading":
            return ()
        return _TRUNK if kind.startswith("lean") else (self.part, "pelvis")

    @property
    def joints(self) -> frozenset[str]:
        """SMPL joints that this change may move, out of the first 22.

        A part of a limb stands for the whole limb of its side, from the collar to the wrist or from
        the hip to the foot, since a hand is raised by the shoulder; leaning and turning the body
        stand for everything above the pelvis, arms included. A distance stands for both limbs.
        """
        if self.action in ACTIONS and ACTIONS[self.action].kind == "heading":
            return frozenset({"pelvis"})
        parts = {self.part, self.other or self.part}
        if self.target is not None:
            parts = {self.target.first, self.target.second or self.target.first}
        return frozenset().union(*(_chain(part) for part in parts))

    def mirrored(self) -> Change:
        """Return the same change seen in a mirror."""
        swap = {"left": "right", "right": "left"}
        head, under, tail = self.action.rpartition("_")
        part, other = mirrored_part(self.part), self.other and mirrored_part(self.other)
        if other and part > other and part.split("_")[-1] == other.split("_")[-1]:
            part, other = other, part
        target = self.target and self.target.mirrored()
        if target and target.first == self.part and target.second == part:
            part = self.part  # of two hands that part, which is named first says nothing
        return Change(part, head + under + swap.get(tail, tail), self.size, other, target)


@cache
def _chain(part: str) -> frozenset[str]:
    posed = SMPL.joints[:POSED_JOINTS]
    side, _, name = part.rpartition("_")
    if side and name in _CHAIN_OF:
        wanted = {f"{side}_{joint}" for joint in _CHAINS[_CHAIN_OF[name]]}
        return frozenset(wanted & set(posed))
    if part in ("head", "neck"):
        return frozenset({"neck", "head"})
    legs = {f"{side}_{joint}" for side in ("left", "right") for joint in _CHAINS["leg"]}
    return frozenset(set(posed) - legs - {"pelvis"})


class MeasuredPair:
    """Two batches of poses, row by row from the first to the second."""

    def __init__(
        self,
        joints_a: Float[np.ndarray, "pose joint 3"],
        joints_b: Float[np.ndarray, "pose joint 3"],
        *,
        turns: Float[np.ndarray, " pose"] | None = None,
    ) -> None:
        """`turns`: of the whole body in a shared world (`whole_turns`); NaN or None: not known."""
        self.turns = np.full(len(joints_a), np.nan) if turns is None else np.asarray(turns)
        self.first, self.second = Measured(joints_a), Measured(joints_b)
        if len(self.first) != len(self.second):
            raise PoseError(f"{len(self.first)} first poses, but {len(self.second)} second ones")

    def __len__(self) -> int:
        return len(self.first)

    def difference(self, change: Change) -> Float[np.ndarray, " pose"]:
        """Return by how much each pair changes in the change's direction (degrees or metres)."""
        action, names = ACTIONS[change.action], change.points
        if action.kind == "heading":
            return action.sign * self.turns if action.sign else np.abs(self.turns)
        step = self.second.value(action.kind, names) - self.first.value(action.kind, names)
        if action.kind in ("lean_x", "twist"):
            step = (step + 180.0) % 360.0 - 180.0
        return action.sign * step

    def holds(self, change: Change, *, tolerance: bool = False) -> Bool[np.ndarray, " pose"]:
        """Return for which pairs the change happened."""
        if change.action == "reach":
            assert change.target is not None
            return self.second.holds(change.target.recipes, tolerance=tolerance)
        action = ACTIONS[change.action]
        low, high = action.sizes[change.size]
        slack = action.noise if tolerance else 0.0
        step = self.difference(change)
        happened = (low - slack < step) & (step <= high + slack)
        if change.action == "straighten":
            low = KINDS["angle"].interval("slightly_bent")[0]
            ends = ((Condition("angle", change.points, low, _INF),),)
            happened &= self.second.holds(ends, tolerance=tolerance)
        return happened


def happened(
    changes: Sequence[Change],
    joints_a: Float[np.ndarray, "pose joint 3"],
    joints_b: Float[np.ndarray, "pose joint 3"],
    *,
    tolerance: bool = True,
    turns: Float[np.ndarray, " pose"] | None = None,
) -> Bool[np.ndarray, "pose change"]:
    """Return which changes happened from which first to which second pose.

    Direction and size must both fit; with `tolerance` each size reaches over its bounds by the
    declared noise (5 degrees, 0.05 m; 10 degrees for turns of the whole body), and no further.
    `turns`: see `MeasuredPair`; where they are not known, no turn has happened.
    """
    pair = MeasuredPair(joints_a, joints_b, turns=turns)
    if not changes:
        return np.ones((len(pair), 0), dtype=bool)
    return np.stack([pair.holds(change, tolerance=tolerance) for change in changes], axis=1)


def has_happened(
    change: Change,
    joints_a: Float[np.ndarray, "joint 3"],
    joints_b: Float[np.ndarray, "joint 3"],
    *,
    tolerance: bool = True,
) -> bool:
    """Return whether one change happened between two poses; see `happened`."""
    a, b = np.asarray(joints_a)[None], np.asarray(joints_b)[None]
    return bool(happened([change], a, b, tolerance=tolerance)[0, 0])
