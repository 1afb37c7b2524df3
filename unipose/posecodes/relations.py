"""Is it true of this pose? Every relation of `calls.RELATIONS`, judged and put into words.

Comparisons of two parts need a difference of more than 3 cm; angles use the posecodes' bands.
Distances below 20 cm are near, above 40 cm apart. A hand or arm is raised at shoulder height.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unipose.posecodes.bands import (
    APART_CM,
    BENT_BY,
    BODY_GROUND_CM,
    GROUND_CM,
    HEAD_LEVEL_BY,
    HORIZONTAL_BY,
    LEVEL_CM,
    LIFTED_KNEE_CM,
    NEAR_CM,
    RAISED_ARM_CM,
    STRAIGHT_BY,
    TOUCH_CM,
    VERTICAL_BY,
)
from unipose.posecodes.body_relations import BODY_AND_WORD, WHOLE_BODY
from unipose.posecodes.calls import POSTURES
from unipose.posecodes.finding import Judgement
from unipose.posecodes.postures import judge_posture
from unipose.posecodes.quantities import hinge_of, measure, place_words, the, words
from unipose.posecodes.shown_pose import ShownPose, ones, pairs
from unipose.posecodes.touching import skin_distance


def judgements(pose: ShownPose, arguments: tuple[str, ...]) -> list[Judgement]:
    """Return what a relation's arguments come to: one judgement, or one for each of both sides."""
    relation, *parts = arguments
    if relation in POSTURES:
        return [judge_posture(pose, relation)]
    if relation in WHOLE_BODY:
        return [WHOLE_BODY[relation](pose)]
    if relation in BODY_AND_WORD:
        return [BODY_AND_WORD[relation](pose, parts[0])]
    if relation in _BOTH:
        return [_BOTH[relation](pose, parts[0])]
    if relation in _PAIRS:
        return [_PAIRS[relation](pose, *pair) for pair in pairs(*parts)]
    return [_PARTS[relation](pose, part) for part in ones(parts[0])]


def _bent(pose: ShownPose, part: str, *, straight: bool = False) -> Judgement:
    bend = measure("bend", pose, part)
    name = hinge_of(part)
    clause = f"{the(name)} is bent by {words(bend, 'degrees')}"
    slack = STRAIGHT_BY - bend if straight else bend - BENT_BY
    return Judgement(
        clause=clause,
        slack=slack,
        unit="degrees",
        near=5.0 if straight or slack > -5.0 else min(-slack, BENT_BY - STRAIGHT_BY),
        almost="Not quite" if straight else "Slightly",
    )


def _level_or(pose: ShownPose, quantity: str, first: str, second: str, phrases: str) -> str:
    """Return "the left hand is 12 cm above the head", or that they are level."""
    more, less, same = phrases.split("|")
    gap = measure(quantity, pose, first, second)
    if abs(gap) <= LEVEL_CM:
        return f"{the(first)} is {same} {the(second)} within {words(LEVEL_CM, 'cm')}"
    return f"{the(first)} is {words(gap, 'cm')} {more if gap > 0 else less} {the(second)}"


AXES = {
    "above": ("above", 1, "above|below|level with"),
    "below": ("above", -1, "above|below|level with"),
    "front": ("front", 1, "in front of|behind|as far forward as"),
    "behind": ("front", -1, "in front of|behind|as far forward as"),
    "leftward": ("side", 1, "to the left of|to the right of|in line with"),
    "rightward": ("side", -1, "to the left of|to the right of|in line with"),
}
"""Relation -> what is measured, its sign, and the words for more, less and equal."""


def _compared(relation: str) -> Callable[[ShownPose, str, str], Judgement]:
    quantity, sign, phrases = AXES[relation]

    def judge(pose: ShownPose, first: str, second: str) -> Judgement:
        gap = sign * measure(quantity, pose, first, second)
        return Judgement(
            clause=_level_or(pose, quantity, first, second, phrases),
            slack=gap - LEVEL_CM,
            unit="cm",
            near=2.0,
            just="Yes, slightly",
            almost="Not quite" if gap > 1.0 else "No",
            evidence=_both_places(pose, quantity, first, second),
        )

    return judge


def _both_places(pose: ShownPose, quantity: str, first: str, second: str) -> str:
    """Return the two numbers that a comparison is made of."""
    of_one = {"above": "height", "front": "forward", "side": "leftward"}[quantity]
    one, other = measure(of_one, pose, first), measure(of_one, pose, second)
    gap = words(one - other, "cm")
    return (
        f"{place_words(of_one, first, one)}, {place_words(of_one, second, other)}: {gap} between."
    )


def _near(pose: ShownPose, first: str, second: str) -> Judgement:
    gap = measure("distance", pose, first, second)
    clause = f"{the(first)} is {words(gap, 'cm')} from {the(second)}"
    return Judgement(clause=clause, slack=NEAR_CM - gap, unit="cm", near=3.0)


def _touch(pose: ShownPose, first: str, second: str) -> Judgement:
    gap = 100 * skin_distance(pose, first, second)
    if gap < TOUCH_CM:
        clause = f"{the(first)} touches {the(second)}"
    elif gap > TOUCH_CM:
        clause = f"{the(first)} is {words(gap, 'cm')} from {the(second)}, skin to skin"
    else:
        clause = f"{the(first)} only lies beside {the(second)} as in any pose"
    return Judgement(clause=clause, slack=TOUCH_CM - gap or -1e-9, unit="cm", near=1.0)


