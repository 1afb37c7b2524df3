"""What can be measured of a pose: one table, with units and how exact each number is.

Questions, calls and the builders of training data share it. Directions are the person's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unipose.body.skeletons import SMPL
from unipose.posecodes.balance import left_share
from unipose.posecodes.shown_pose import Place, ShownPose

Measure = Callable[..., float]


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """One thing that can be measured."""

    of: str
    """Of what: "hinge", "part", "two parts", "segment" or "body"."""
    unit: str
    """ "degrees", "cm" or "percent"."""
    tolerance: float
    """Two values nearer than that are spoken of as equal."""
    measure: Measure
    """(pose, *parts) -> the value, in the unit."""


def measure(quantity: str, pose: ShownPose, *parts: str) -> float:
    """Return one quantity of a pose, in the unit of QUANTITIES."""
    return float(QUANTITIES[quantity].measure(pose, *parts)) + 0.0  # no -0.0


_HINGES = {
    "knee": "knee", "leg": "knee", "foot": "knee", "toe": "ankle", "ankle": "ankle", "hip": "hip",
    "elbow": "elbow", "arm": "elbow", "hand": "elbow", "wrist": "elbow", "shoulder": "shoulder",
}  # fmt: skip
"""Part -> the joint whose angle is meant when it is called bent or straight."""


def hinge_of(part: str) -> str:
    """Return the joint whose angle counts: "left arm" -> "left elbow", "chest" -> "back"."""
    side, _, name = part.rpartition(" ")
    if side in ("left", "right"):
        return f"{side} {_HINGES[name]}"
    return {"chest": "back", "neck": "head"}.get(part, part)


def _between(first: Place, second: Place) -> float:
    cos = float(first @ second) / max(float(np.sqrt((first @ first) * (second @ second))), 1e-12)
    return float(np.degrees(np.arccos(min(max(cos, -1.0), 1.0))))


def _angle(pose: ShownPose, part: str) -> float:
    hinge = hinge_of(part)
    at = pose.parts
    if hinge == "back":
        pelvis, chest = pose.turns[0, :, 1], pose.turns[SMPL.index["spine3"], :, 1]
        return 180.0 - _between(pelvis, chest)
    if hinge == "head":
        return 180.0 - _between(pose.turns[SMPL.index["spine3"], :, 1], pose.turns[15, :, 1])
    side, joint = hinge.split(" ")
    spine = at["neck"] - at["pelvis"]
    if joint == "hip":
        return _between(spine, at[f"{side} knee"] - at[f"{side} hip"])
    if joint == "shoulder":
        return _between(-spine, at[f"{side} elbow"] - at[f"{side} shoulder"])
    upper, lower = {
        "knee": ("hip", "ankle"),
        "elbow": ("shoulder", "wrist"),
        "ankle": ("knee", "foot"),
    }[joint]
    middle = at[hinge]
    return _between(at[f"{side} {upper}"] - middle, at[f"{side} {lower}"] - middle)


def _bend(pose: ShownPose, part: str) -> float:
    angle = _angle(pose, part)
    return angle if hinge_of(part).endswith("shoulder") else 180.0 - angle


def _out(pose: ShownPose, part: str) -> float:
    side, across = part.partition(" ")[0], float(pose.parts[part][0])
    return 100 * {"left": across, "right": -across}.get(side, abs(across))


def _distance(pose: ShownPose, first: str, second: str) -> float:
    gap = pose.parts[first] - pose.parts[second]
    return 100 * float(np.sqrt(gap @ gap))


def _along(axis: int) -> Measure:
    def difference(pose: ShownPose, first: str, second: str) -> float:
        return 100 * float(pose.parts[first][axis] - pose.parts[second][axis])

    return difference


def _tilt(pose: ShownPose, segment: str) -> float:
    if segment == "head":
        return _between(pose.crown, np.array([0.0, 1.0, 0.0]))
    upper, lower = pose.line(segment)
    to_the_vertical = _between(upper - lower, np.array([0.0, 1.0, 0.0]))
    return min(to_the_vertical, 180 - to_the_vertical)


def _slope(pose: ShownPose, pair: str) -> float:
    name = {"shoulders": "shoulder", "hips": "hip"}[pair]
    line = pose.parts[f"left {name}"] - pose.parts[f"right {name}"]
    return float(np.degrees(np.arctan2(line[1], np.hypot(line[0], line[2]))))


def _trunk(pose: ShownPose) -> Place:
    middle = (pose.parts["left shoulder"] + pose.parts["right shoulder"]) / 2
    return middle - pose.parts["pelvis"]


def _posecode(kind: str, *points: str) -> Measure:
    return lambda pose: float(pose.measured.value(kind, points)[0])


def _head(index: int) -> Measure:
    return lambda pose: pose.head[index]


def _viewer(pose: ShownPose, part: str) -> float:
    world = pose.from_world.T @ pose.parts[part]
    return 100 * float(world[2])


def _look_up(pose: ShownPose) -> float:
    return float(np.degrees(np.arcsin(min(max(float(pose.gaze[1]), -1.0), 1.0))))


def _asymmetry(pose: ShownPose) -> float:
    return max(asymmetries(pose).values())


def asymmetries(pose: ShownPose) -> dict[str, float]:
    """Return how far each pair of parts is from being each other's mirror image, in cm."""
    found = {}
    for name in ("hand", "elbow", "shoulder", "hip", "knee", "foot"):
        left, right = pose.parts[f"left {name}"], pose.parts[f"right {name}"]
        found[name] = 100 * float(np.linalg.norm(left - right * (-1.0, 1.0, 1.0)))
    return found


