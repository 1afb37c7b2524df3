"""How is the squat, the lunge, the posture, the balance? Short remarks, and what to do."""

from __future__ import annotations

import math

from unipose.posecodes.balance import outside_support
from unipose.posecodes.bands import LEVEL_CM, NEAR_CM, SLOPE_BY, SWAY_CM, TWISTED_BY
from unipose.posecodes.body_relations import weight_words
from unipose.posecodes.calls import SIDES
from unipose.posecodes.finding import Finding, finding
from unipose.posecodes.quantities import measure, words
from unipose.posecodes.shown_pose import ShownPose

Remark = tuple[str, str]
"""What was measured, and the advice that follows ("" if it is fine)."""

_DEEP_CM = 3.0
"""A squat is deep if the hips are at most so far above the knees."""
_PAST_TOES_CM = 5.0
_STEP_CM = 10.0
_LEAN_BY, _LIES_BY = 45.0, 60.0
_STANCE_CM = (20.0, 60.0)


def assess(pose: ShownPose, topic: str) -> Finding:
    """Return what can be measured of an exercise or of how a body is held, with advice."""
    remarks = {"squat": _squat, "lunge": _lunge, "posture": _posture, "balance": _balance}[topic](
        pose
    )
    remarks.sort(key=lambda remark: not remark[1])  # what needs a correction first
    advice = [tip for _, tip in remarks if tip]
    sentences = tuple(said for said, _ in remarks)
    clause = ", ".join(sentences[:3]) + (f"; {advice[0]}" if advice else "; nothing to correct")
    evidence = f"{'. '.join(said[0].upper() + said[1:] for said in sentences)}."
    return finding("list", sentences + tuple(advice), clause, evidence=evidence)


def _squat(pose: ShownPose) -> list[Remark]:
    over = sum(measure("above", pose, f"{s} hip", f"{s} knee") for s in SIDES) / 2
    deep = f"the hips are {words(over, 'cm')} {'above' if over > 0 else 'below'} the knees"
    past = max(measure("front", pose, f"{s} knee", f"{s} toe") for s in SIDES)
    feet = measure("distance", pose, "left foot", "right foot")
    low, high = _STANCE_CM
    stance = "set the feet wider" if feet < low else "set the feet closer" if feet > high else ""
    return [
        (deep, "go lower" if over > _DEEP_CM else ""),
        _knees_past_toes(past, "the knees are"),
        _back(pose, _LEAN_BY),
        (f"the feet are {words(feet, 'cm')} apart", stance),
        *_would_fall(pose),
    ]


def _would_fall(pose: ShownPose) -> list[Remark]:
    out = 100 * outside_support(pose)
    if out <= SWAY_CM:
        return []
    said = f"the centre of mass is {words(out, 'cm')} outside what stands on the ground"
    return [(said, "bring the weight over the feet")]


def _knees_past_toes(past: float, knees: str) -> Remark:
    where = f"{words(past, 'cm')} {'past' if past > 0 else 'behind'} the toes"
    tip = "push the hips back, so that the knees stay over the feet" if past > _PAST_TOES_CM else ""
    return f"{knees} {where}", tip


def _back(pose: ShownPose, most: float) -> Remark:
    lean = measure("lean", pose)
    tip = "keep the back more upright" if lean > most else ""
    return f"the trunk leans {words(lean, 'degrees')}", tip


def _lunge(pose: ShownPose) -> list[Remark]:
    ahead = measure("front", pose, "left foot", "right foot")
    front, back = ("left", "right") if ahead > 0 else ("right", "left")
    if abs(ahead) < _STEP_CM:
        return [(f"the feet are only {words(ahead, 'cm')} apart to the front", "take a long step")]
    bend = measure("bend", pose, f"{front} knee")
    tip = "bend the front knee more" if bend < 75 else "rise a little" if bend > 110 else ""
    step = abs(ahead)
    past = measure("front", pose, f"{front} knee", f"{front} toe")
    low = measure("height", pose, f"{back} knee")
    return [
        (f"the front knee, the {front} one, is bent by {words(bend, 'degrees')}", tip),
        (f"the step is {words(step, 'cm')} long", "take a longer step" if step < 50 else ""),
        _back(pose, 20.0),
        _knees_past_toes(past, "the front knee is"),
        (
            f"the back knee is {words(low, 'cm')} above the ground",
            "lower the back knee" if low > 30 else "",
        ),
    ]


def _posture(pose: ShownPose) -> list[Remark]:
    if measure("lean", pose) > _LIES_BY:
        return [(_back(pose, _LIES_BY)[0], "stand or sit upright first")]
    slope = measure("slope", pose, "shoulders")
    nod, twist = measure("nod", pose), measure("twist", pose)
    level = f"the shoulders are tilted by {words(slope, 'degrees')}"
    head = f"the head is {'bowed' if nod > 0 else 'tipped back'} by {words(nod, 'degrees')}"
    turned = f"the shoulders are turned {words(twist, 'degrees')} against the hips"
    lower = "left" if slope < 0 else "right"
    return [
        _back(pose, 15.0),
        (level, f"lift the {lower} shoulder" if abs(slope) > SLOPE_BY else ""),
        (head, "hold the head straight" if abs(nod) > 20 else ""),
        (turned, "turn the shoulders to the front" if abs(twist) > TWISTED_BY else ""),
    ]


def _balance(pose: ShownPose) -> list[Remark]:
    out = 100 * outside_support(pose)
    where = f"{words(out, 'cm')} {'outside' if out > 0 else 'inside'} what stands on the ground"
    tip = "move the weight over the feet" if out > SWAY_CM else ""
    share = measure("weight", pose)
    remarks = [(f"the centre of mass is {where}", tip), (weight_words(share), "")]
    feet = measure("distance", pose, "left foot", "right foot")
    if not math.isnan(share) and feet > LEVEL_CM:
        narrow = feet < NEAR_CM and out > 0
        remarks.append((f"the feet are {words(feet, 'cm')} apart", "widen the stance" * narrow))
    return remarks