def _raised(pose: ShownPose, part: str) -> Judgement:
    side, name = part.split(" ")
    if name in ("foot", "leg"):
        height = measure("height", pose, f"{side} foot")
        clause = f"{the(side + ' foot')} is {words(height, 'cm')} above the ground"
        return Judgement(clause=clause, slack=height - GROUND_CM, unit="cm", near=3.0)
    if name == "knee":
        below = measure("above", pose, f"{side} hip", part)
        foot = measure("height", pose, f"{side} foot") - GROUND_CM
        where = f"{words(below, 'cm')} {'below' if below > 0 else 'above'} {the(side + ' hip')}"
        if foot <= 0:
            where += ", its foot on the ground"
        slack = min(LIFTED_KNEE_CM - below, foot)
        return Judgement(clause=f"{the(part)} is {where}", slack=slack, unit="cm", near=3.0)
    shoulder = f"{side} shoulder"
    end = part if name in ("hand", "elbow") else f"{side} hand"
    over = measure("above", pose, end, shoulder)
    clause = _level_or(pose, "above", end, shoulder, "above|below|level with")
    least = LEVEL_CM if name == "hand" else -RAISED_ARM_CM
    return Judgement(clause=clause, slack=over - least, unit="cm", near=3.0)


def _on_ground(pose: ShownPose, part: str) -> Judgement:
    limit = BODY_GROUND_CM if part in _DEEP else GROUND_CM
    if part != "back":
        height = measure("height", pose, part)
        clause = f"{the(part)} is {words(height, 'cm')} above the ground"
        return Judgement(clause=clause, slack=limit - height, unit="cm", near=3.0)
    height = max(measure("height", pose, spine) for spine in ("pelvis", "waist", "chest"))
    up = float(pose.measured.value("chest_up", _CHEST)[0])
    clause = f"{the(part)} is up to {words(height, 'cm')} above the ground"
    clause += "" if up > 0 else ", the chest down"
    slack = min(limit - height, up)
    return Judgement(clause=clause, slack=slack, unit="cm", near=3.0)


_DEEP = frozenset({"left hip", "right hip", "head", "back"})
_CHEST = ("left_shoulder", "right_shoulder", "pelvis", "neck")


def _upright_segment(horizontal: bool) -> Callable[[ShownPose, str], Judgement]:
    def judge(pose: ShownPose, segment: str) -> Judgement:
        tilt = measure("tilt", pose, segment)
        clause = f"{the(segment)} is {words(tilt, 'degrees')} from the vertical"
        slack = tilt - HORIZONTAL_BY if horizontal else VERTICAL_BY - tilt
        return Judgement(clause=clause, slack=slack, unit="degrees", near=2.0)

    return judge


def _level(pose: ShownPose, pair: str) -> Judgement:
    if pair == "head":
        tilt = measure("tilt", pose, "head")
        clause = f"the head is tilted by {words(tilt, 'degrees')}"
        return Judgement(clause=clause, slack=HEAD_LEVEL_BY - tilt, unit="degrees")
    first, second = ones(pair)
    gap = measure("above", pose, first, second)
    clause = _level_or(pose, "above", first, second, "above|below|level with")
    return Judgement(clause=clause, slack=LEVEL_CM - abs(gap), unit="cm", near=1.0)


_ENDS = {"arms": "hands", "legs": "feet"}


def _gap(pose: ShownPose, pair: str) -> tuple[float, str]:
    pair = _ENDS.get(pair, pair)
    gap = measure("distance", pose, *ones(pair))
    return gap, f"the {pair} are {words(gap, 'cm')} apart"


def _spaced(low: float, high: float) -> Callable[[ShownPose, str], Judgement]:
    def judge(pose: ShownPose, pair: str) -> Judgement:
        gap, clause = _gap(pose, pair)
        return Judgement(clause=clause, slack=min(gap - low, high - gap), unit="cm", near=3.0)

    return judge


def _crossed(pose: ShownPose, pair: str) -> Judgement:
    limb, line = {"arms": ("wrist", "shoulder"), "legs": ("ankle", "hip")}[pair]
    at = pose.parts
    across = at[f"right {line}"] - at[f"left {line}"]
    gap = at[f"left {limb}"] - at[f"right {limb}"]
    over = 100 * float(gap @ across) / max(float(np.linalg.norm(across)), 1e-9)
    name = {"wrist": "wrists", "ankle": "ankles"}[limb]
    how = "past each other" if over > 0 else "apart, each on its own side"
    clause = f"the {name} are {words(over, 'cm')} {how}"
    return Judgement(clause=clause, slack=over - LEVEL_CM, unit="cm", near=2.0)


_PAIRS = {relation: _compared(relation) for relation in AXES} | {"near": _near, "touch": _touch}
_PARTS: dict[str, Callable[[ShownPose, str], Judgement]] = {
    "bent": _bent,
    "straight": lambda pose, part: _bent(pose, part, straight=True),
    "raised": _raised,
    "on ground": _on_ground,
    "vertical": _upright_segment(horizontal=False),
    "horizontal": _upright_segment(horizontal=True),
}
_BOTH: dict[str, Callable[[ShownPose, str], Judgement]] = {
    "level": _level,
    "together": _spaced(-np.inf, NEAR_CM),
    "apart": _spaced(APART_CM, np.inf),
    "shoulder width": _spaced(NEAR_CM, APART_CM),
    "crossed": _crossed,
}
