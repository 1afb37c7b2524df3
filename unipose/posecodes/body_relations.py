"""What is true of a whole body: how it leans, looks and faces, where its weight is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from unipose.posecodes.balance import outside_support
from unipose.posecodes.bands import (
    HEAVY_PERCENT,
    LEANS_BY,
    LOOKS_BY,
    SWAY_CM,
    SYMMETRIC_CM,
    TWISTED_BY,
    UPRIGHT_BY,
)
from unipose.posecodes.finding import Judgement
from unipose.posecodes.quantities import asymmetries, measure, words
from unipose.posecodes.shown_pose import ONE_OF, ShownPose


def lean_words(forward: float, left: float) -> str:
    """Return the direction of a lean in words: "forward and to the left"."""
    ways = []
    if abs(forward) >= max(5.0, abs(left) / 3):
        ways.append("forward" if forward > 0 else "backward")
    if abs(left) >= max(5.0, min(abs(forward), 180 - abs(forward)) / 3):
        ways.append("to the left" if left > 0 else "to the right")
    return " and ".join(ways)


def judge_leaning(pose: ShownPose, way: str) -> Judgement:
    """Judge whether the trunk leans that way."""
    axis, sign = {
        "forward": ("forward", 1), "backward": ("forward", -1), "left": ("left", 1),
        "right": ("left", -1),
    }[way]  # fmt: skip
    lean = measure(f"lean {axis}", pose)
    words_of = {"forward": ("forward", "backward"), "left": ("to the left", "to the right")}
    direction = words_of[axis][lean < 0]
    clause = f"the trunk leans {words(lean, 'degrees')} {direction}"
    return Judgement(clause=clause, slack=sign * lean - LEANS_BY[axis], unit="degrees")


def judge_looking(pose: ShownPose, way: str) -> Judgement:
    """Judge whether the face points that way."""
    turn, up = measure("turn", pose), measure("look up", pose)
    side = f"{words(turn, 'degrees')} to the {'left' if turn > 0 else 'right'}"
    height = f"{words(up, 'degrees')} {'up' if up > 0 else 'down'}"
    if way == "ahead":
        most = side if abs(turn) > abs(up) else height
        off = max(abs(turn), abs(up))
        return Judgement(clause=f"the face points {most}", slack=LOOKS_BY - off, unit="degrees")
    clause = f"the face points {side if way in ('left', 'right') else height}"
    amount = {"left": turn, "right": -turn, "up": up, "down": -up}[way]
    return Judgement(clause=clause, slack=amount - LOOKS_BY, unit="degrees")


def facing_words(yaw: float) -> str:
    """Return which way a body faces: "turned 90 degrees to the left of the viewer"."""
    if abs(yaw) < 0.5:
        return "faces the viewer"
    if abs(yaw) > 179.5:
        return "faces away from the viewer"
    return f"is turned {words(yaw, 'degrees')} to its {'left' if yaw > 0 else 'right'}"


def judge_facing(pose: ShownPose, way: str) -> Judgement:
    """Judge whether the body faces that way: left is a turn to its own left from the viewer."""
    yaw = measure("facing", pose)
    centre = {"front": 0.0, "left": 90.0, "back": 180.0, "right": -90.0}[way]
    off = abs((yaw - centre + 180.0) % 360.0 - 180.0)
    clause = f"the body {facing_words(yaw)}"
    return Judgement(clause=clause, slack=45.0 - off, unit="degrees")


def weight_words(share: float) -> str:
    """Return where the weight is, by the left foot's percent of it."""
    if np.isnan(share):
        return "the feet do not carry the weight"
    if share in (0.0, 100.0):
        return f"all the weight is on the {'left' if share else 'right'} foot"
    if round(share) == 50:
        return "each foot carries half of the weight"
    side = "left" if share > 50 else "right"
    return f"about {round(max(share, 100 - share))} percent of the weight is on the {side} foot"


def judge_weight(pose: ShownPose, where: str) -> Judgement:
    """Judge whether the weight is on that foot, or on both."""
    share = measure("weight", pose)
    left = pose.parts["left foot"] - pose.parts["right foot"]
    cm_per_percent = max(float(np.hypot(left[0], left[2])), 0.1)
    slack = {
        "left foot": share - HEAVY_PERCENT,
        "right foot": 100 - share - HEAVY_PERCENT,
        "both feet": min(share, 100 - share) - (100 - HEAVY_PERCENT),
    }[where]
    slack = -100.0 if np.isnan(share) else slack * cm_per_percent
    return Judgement(clause=weight_words(share), slack=slack, unit="cm", near=1.0)


def _upright(pose: ShownPose) -> Judgement:
    lean = measure("lean", pose)
    clause = f"the trunk leans {words(lean, 'degrees')} from the vertical"
    return Judgement(clause=clause, slack=UPRIGHT_BY - lean, unit="degrees")


def _twisted(pose: ShownPose) -> Judgement:
    twist = measure("twist", pose)
    side = "right" if twist > 0 else "left"
    clause = f"the shoulders are turned {words(twist, 'degrees')} to the {side} of the hips"
    if not round(twist):
        clause = f"the shoulders are not turned against the hips: {words(0.0, 'degrees')}"
    return Judgement(clause=clause, slack=abs(twist) - TWISTED_BY, unit="degrees")


def _balanced(pose: ShownPose) -> Judgement:
    outside = 100 * outside_support(pose)
    where = f"{words(outside, 'cm')} {'outside' if outside > 0 else 'inside'}"
    if 0 < outside < SWAY_CM:
        where = f"at the edge, {where}"
    clause = f"the centre of mass is {where} of what stands on the ground"
    return Judgement(clause=clause, slack=SWAY_CM - outside, unit="cm", near=3.0)


def _symmetric(pose: ShownPose) -> Judgement:
    name, most = max(asymmetries(pose).items(), key=lambda item: item[1])
    plural = {one: both for both, one in ONE_OF.items()}[name]
    clause = f"the {plural} differ by {words(most, 'cm')}, more than any other part"
    return Judgement(clause=clause, slack=SYMMETRIC_CM - most, unit="cm", near=3.0)


WHOLE_BODY: dict[str, Callable[[ShownPose], Judgement]] = {
    "upright": _upright,
    "twisted": _twisted,
    "balanced": _balanced,
    "symmetric": _symmetric,
}
"""Relation without parts -> its judge."""
BODY_AND_WORD: dict[str, Callable[[ShownPose, str], Judgement]] = {
    "leaning": judge_leaning,
    "looking": judge_looking,
    "facing": judge_facing,
    "weight": judge_weight,
}
"""Relation with a direction or a foot -> its judge."""
