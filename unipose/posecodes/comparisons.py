"""Which of two: the left or the right, the first or the second pose; what moved between them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from unipose.errors import PoseQueryError
from unipose.posecodes.bands import HEAVY_PERCENT, LEVEL_CM
from unipose.posecodes.body_relations import weight_words
from unipose.posecodes.finding import Finding, Judgement, finding, joined
from unipose.posecodes.quantities import QUANTITIES, hinge_of, measure, place_words, the, words
from unipose.posecodes.shown_pose import ONE_OF, Film, ShownPose, ones

_ORDERS = {
    "higher": ("height", 1, "higher"),
    "lower": ("height", -1, "lower"),
    "bent": ("bend", 1, "more bent"),
    "straight": ("bend", -1, "straighter"),
    "forward": ("forward", 1, "further forward"),
    "back": ("forward", -1, "further back"),
    "out": ("out", 1, "further out"),
    "apart": ("distance", 1, "further apart"),
    "together": ("distance", -1, "closer together"),
}
"""Order -> what is compared, its sign, and the comparative."""
_EXTREMES = {
    "highest": ("height", 1, "highest"),
    "lowest": ("height", -1, "lowest"),
    "bent": ("bend", 1, "most bent"),
    "straight": ("bend", -1, "straightest"),
    "apart": ("distance", 1, "furthest apart"),
    "together": ("distance", -1, "closest together"),
    "forward": ("forward", 1, "furthest forward"),
}
MOVED_CM = 10.0
"""What moved by less is not listed."""
_MOVING = (
    *(f"{side} {part}" for part in ("hand", "foot", "elbow", "knee", "shoulder", "hip")
      for side in ("left", "right")),
    "head", "chest",
)  # fmt: skip
_WAYS = {
    "up": (1, 1), "down": (1, -1), "forward": (2, 1), "back": (2, -1), "left": (0, 1),
    "right": (0, -1),
}  # fmt: skip
_WAY_WORDS = {1: ("up", "down"), 2: ("forward", "back"), 0: ("to the left", "to the right")}


def which_side(pose: ShownPose, order: str, pair: str, target: str = "") -> Finding:
    """Return which of the left and the right one comes first in an order, or neither."""
    if order == "weight":
        return _which_foot_carries(pose)
    left, right = ones(pair)
    if order == "near":
        return _which_is_near(pose, left, right, target)
    quantity, sign, comparative = _ORDERS[order]
    if quantity == "bend":
        left, right = hinge_of(left), hinge_of(right)
    values = measure(quantity, pose, left), measure(quantity, pose, right)
    return _which(
        (left, right),
        (sign * values[0], sign * values[1]),
        quantity,
        f"{comparative} than",
        f"{_of_part(quantity, left, values[0])}, {_of_part(quantity, right, values[1])}",
    )


def _which(
    names: tuple[str, str],
    values: tuple[float, float],
    quantity: str,
    comparative: str,
    evidence: str,
) -> Finding:
    """Return the one with the greater value; the second name closes the clause."""
    kind = QUANTITIES[quantity]
    gap = values[0] - values[1]
    margin = abs(abs(gap) - kind.tolerance)
    amount = words(gap, kind.unit)
    evidence = f"{evidence}: a difference of {amount}."
    if abs(gap) <= kind.tolerance:
        clause = f"both are equal within {words(kind.tolerance, kind.unit)}"
        if quantity == "height":
            clause = f"both are level within {words(kind.tolerance, kind.unit)}"
        winner, opening = "neither", "Neither"
    else:
        first, second = names if gap > 0 else names[::-1]
        clause = f"{the(first)} is {amount} {comparative}"
        clause += f" {the(second)}" if comparative.endswith("than") else ""
        winner, opening = first, ""
    return finding(
        "which",
        winner,
        clause,
        opening=opening,
        evidence=evidence[0].upper() + evidence[1:],
        margin=margin,
        margin_unit=kind.unit,
    )


def _of_part(quantity: str, part: str, value: float) -> str:
    if quantity == "bend":
        return f"{the(part)} is bent by {words(value, 'degrees')}"
    if quantity == "out":
        return f"{the(part)} is {words(value, 'cm')} {'outside' if value > 0 else 'across'}"
    return place_words(quantity, part, value)


def _which_is_near(pose: ShownPose, left: str, right: str, target: str) -> Finding:
    if target == "viewer":
        near, far = (measure("viewer", pose, part) for part in (left, right))
        values_text = f"{_of_part('viewer', left, near)}, {_of_part('viewer', right, far)}"
        found = _which(
            (left, right), (near, far), "viewer", "nearer to the viewer than", values_text
        )
        return found
    goals = ones(target)
    gaps = [min(measure("distance", pose, part, goal) for goal in goals) for part in (left, right)]
    name = the(target)
    values_text = ", ".join(
        f"{the(part)} is {words(gap, 'cm')} from {name}"
        for part, gap in zip((left, right), gaps, strict=True)
    )
    values = (-gaps[0], -gaps[1])
    comparative = f"nearer to {name}"
    return _which((left, right), values, "distance", comparative, values_text)


def _which_foot_carries(pose: ShownPose) -> Finding:
    share = measure("weight", pose)
    if math.isnan(share) or max(share, 100 - share) < HEAVY_PERCENT:
        value = "neither"
    else:
        value = "left foot" if share > 50 else "right foot"
    return finding("which", value, weight_words(share), opening="Neither" * (value == "neither"))


def which_pose(first: ShownPose, second: ShownPose, order: str, phrase: str) -> Finding:
    """Return in which of two poses a part is higher, more bent and so on; of both: the mean."""
    quantity, sign, comparative = _ORDERS[order]
    values = [_mean(pose, quantity, phrase) for pose in (first, second)]
    kind = QUANTITIES[quantity]
    gap = sign * (values[0] - values[1])
    name, verb = _named(quantity, phrase)
    values_text = (
        f"{name} {verb} {_value_words(quantity, values[0])} in the first pose, "
        f"{_value_words(quantity, values[1])} in the second."
    )
    if abs(gap) <= kind.tolerance:
        value, opening = "neither", "Neither"
        clause = f"{name} {verb} the same in both poses within {words(kind.tolerance, kind.unit)}"
    else:
        value, opening = "first" if gap > 0 else "second", ""
        clause = f"{name} {verb} {words(gap, kind.unit)} {comparative} in the {value} pose"
    margin = abs(abs(gap) - kind.tolerance)
    return finding(
        "which",
        value,
        clause,
        opening=opening,
        evidence=values_text[0].upper() + values_text[1:],
        margin=margin,
        margin_unit=kind.unit,
    )


def _named(quantity: str, phrase: str) -> tuple[str, str]:
    if quantity == "bend":
        parts = [hinge_of(part) for part in ones(phrase)]
        plural = {one: both for both, one in ONE_OF.items()}
        phrase = parts[0] if len(parts) == 1 else plural[parts[0].split(" ")[1]]
    return the(phrase), "are" if phrase in ONE_OF else "is"


def _mean(pose: ShownPose, quantity: str, phrase: str) -> float:
    parts = ones(phrase)
    if quantity == "distance":
        return measure(quantity, pose, *_two_ends(phrase))
    return sum(measure(quantity, pose, part) for part in parts) / len(parts)


def _two_ends(phrase: str) -> tuple[str, str]:
    """Return what a part is apart from: its counterpart, or the pelvis for one of the middle."""
    one = ONE_OF.get(phrase, phrase.removeprefix("left ").removeprefix("right "))
    return (phrase, "pelvis") if one == phrase else (f"left {one}", f"right {one}")


def _value_words(quantity: str, value: float) -> str:
    kind = QUANTITIES[quantity]
    amount = words(value, kind.unit)
    return {
        "height": f"{amount} above the ground",
        "bend": f"bent by {amount}",
        "forward": f"{amount} {'in front of' if value > 0 else 'behind'} the pelvis",
        "out": f"{amount} out to the side",
        "distance": f"{amount} apart",
    }[quantity]


def when_extreme(film: Film | None, extreme: str, phrase: str) -> Finding:
    """Return at which time of a recording something is at its most, in seconds."""
    if film is None or not film.poses:
        raise PoseQueryError(
            "a recording is needed: a single pose does not show when something happens"
        )
    quantity, sign, superlative = _EXTREMES[extreme]
    values = [sign * _mean(pose, quantity, phrase) for pose in film.poses]
    best = max(range(len(values)), key=values.__getitem__)
    seconds = round(best / film.fps, 1)
    name, verb = _named(quantity, phrase)
    if quantity == "distance":
        one, other = _two_ends(phrase)
        name, verb = f"{the(one)} and {the(other)}", "are"
    values_text = _value_words(quantity, sign * values[best])
    clause = f"{name} {verb} {superlative} at {seconds:.1f} s: {values_text}"
    return finding("when", seconds, clause, unit="s")


def moved_judgements(first: ShownPose, second: ShownPose, way: str, phrase: str) -> list[Judgement]:
    """Return whether a part, or both, moved in a direction, in the person's own view."""
    axis, sign = _WAYS[way]
    found = []
    for part in ones(phrase):
        gap = 100 * float(second.parts[part][axis] - first.parts[part][axis])
        direction = f" {_WAY_WORDS[axis][gap < 0]}" if round(gap) else ""
        clause = f"{the(part)} moved {words(gap, 'cm')}{direction}"
        found.append(
            Judgement(
                clause=clause,
                slack=sign * gap - LEVEL_CM,
                unit="cm",
                near=MOVED_CM - LEVEL_CM if sign * gap > 0 else 2.0,
                just="Yes, slightly",
                almost="No",
            )
        )
    return found


