"""What a relation means of the parts that it is said of: mentions become statements."""

from __future__ import annotations

from typing import NamedTuple

from unipose.errors import PoseError
from unipose.posecodes.catalogue import ANGLE_POINTS, SEGMENTS, SIDES
from unipose.posecodes.facts import (
    ARM_AND_LEG,
    CROSSED,
    PLACE_LIMBS,
    SEGMENT_LIMBS,
    t_pose,
)
from unipose.posecodes.statements import ANGLES, HAND_WORDS, TILTS, Statement, state

_LIMB_END = {"arm": "hand", "leg": "foot"}
_JOINT_OF = {limb: joint for joint, limb in ARM_AND_LEG.items()}


class Named(NamedTuple):
    """A mention of a part: `side` is left, right, both, each, other, opposite, own or none."""

    side: str
    part: str

    def sides(self) -> tuple[str, ...]:
        """Return the sides that are meant."""
        return SIDES if self.side in ("both", "each") else (self.side,)


def _known(first: str, relation: str, second: str | None = None) -> Statement | None:
    try:
        return state(first, relation, second)
    except PoseError:
        return None


def _all(said: list[Statement | None]) -> list[Statement] | None:
    """Return the statements if each of them can be measured and there is one."""
    found = [s for s in said if s is not None]
    return found if said and len(found) == len(said) else None


def states_of(subjects: list[Named], kind: str, name: str, *, free: bool) -> list[Statement] | None:
    """Return what a relation without an object states of the subjects."""
    body = all(s.part in ("body", "torso") for s in subjects)
    if kind == "body":
        return [state("body", name)] if body or free else None
    if kind == "position":
        part, relation = name.split()
        if any(s.part != part for s in subjects) and not (body and part != "head"):
            return None
        return [state(part, relation)]
    if kind == "pair":
        return _pair(subjects, name)
    if kind == "unary":
        return _join([_unary(subject, name) for subject in subjects])
    if kind == "limb":
        return _join([_limb(subject, name) for subject in subjects])
    return None


def _join(found: list[list[Statement] | None]) -> list[Statement] | None:
    if not found or any(said is None for said in found):
        return None
    return [statement for said in found if said for statement in said]


def _unary(subject: Named, name: str) -> list[Statement] | None:
    side, part = subject
    if part in ("torso", "body"):
        if name in ("vertical", "straight") and (part == "torso" or name == "vertical"):
            return [state("torso", "vertical")]
        return [state("body", "torso_horizontal")] if name == "horizontal" else None
    if side not in (*SIDES, "both"):
        return None
    if name in ANGLES:
        joint = _JOINT_OF.get(part, part)
        if f"left_{joint}" not in ANGLE_POINTS:
            return None
        return [state(f"{s}_{joint}", name) for s in subject.sides()]
    segments = SEGMENT_LIMBS.get(part, (part,))
    if name not in TILTS or f"left_{segments[0]}" not in SEGMENTS:
        return None
    return [state(f"{s}_{segment}", name) for s in subject.sides() for segment in segments]


def _pair(subjects: list[Named], name: str) -> list[Statement] | None:
    ends = [f"{side}_{_LIMB_END.get(s.part, s.part)}" for s in subjects for side in s.sides()]
    if len(ends) % 2:
        return None
    return _all([_known(a, name, b) for a, b in zip(ends[::2], ends[1::2], strict=True)])


_HAND = {
    "overhead": ("above", "head"),
    "raised": ("above", "~shoulder"),
    "lowered": ("below", "~shoulder"),
    "shoulder_height": ("level", "~shoulder"),
    "backward": ("behind", "torso"),
    "on_ground": ("on_ground", None),
} | {word: (word, f"~{part}") for word, part in HAND_WORDS.items()}
"""Words for hands and arms -> relation and second part; "~" is the hand's own side."""
_OTHER_LIMB = {"raised": "above", "lowered": "below", "reach_front": "front", "backward": "behind"}
"""Words for one leg, foot or knee: how it is to the other one."""


def _limb(subject: Named, name: str) -> list[Statement] | None:
    side, part = subject
    if name == "t_pose":
        return list(t_pose()) if part in ("arm", "body") and side in ("both", "none") else None
    if name == "crossed":
        end = CROSSED.get(part)
        return (
            [state(f"left_{end}", "at_right", f"right_{end}")] if end and side == "both" else None
        )
    if side not in (*SIDES, "both"):
        return None
    end, sides = _LIMB_END.get(part, part), subject.sides()
    if end == "hand":
        return [_hand(s, name) for s in sides] if name in (*_HAND, *_SIDEWAYS) else None
    if name == "on_ground":
        return _all([_known(f"{s}_{end}", "on_ground") for s in sides])
    if end == "elbow" and name in ("raised", "lowered"):
        return [state(f"{s}_elbow", _OTHER_LIMB[name], f"{s}_shoulder") for s in sides]
    if end in ("foot", "knee") and name in _OTHER_LIMB and side != "both":
        other = "right" if side == "left" else "left"
        return [state(f"{side}_{end}", _OTHER_LIMB[name], f"{other}_{end}")]
    return None


_SIDEWAYS = ("across", "out_left", "out_right")


def _hand(side: str, name: str) -> Statement:
    hand, shoulder = f"{side}_hand", f"{side}_shoulder"
    if name in _SIDEWAYS:
        if name == f"out_{side}":
            return state(hand, "out_side", shoulder)
        return state(hand, "at_right" if side == "left" else "at_left", shoulder)
    relation, second = _HAND[name]
    return state(hand, relation, second and second.replace("~", f"{side}_"))


def places_of(subjects: list[Named], name: str, objects: list[Named]) -> list[Statement] | None:
    """Return what "A is above B" states, for each A and each B."""
    if not objects:
        if name not in ("front", "behind"):
            return None
        objects = [Named("none", "torso")]
    return _join([_place(a, name, b) for a in subjects for b in objects])


def _place(a: Named, name: str, b: Named) -> list[Statement] | None:
    part_b = b.part or a.part
    pairs: list[tuple[str, str]] = []
    both_limbs = a.part in PLACE_LIMBS and part_b == a.part
    firsts = PLACE_LIMBS[a.part] if both_limbs else (_LIMB_END.get(a.part, a.part),)
    if a.part == "body" or a.side in ("own", "other", "opposite"):
        return None
    for first in firsts:
        second = first if both_limbs else _LIMB_END.get(part_b, part_b)
        second = "torso" if second == "body" else second
        for side in a.sides():
            one = first if side == "none" else f"{side}_{first}"
            for other in _object_sides(side, a, b, same=second == first):
                pairs.append((one, second if other == "none" else f"{other}_{second}"))
    if any(one == two for one, two in pairs):
        return None
    return _all([_known(one, name, two) for one, two in pairs])


def _object_sides(side: str, a: Named, b: Named, *, same: bool) -> tuple[str, ...]:
    """Return which sides of the object a subject on `side` is compared with."""
    opposite = {"left": "right", "right": "left"}.get(side, "none")
    if b.side == "both":
        return (side,) if a.side in ("both", "each") and not same else SIDES
    if b.side in ("other", "opposite"):
        return (opposite,)
    if b.side == "own":
        return (opposite if same else side,)
    return (b.side,)
