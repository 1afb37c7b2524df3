"""Is it true of this pose? Every relation of `calls.RELATIONS`, judged and put into words.

Comparisons of two parts need a difference of more than 3 cm; angles use the posecodes' bands.
Distances below 20 cm are near, above 40 cm apart. A hand or arm is raised at shoulder height.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from data_builders.posecodes.measure import KINDS
from data_builders.posecodes.statements import ANGLES
from unipose.posecodes.balance import BODY_GROUND_M, GROUND_M, SWAY_M, outside_support
from unipose.posecodes.calls import POSTURES
from unipose.posecodes.finding import Reading
from unipose.posecodes.postures import judge_posture
from unipose.posecodes.quantities import asymmetries, hinge_of, measure, words
from unipose.posecodes.shown_pose import ONE_OF, ShownPose, ones, pairs
from unipose.posecodes.touching import REACH_M, skin_distance

LEVEL_CM = 3.0
"""Two parts are level within it."""
NEAR_CM, APART_CM = (100 * edge for edge in KINDS["distance"].thresholds[:2])
BENT_BY = 180.0 - ANGLES["bent"][1]
STRAIGHT_BY = 180.0 - ANGLES["straight"][0]
VERTICAL_BY, HORIZONTAL_BY = KINDS["tilt"].thresholds
LOOKS_BY = KINDS["turn"].thresholds[2]
LEANS_BY = {"forward": KINDS["lean_x"].thresholds[2], "left": KINDS["lean_z"].thresholds[2]}
TWISTED_BY = KINDS["twist"].thresholds[2]
UPRIGHT_BY = 20.0
HEAD_LEVEL_BY = 15.0
SLOPE_BY = 5.0
RAISED_ARM_CM = 10.0
"""An arm counts as raised from so far below the shoulder on: held out to the side it is raised."""
LIFTED_KNEE_CM = 25.0
"""A knee is raised if it is at most so far below its hip, and its foot off the ground."""
SYMMETRIC_CM = 10.0
HEAVY_PERCENT = 65.0
"""With so much of the weight over one foot, the weight is on that foot."""


def the(part: str) -> str:
    """Return the part as a noun of a sentence: "left hand" -> "the left hand"."""
    return f"the {part}"


def rule_of(relation: str) -> str:
    """Return from where on a relation counts, as a sentence ("" where the clause says it)."""
    return _RULES.get(relation, "")


def readings(pose: ShownPose, arguments: tuple[str, ...]) -> list[Reading]:
    """Return what a relation's arguments come to: one reading, or one for each of both sides."""
    relation, *parts = arguments
    if relation in POSTURES:
        return [judge_posture(pose, relation)]
    if relation in _WHOLE:
        return [_WHOLE[relation](pose)]
    if relation in _WORDS:
        return [_WORDS[relation](pose, parts[0])]
    if relation in _PAIRS:
        return [_PAIRS[relation](pose, *pair) for pair in pairs(*parts)]
    return [_PARTS[relation](pose, part) for part in ones(parts[0])]