_SHOULDERS = ("left_shoulder", "right_shoulder")
_UP = np.array([0.0, 1.0, 0.0])


def _quantity(of: str, unit: str, measure: Measure) -> Quantity:
    tolerance = {"degrees": 5.0, "cm": 3.0, "percent": 15.0}[unit]
    return Quantity(of=of, unit=unit, tolerance=tolerance, measure=measure)


QUANTITIES: dict[str, Quantity] = {
    "angle": _quantity("hinge", "degrees", _angle),  # inner angle at the joint; straight is 180
    "bend": _quantity("hinge", "degrees", _bend),  # how far it is bent; a shoulder: lifted
    # over the lowest joint
    "height": _quantity("part", "cm", lambda pose, part: 100 * float(pose.parts[part][1])),
    # in front of the pelvis
    "forward": _quantity("part", "cm", lambda pose, part: 100 * float(pose.parts[part][2])),
    "out": _quantity("part", "cm", _out),  # sideways from the pelvis, to the part's own side
    # left of the pelvis
    "leftward": _quantity("part", "cm", lambda pose, part: 100 * float(pose.parts[part][0])),
    "viewer": _quantity("part", "cm", _viewer),  # towards the viewer (+z), from the pelvis
    "distance": _quantity("two parts", "cm", _distance),  # from the first to the second
    "above": _quantity("two parts", "cm", _along(1)),  # how far the first is higher
    "front": _quantity("two parts", "cm", _along(2)),  # how far the first is in front
    "side": _quantity("two parts", "cm", _along(0)),  # how far the first is to the left
    "tilt": _quantity("segment", "degrees", _tilt),  # against the vertical, 0 to 90 (head: 180)
    "slope": _quantity("both parts", "degrees", _slope),  # against level; positive: left is higher
    # trunk against the vertical
    "lean": _quantity("body", "degrees", lambda pose: _between(_trunk(pose), _UP)),
    "lean forward": _quantity("body", "degrees", _posecode("lean_x", "pelvis", *_SHOULDERS)),
    "lean left": _quantity("body", "degrees", _posecode("lean_z", "pelvis", *_SHOULDERS)),
    # of the shoulders, to the right
    "twist": _quantity("body", "degrees", _posecode("twist", *_SHOULDERS)),
    "nod": _quantity("body", "degrees", _head(0)),  # of the head against the trunk, forward
    "turn": _quantity("body", "degrees", _head(1)),  # of the head against the pelvis, to the left
    "tip": _quantity("body", "degrees", _head(2)),  # of the head, to the right shoulder
    "look up": _quantity("body", "degrees", _look_up),  # of the face over the horizontal
    # turn to the own left, 0 faces the viewer
    "facing": _quantity("body", "degrees", lambda pose: pose.facing),
    "asymmetry": _quantity("body", "cm", _asymmetry),  # largest difference from the mirror image
    # of the weight over the left foot (NaN: on neither)
    "weight": _quantity("body", "percent", left_share),
}


def words(value: float, unit: str) -> str:
    """Return a number with its unit, whole: "12 cm", "1 degree"."""
    whole = abs(round(value))
    return f"{whole} {'degree' if unit == 'degrees' and whole == 1 else unit}"


def the(part: str) -> str:
    """Return the part as a noun of a sentence: "left hand" -> "the left hand"."""
    return f"the {part}"


_WAYS = {
    "height": ("above the ground", "below the ground"),
    "forward": ("in front of the pelvis", "behind the pelvis"),
    "leftward": ("to the left of the pelvis", "to the right of the pelvis"),
    "viewer": ("before the pelvis, seen by the viewer", "behind the pelvis, seen by the viewer"),
}


def place_words(quantity: str, part: str, value: float) -> str:
    """Return one number of one part in words: "the left hand is 12 cm above the ground"."""
    return f"{the(part)} is {words(value, 'cm')} {_WAYS[quantity][round(value) < 0]}"
