"""What posture a body is in: the posecodes' words, how nearly each fits, and what stands out."""

from __future__ import annotations

from unipose.posecodes.finding import Judgement, joined
from unipose.posecodes.measure import KINDS, Condition, Recipes
from unipose.posecodes.positions import POSITIONS
from unipose.posecodes.quantities import measure, words
from unipose.posecodes.shown_pose import ShownPose
from unipose.posecodes.statements import BODY

_LEANING = POSITIONS["torso", "leaning_forward"]
_LYING = {
    "lying on the back": POSITIONS["body", "lying_on_back"],
    "lying on the front": POSITIONS["body", "lying_on_front"],
    "lying on the left side": POSITIONS["body", "lying_on_left"],
    "lying on the right side": POSITIONS["body", "lying_on_right"],
}
_LUNGING = {
    "lunging with the left leg in front": BODY["lunging_on_left"],
    "lunging with the right leg in front": BODY["lunging_on_right"],
}
_KNEELING = {
    "kneeling on both knees": BODY["kneeling"],
    "kneeling on the left knee": BODY["kneeling_on_left"],
    "kneeling on the right knee": BODY["kneeling_on_right"],
}
POSTURE_RECIPES: dict[str, Recipes] = {
    "upside down": POSITIONS["body", "upside_down"],
    "on all fours": POSITIONS["body", "on_all_fours"],
    "lying": tuple(recipe for recipes in _LYING.values() for recipe in recipes),
    "kneeling": tuple(recipe for recipes in _KNEELING.values() for recipe in recipes),
    "squatting": BODY["squatting"],
    "sitting": BODY["sitting"],
    "lunging": tuple(recipe for recipes in _LUNGING.values() for recipe in recipes),
    "bending over": _LEANING,
    "standing": BODY["standing"],
}
"""Posture -> what must hold, the more telling word first."""
_LIES_BY = 60.0
_EXACTLY = _LYING | _KNEELING | _LUNGING


def _slack(pose: ShownPose, condition: Condition) -> tuple[float, float, str]:
    """Return by how much a condition holds, in units of its noise and in its unit, as cm."""
    value = float(pose.measured.value(condition.kind, condition.points)[0])
    if condition.kind == "ground":
        value -= float(pose.measured.lowest()[0])
    kind = KINDS[condition.kind]
    slack = min(value - condition.low, condition.high - value)
    if kind.unit == "m":
        return slack / kind.noise, 100 * slack, "cm"
    return slack / kind.noise, slack, "degrees"


def recipe_slack(pose: ShownPose, recipes: Recipes) -> tuple[float, float, str]:
    """Return by how much the best recipe holds, decided by its weakest condition.

    In units of the noise, then in `unit`, "cm" or "degrees"; positive if the recipe holds.
    """
    return max(min(_slack(pose, condition) for condition in recipe) for recipe in recipes)


def judge_posture(pose: ShownPose, posture: str) -> Judgement:
    """Return whether the posture is what the body is in."""
    _, slack, unit = recipe_slack(pose, POSTURE_RECIPES[posture])
    hips = words(measure("height", pose, "pelvis"), "cm")
    named = posture if slack > 0 else name_posture(pose)[0] or "in no posture that has a word"
    lean = words(measure("lean", pose), "degrees")
    return Judgement(
        clause=f"the body is {named}, the hips {hips} above the ground",
        slack=slack or -1e-9,
        unit=unit,
        near=2.0,
        evidence=f"The hips are {hips} above the ground, the trunk leans {lean} from the vertical.",
    )


def name_posture(pose: ShownPose) -> tuple[str, float, str]:
    """Return the most telling posture word ("" if none fits), with its margin and the unit."""
    for posture, recipes in POSTURE_RECIPES.items():
        _, slack, unit = recipe_slack(pose, recipes)
        if slack > 0:
            fitting = [
                (recipe_slack(pose, exact)[0], name)
                for name, exact in _EXACTLY.items()
                if name.startswith(posture)
            ]
            return max(fitting)[1] if fitting else posture, slack, unit
    return "", 0.0, ""


def what_stands_out(pose: ShownPose) -> str:
    """Return the limbs that are raised or bent, as a phrase; "" if none is."""
    phrases = []
    for limb, states in (("arm", _arm), ("leg", _leg)):
        left, right = states(pose, "left"), states(pose, "right")
        if left and left == right:
            phrases.append(f"both {limb}s {left}")
        else:
            phrases += [
                f"the {side} {limb} {state}"
                for side, state in (("left", left), ("right", right))
                if state
            ]
    return joined(phrases) if phrases else ""


def _arm(pose: ShownPose, side: str) -> str:
    if measure("lean", pose) > _LIES_BY:  # heights say nothing of the arms of one who lies
        angle = measure("angle", pose, f"{side} shoulder")
        return "raised" if angle > 120.0 else "held out" if angle > 60.0 else ""
    over = measure("above", pose, f"{side} hand", f"{side} shoulder")
    if over > 15.0:
        return "raised"
    if over > -15.0:
        forward = measure("front", pose, f"{side} hand", f"{side} shoulder")
        return "held out in front" if forward > 35.0 else "held out"
    return "bent" if measure("bend", pose, f"{side} elbow") >= 45.0 else ""


def _leg(pose: ShownPose, side: str) -> str:
    other = "right" if side == "left" else "left"
    if measure("above", pose, f"{side} foot", f"{other} foot") > 15.0:
        return "lifted"
    return "bent" if measure("bend", pose, f"{side} knee") >= 45.0 else ""