def how_far(first: ShownPose, second: ShownPose, phrase: str) -> Finding:
    """Return how far a part moved against the body, in cm; of both the mean."""
    gaps = {part: _way_length(first, second, part) for part in ones(phrase)}
    clause = joined([f"{the(part)} moved {words(gap, 'cm')}" for part, gap in gaps.items()])
    return finding("how_much", sum(gaps.values()) / len(gaps), clause, unit="cm")


def what_moved(first: ShownPose, second: ShownPose, way: str) -> Finding:
    """Return the parts that moved in a direction (or most, in any) by more than 10 cm."""
    if way == "most":
        lengths = {part: _way_length(first, second, part) for part in _MOVING}
        direction = ""
    else:
        axis, sign = _WAYS[way]
        direction = " " + _WAY_WORDS[axis][sign < 0]
        lengths = {
            part: 100 * sign * float(second.parts[part][axis] - first.parts[part][axis])
            for part in _MOVING
        }
    listed = sorted(
        (part for part in lengths if lengths[part] > MOVED_CM), key=lambda part: -lengths[part]
    )
    if not listed:
        clause = f"no part moved{direction} by more than {words(MOVED_CM, 'cm')}"
        return finding("list", (), clause)
    spoken = [f"{the(part)} {words(lengths[part], 'cm')}" for part in listed]
    spoken[0] = spoken[0].replace(f"{the(listed[0])} ", f"{the(listed[0])} moved{direction} ")
    more = len(listed) > 3
    clause = ", ".join(spoken[:3]) if more else joined(spoken)
    evidence = f"{joined(spoken)}."
    return finding(
        "list",
        tuple(listed),
        clause + (", and other parts less" if more else ""),
        evidence=evidence[0].upper() + evidence[1:],
    )


def which_moved_more(first: ShownPose, second: ShownPose, pair: str) -> Finding:
    """Return which of the left and the right one moved more."""
    left, right = ones(pair)
    values = (_way_length(first, second, left), _way_length(first, second, right))
    values_text = (
        f"{the(left)} moved {words(values[0], 'cm')}, {the(right)} moved {words(values[1], 'cm')}"
    )
    found = _which((left, right), values, "distance", "", values_text)
    if found.value == "neither":
        return found
    clause = f"{the(str(found.value))} moved more: {values_text}"
    return finding(
        "which",
        found.value,
        clause,
        evidence=found.evidence,
        margin=found.margin,
        margin_unit=found.margin_unit,
    )


def _way_length(first: ShownPose, second: ShownPose, part: str) -> float:
    return 100 * math.dist(first.parts[part], second.parts[part])


def weakest(found: Sequence[Judgement]) -> Judgement:
    """Return the judgement that decides whether all hold."""
    return min(found, key=lambda judgement: judgement.slack)