def _bent(pose: ShownPose, part: str, *, straight: bool = False) -> Reading:
    bend = measure("bend", pose, part)
    name = hinge_of(part)
    clause = f"{the(name)} is bent by {words(bend, 'degrees')}"
    slack = STRAIGHT_BY - bend if straight else bend - BENT_BY
    return Reading(
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
        return f"{the(first)} and {the(second)} are {same} within {words(LEVEL_CM, 'cm')}"
    return f"{the(first)} is {words(gap, 'cm')} {more if gap > 0 else less} {the(second)}"


AXES = {
    "above": ("above", 1, "above|below|level"),
    "below": ("above", -1, "above|below|level"),
    "front": ("front", 1, "in front of|behind|equally far forward"),
    "behind": ("front", -1, "in front of|behind|equally far forward"),
    "leftward": ("side", 1, "to the left of|to the right of|in one line"),
    "rightward": ("side", -1, "to the left of|to the right of|in one line"),
}
"""Relation -> what is measured, its sign, and the words for more, less and equal."""


def _compared(relation: str) -> Callable[[ShownPose, str, str], Reading]:
    quantity, sign, phrases = AXES[relation]

    def judge(pose: ShownPose, first: str, second: str) -> Reading:
        gap = sign * measure(quantity, pose, first, second)
        return Reading(
            clause=_level_or(pose, quantity, first, second, phrases),
            slack=gap - LEVEL_CM,
            unit="cm",
            near=2.0,
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


_WAYS = {
    "height": ("above the ground", "below the ground"),
    "forward": ("in front of the pelvis", "behind the pelvis"),
    "leftward": ("to the left of the pelvis", "to the right of the pelvis"),
    "viewer": ("before the pelvis, seen by the viewer", "behind the pelvis, seen by the viewer"),
}


def place_words(quantity: str, part: str, value: float) -> str:
    """Return one number of one part in words: "the left hand is 12 cm above the ground"."""
    return f"{the(part)} is {words(value, 'cm')} {_WAYS[quantity][round(value) < 0]}"


def _near(pose: ShownPose, first: str, second: str) -> Reading:
    gap = measure("distance", pose, first, second)
    clause = f"{the(first)} is {words(gap, 'cm')} from {the(second)}"
    return Reading(clause=clause, slack=NEAR_CM - gap, unit="cm", near=3.0)


def _touch(pose: ShownPose, first: str, second: str) -> Reading:
    gap = skin_distance(pose, first, second)
    if gap < REACH_M:
        clause = f"{the(first)} touches {the(second)}"
    elif gap > REACH_M:
        clause = f"{the(first)} is {words(100 * gap, 'cm')} from {the(second)}, skin to skin"
    else:
        clause = f"{the(first)} only lies beside {the(second)} as in any pose"
    return Reading(clause=clause, slack=100 * (REACH_M - gap) or -1e-9, unit="cm", near=1.0)


def _raised(pose: ShownPose, part: str) -> Reading:
    side, name = part.split(" ")
    if name in ("foot", "leg"):
        height = measure("height", pose, f"{side} foot")
        clause = f"{the(side + ' foot')} is {words(height, 'cm')} above the ground"
        return Reading(clause=clause, slack=height - 100 * GROUND_M, unit="cm", near=3.0)
    if name == "knee":
        below = measure("above", pose, f"{side} hip", part)
        foot = measure("height", pose, f"{side} foot") - 100 * GROUND_M
        where = f"{words(below, 'cm')} {'below' if below > 0 else 'above'} {the(side + ' hip')}"
        if foot <= 0:
            where += ", its foot on the ground"
        slack = min(LIFTED_KNEE_CM - below, foot)
        return Reading(clause=f"{the(part)} is {where}", slack=slack, unit="cm", near=3.0)
    shoulder = f"{side} shoulder"
    end = part if name in ("hand", "elbow") else f"{side} hand"
    over = measure("above", pose, end, shoulder)
    clause = _level_or(pose, "above", end, shoulder, "above|below|level")
    least = LEVEL_CM if name == "hand" else -RAISED_ARM_CM
    return Reading(clause=clause, slack=over - least, unit="cm", near=3.0)


def _on_ground(pose: ShownPose, part: str) -> Reading:
    limit = 100 * (BODY_GROUND_M if part in _DEEP else GROUND_M)
    if part != "back":
        height = measure("height", pose, part)
        clause = f"{the(part)} is {words(height, 'cm')} above the ground"
        return Reading(clause=clause, slack=limit - height, unit="cm", near=3.0)
    height = max(measure("height", pose, spine) for spine in ("pelvis", "waist", "chest"))
    up = float(pose.measured.value("chest_up", _CHEST)[0])
    clause = f"{the(part)} is up to {words(height, 'cm')} above the ground"
    clause += "" if up > 0 else ", the chest down"
    slack = min(limit - height, up)
    return Reading(clause=clause, slack=slack, unit="cm", near=3.0)


_DEEP = frozenset({"left hip", "right hip", "head", "back"})
_CHEST = ("left_shoulder", "right_shoulder", "pelvis", "neck")


def _upright_segment(horizontal: bool) -> Callable[[ShownPose, str], Reading]:
    def judge(pose: ShownPose, segment: str) -> Reading:
        tilt = measure("tilt", pose, segment)
        clause = f"{the(segment)} is {words(tilt, 'degrees')} from the vertical"
        slack = tilt - HORIZONTAL_BY if horizontal else VERTICAL_BY - tilt
        return Reading(clause=clause, slack=slack, unit="degrees", near=2.0)

    return judge


def _level(pose: ShownPose, pair: str) -> Reading:
    if pair == "head":
        tilt = measure("tilt", pose, "head")
        clause = f"the head is tilted by {words(tilt, 'degrees')}"
        return Reading(clause=clause, slack=HEAD_LEVEL_BY - tilt, unit="degrees")
    gap = measure("above", pose, *ones(pair))
    clause = _level_or(pose, "above", *ones(pair), "above|below|level")
    return Reading(clause=clause, slack=LEVEL_CM - abs(gap), unit="cm", near=1.0)


_ENDS = {"arms": "hands", "legs": "feet"}


def _gap(pose: ShownPose, pair: str) -> tuple[float, str]:
    pair = _ENDS.get(pair, pair)
    gap = measure("distance", pose, *ones(pair))
    return gap, f"the {pair} are {words(gap, 'cm')} apart"


def _spaced(low: float, high: float) -> Callable[[ShownPose, str], Reading]:
    def judge(pose: ShownPose, pair: str) -> Reading:
        gap, clause = _gap(pose, pair)
        return Reading(clause=clause, slack=min(gap - low, high - gap), unit="cm", near=3.0)

    return judge


def _crossed(pose: ShownPose, pair: str) -> Reading:
    limb, line = {"arms": ("wrist", "shoulder"), "legs": ("ankle", "hip")}[pair]
    at = pose.parts
    across = at[f"right {line}"] - at[f"left {line}"]
    gap = at[f"left {limb}"] - at[f"right {limb}"]
    over = 100 * float(gap @ across) / max(float(np.linalg.norm(across)), 1e-9)
    name = {"wrist": "wrists", "ankle": "ankles"}[limb]
    how = "past each other" if over > 0 else "apart, each on its own side"
    clause = f"the {name} are {words(over, 'cm')} {how}"
    return Reading(clause=clause, slack=over - LEVEL_CM, unit="cm", near=2.0)


def lean_words(forward: float, left: float) -> str:
    """Return the direction of a lean in words: "forward and to the left"."""
    ways = []
    if abs(forward) >= max(5.0, abs(left) / 3):
        ways.append("forward" if forward > 0 else "backward")
    if abs(left) >= max(5.0, min(abs(forward), 180 - abs(forward)) / 3):
        ways.append("to the left" if left > 0 else "to the right")
    return " and ".join(ways)


def _leaning(pose: ShownPose, way: str) -> Reading:
    axis, sign = {
        "forward": ("forward", 1), "backward": ("forward", -1), "left": ("left", 1),
        "right": ("left", -1),
    }[way]  # fmt: skip
    lean = measure(f"lean {axis}", pose)
    words_of = {"forward": ("forward", "backward"), "left": ("to the left", "to the right")}
    direction = words_of[axis][lean < 0]
    clause = f"the trunk leans {words(lean, 'degrees')} {direction}"
    return Reading(clause=clause, slack=sign * lean - LEANS_BY[axis], unit="degrees")


def _looking(pose: ShownPose, way: str) -> Reading:
    turn, up = measure("turn", pose), measure("look up", pose)
    side = f"{words(turn, 'degrees')} to the {'left' if turn > 0 else 'right'}"
    height = f"{words(up, 'degrees')} {'up' if up > 0 else 'down'}"
    if way == "ahead":
        most = side if abs(turn) > abs(up) else height
        off = max(abs(turn), abs(up))
        return Reading(clause=f"the face points {most}", slack=LOOKS_BY - off, unit="degrees")
    clause = f"the face points {side if way in ('left', 'right') else height}"
    amount = {"left": turn, "right": -turn, "up": up, "down": -up}[way]
    return Reading(clause=clause, slack=amount - LOOKS_BY, unit="degrees")


def facing_words(yaw: float) -> str:
    """Return which way a body faces: "turned 90 degrees to the left of the viewer"."""
    if abs(yaw) < 0.5:
        return "faces the viewer"
    if abs(yaw) > 179.5:
        return "faces away from the viewer"
    return f"is turned {words(yaw, 'degrees')} to its {'left' if yaw > 0 else 'right'}"


def _facing(pose: ShownPose, way: str) -> Reading:
    yaw = measure("facing", pose)
    centre = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}[way]
    off = abs((yaw - centre + 180.0) % 360.0 - 180.0)
    clause = f"the body {facing_words(yaw)}"
    return Reading(clause=clause, slack=45.0 - off, unit="degrees")


def weight_words(share: float) -> str:
    """Return where the weight is, by the left foot's percent of it."""
    if np.isnan(share):
        return "no foot is on the ground"
    if share in (0.0, 100.0):
        return f"all the weight is on the {'left' if share else 'right'} foot"
    if round(share) == 50:
        return "each foot carries half of the weight"
    side = "left" if share > 50 else "right"
    return f"about {round(max(share, 100 - share))} percent of the weight is on the {side} foot"


def _weight(pose: ShownPose, where: str) -> Reading:
    share = measure("weight", pose)
    left = pose.parts["left foot"] - pose.parts["right foot"]
    cm_per_percent = max(float(np.hypot(left[0], left[2])), 0.1)
    slack = {
        "left foot": share - HEAVY_PERCENT,
        "right foot": 100 - share - HEAVY_PERCENT,
        "both feet": min(share, 100 - share) - (100 - HEAVY_PERCENT),
    }[where]
    slack = -100.0 if np.isnan(share) else slack * cm_per_percent
    return Reading(clause=weight_words(share), slack=slack, unit="cm", near=1.0)


def _upright(pose: ShownPose) -> Reading:
    lean = measure("lean", pose)
    clause = f"the trunk leans {words(lean, 'degrees')} from the vertical"
    return Reading(clause=clause, slack=UPRIGHT_BY - lean, unit="degrees")


def _twisted(pose: ShownPose) -> Reading:
    twist = measure("twist", pose)
    side = "right" if twist > 0 else "left"
    clause = f"the shoulders are turned {words(twist, 'degrees')} to the {side} of the hips"
    return Reading(clause=clause, slack=abs(twist) - TWISTED_BY, unit="degrees")


def _balanced(pose: ShownPose) -> Reading:
    outside = 100 * outside_support(pose)
    where = f"{words(outside, 'cm')} {'outside' if outside > 0 else 'inside'}"
    clause = f"the centre of mass is {where} of what stands on the ground"
    return Reading(clause=clause, slack=100 * SWAY_M - outside, unit="cm", near=3.0)


def _symmetric(pose: ShownPose) -> Reading:
    name, most = max(asymmetries(pose).items(), key=lambda item: item[1])
    plural = {one: both for both, one in ONE_OF.items()}[name]
    clause = f"the {plural} differ by {words(most, 'cm')}, more than any other part"
    return Reading(clause=clause, slack=SYMMETRIC_CM - most, unit="cm", near=3.0)


_PAIRS = {relation: _compared(relation) for relation in AXES} | {"near": _near, "touch": _touch}
_PARTS: dict[str, Callable[[ShownPose, str], Reading]] = {
    "bent": _bent,
    "straight": lambda pose, part: _bent(pose, part, straight=True),
    "raised": _raised,
    "on ground": _on_ground,
    "vertical": _upright_segment(horizontal=False),
    "horizontal": _upright_segment(horizontal=True),
}
_WORDS: dict[str, Callable[[ShownPose, str], Reading]] = {
    "level": _level,
    "together": _spaced(-np.inf, NEAR_CM),
    "apart": _spaced(APART_CM, np.inf),
    "shoulder width": _spaced(NEAR_CM, APART_CM),
    "crossed": _crossed,
    "leaning": _leaning,
    "looking": _looking,
    "facing": _facing,
    "weight": _weight,
}
_WHOLE: dict[str, Callable[[ShownPose], Reading]] = {
    "upright": _upright,
    "twisted": _twisted,
    "balanced": _balanced,
    "symmetric": _symmetric,
}
_RULES = {
    "bent": f"It counts as bent from {BENT_BY:.0f} degrees on.",
    "straight": f"It counts as straight below {STRAIGHT_BY:.0f} degrees.",
    "raised": "A hand is raised above its shoulder, an arm or elbow from 10 cm below it on, a foot "
    "or leg 10 cm above the ground.",
    "on ground": f"Up to {100 * GROUND_M:.0f} cm count as on the ground; for hips, head and back "
    f"{100 * BODY_GROUND_M:.0f} cm.",
    "vertical": f"Up to {VERTICAL_BY:.0f} degrees count as vertical.",
    "horizontal": f"From {HORIZONTAL_BY:.0f} degrees on it counts as horizontal.",
    "level": f"Within {LEVEL_CM:.0f} cm they count as level, a head within "
    f"{HEAD_LEVEL_BY:.0f} degrees.",
    "near": f"Near is less than {NEAR_CM:.0f} cm.",
    "touch": f"Skin within {100 * REACH_M:.0f} cm touches.",
    "together": f"Together is less than {NEAR_CM:.0f} cm.",
    "apart": f"Apart is more than {APART_CM:.0f} cm.",
    "shoulder width": f"Shoulder width is {NEAR_CM:.0f} to {APART_CM:.0f} cm.",
    "leaning": f"It counts from {LEANS_BY['forward']:.0f} degrees on forward or backward, to a "
    f"side from {LEANS_BY['left']:.0f}.",
    "looking": f"It counts from {LOOKS_BY:.0f} degrees on.",
    "facing": "Up to 45 degrees to either side count.",
    "weight": f"From {HEAVY_PERCENT:.0f} percent on it counts as on one foot.",
    "upright": f"Up to {UPRIGHT_BY:.0f} degrees count as upright.",
    "twisted": f"It counts as twisted from {TWISTED_BY:.0f} degrees on.",
    "balanced": f"Up to {100 * SWAY_M:.0f} cm outside count as balanced.",
    "symmetric": f"Up to {SYMMETRIC_CM:.0f} cm count as symmetric.",
}
