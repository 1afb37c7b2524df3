"""How much? The numbers of a pose: angles, heights, distances, leans, turns."""

from __future__ import annotations

from unipose.posecodes.body_relations import facing_words, lean_words
from unipose.posecodes.finding import Finding, finding, joined, two_clauses
from unipose.posecodes.quantities import hinge_of, measure, place_words, the, words
from unipose.posecodes.shown_pose import ShownPose, ones, pairs


def how_much(pose: ShownPose, arguments: tuple[str, ...]) -> Finding:
    """Return a measurement in degrees or cm; of two parts the mean, both are named."""
    quantity, *parts = arguments
    if not parts:
        return _of_body(pose, quantity)
    if quantity == "tilt":
        return _tilt(pose, parts[0])
    if quantity in ("angle", "height"):
        measured = {part: measure(quantity, pose, part) for part in ones(parts[0])}
        if quantity == "angle":
            clauses = [_angle_words(part, value) for part, value in measured.items()]
            evidence = f"{joined(clauses)}; straight is 180 degrees."
        else:
            clauses = [place_words("height", part, value) for part, value in measured.items()]
            evidence = f"{joined(clauses)}. The ground is the lowest joint."
        return _mean_of(clauses, list(measured.values()), quantity, evidence)
    if len(parts) == 1:
        gap = measure("distance", pose, *ones(parts[0]))
        clause = f"the {parts[0]} are {words(gap, 'cm')} apart"
        return finding("how_much", gap, clause, unit="cm")
    found = [(pair, measure(quantity, pose, *pair)) for pair in pairs(*parts)]
    clauses = [_relative(quantity, *pair, value) for pair, value in found]
    return _mean_of(clauses, [value for _, value in found], quantity, "")


def _mean_of(clauses: list[str], values: list[float], quantity: str, evidence: str) -> Finding:
    return finding(
        "how_much",
        sum(values) / len(values),
        two_clauses(clauses),
        unit="degrees" if quantity in ("angle", "tilt") else "cm",
        evidence=evidence and evidence[0].upper() + evidence[1:],
    )


def _angle_words(part: str, value: float) -> str:
    return f"{the(hinge_of(part))} has an angle of {words(value, 'degrees')}"


def _relative(quantity: str, first: str, second: str, value: float) -> str:
    amount = words(value, "cm")
    if quantity == "distance":
        return f"{the(first)} is {amount} from {the(second)}"
    more, less, same = {
        "above": ("above", "below", "level with"),
        "front": ("in front of", "behind", "as far forward as"),
        "side": ("to the left of", "to the right of", "in line with"),
    }[quantity]
    if not round(value):
        return f"{the(first)} is {same} {the(second)}: {amount}"
    way = more if value > 0 else less
    return f"{the(first)} is {amount} {way} {the(second)}"


def _tilt(pose: ShownPose, segment: str) -> Finding:
    if segment in ("shoulders", "hips"):
        slope = measure("slope", pose, segment)
        clause = f"the line of the {segment} is tilted by {words(slope, 'degrees')}"
        if round(slope):
            clause += f", the {'left' if slope > 0 else 'right'} side higher"
        return finding("how_much", abs(slope), clause, unit="degrees")
    if segment == "head":
        tilt = measure("tilt", pose, "head")
        way = lean_words(float(pose.crown[2]) * 90, float(pose.crown[0]) * 90)
        clause = f"the head is tilted by {words(tilt, 'degrees')} {way}".rstrip()
        return finding("how_much", tilt, clause, unit="degrees")
    values = [measure("tilt", pose, part) for part in ones(segment)]
    clauses = [
        f"{the(part)} is {words(value, 'degrees')} from the vertical"
        for part, value in zip(ones(segment), values, strict=True)
    ]
    return _mean_of(clauses, values, "tilt", "")


def _of_body(pose: ShownPose, quantity: str) -> Finding:
    value = measure(quantity, pose)
    amount = words(value, "degrees")
    if quantity == "lean":
        way = lean_words(measure("lean forward", pose), measure("lean left", pose))
        clause = f"the trunk leans {amount} from the vertical, {way}".rstrip(", ")
    elif quantity == "facing":
        clause = f"the body {facing_words(value)}"
        if not any(letter.isdigit() for letter in clause):
            clause += f": {amount}"
    else:
        clause = {
            "twist": f"the shoulders are turned {amount} to the {_side(-value)} of the hips",
            "turn": f"the head is turned {amount} to the {_side(value)}",
            "nod": f"the head is {'bowed' if value > 0 else 'tipped back'} by {amount}",
        }[quantity]
        if not round(value):
            clause = {
                "twist": f"the shoulders are not turned against the hips: {amount}",
                "turn": f"the head is not turned: {amount}",
                "nod": f"the head is neither bowed nor tipped back: {amount}",
            }[quantity]
    signed = -value if quantity == "twist" else value
    return finding("how_much", signed, clause, unit="degrees")


def _side(left: float) -> str:
    return "left" if left > 0 else "right"
