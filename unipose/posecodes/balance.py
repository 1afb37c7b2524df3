"""Where a pose's weight is: a simple centre of mass, the feet that stand, what supports it."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unipose.posecodes.calls import SIDES
from unipose.posecodes.shown_pose import Place, ShownPose

GROUND_M = 0.10
"""A part that is at most so high over the lowest joint is on the ground (the posecodes' band)."""
BODY_GROUND_M = 0.15
"""The same for hips, head and back, whose joints lie deep in the body."""
SWAY_M = 0.05
"""So far outside of what supports it may the centre of mass be: joints are not the skin."""

_LIES_M = 0.30
"""A pelvis below it lies or sits on the ground."""

SEGMENT_MASSES = (
    ("head", None, 0.0, 0.0694),
    ("neck", "pelvis", 0.45, 0.4346),
    ("shoulder", "elbow", 0.577, 0.0271),
    ("elbow", "wrist", 0.457, 0.0162),
    ("hand", None, 0.0, 0.0061),
    ("hip", "knee", 0.410, 0.1416),
    ("knee", "ankle", 0.446, 0.0433),
    ("ankle", "toe", 0.44, 0.0137),
)
"""Upper end, lower end, where between them the mass is, share of the whole body's mass: de Leva
(1996), men; the trunk's on the line from neck to pelvis. Segments of a side are there twice."""
_SUPPORTS = ("foot", "toe", "heel", "knee", "hand", "elbow", "hip")


def centre_of_mass(pose: ShownPose) -> Place:
    """Return the centre of mass in the own view, metres."""
    total, weight = np.zeros(3), 0.0
    for upper, lower, share, mass in SEGMENT_MASSES:
        for side in ("",) if upper in ("head", "neck") else ("left ", "right "):
            place = pose.parts[side + upper]
            if lower is not None:
                place = place + share * (pose.parts[side + lower] - place)
            total, weight = total + mass * place, weight + mass
    return total / weight


def standing_feet(pose: ShownPose) -> list[str]:
    """Return the feet on the ground."""
    feet = [f"{side} foot" for side in SIDES]
    return [foot for foot in feet if pose.parts[foot][1] <= GROUND_M]


def left_share(pose: ShownPose) -> float:
    """Return which part of the weight is over the left foot, in percent; NaN if on neither.

    Of a body that lies or sits on the ground the feet carry nothing. The centre of mass is
    projected on the line between the middles of the feet.
    """
    feet = standing_feet(pose) if pose.parts["pelvis"][1] > _LIES_M else []
    if len(feet) < 2:
        return float("nan") if not feet else 100.0 if feet == ["left foot"] else 0.0
    left, right = (
        (pose.parts[f"{side} ankle"] + pose.parts[f"{side} foot"])[[0, 2]] / 2 for side in SIDES
    )
    line = left - right
    along = (centre_of_mass(pose)[[0, 2]] - (left + right) / 2) @ line
    return float(np.clip(50 + 100 * along / max(float(line @ line), 0.01), 0.0, 100.0))


def outside_support(pose: ShownPose) -> float:
    """Return how far the centre of mass is outside of what supports it, metres (inside: < 0)."""
    ground = [place[[0, 2]] for place in _supports(pose)]
    return _outside(centre_of_mass(pose)[[0, 2]], np.array(ground))


def _supports(pose: ShownPose) -> list[Place]:
    found = [pose.parts[name] for name in ("pelvis", "spine3", "head")]
    found = [place for place in found if place[1] <= BODY_GROUND_M]
    for side in SIDES:
        for name in _SUPPORTS:
            if name == "heel":
                ankle, foot = pose.parts[f"{side} ankle"], pose.parts[f"{side} foot"]
                place = ankle + 0.35 * (ankle - foot) * (1.0, 0.0, 1.0)
                place = place - (0.0, 0.05, 0.0)  # the ankle is that much over the sole
            else:
                place = pose.parts[f"{side} {name}"]
            if place[1] <= (BODY_GROUND_M if name == "hip" else GROUND_M):
                found.append(place)
    return found or [min(pose.parts.values(), key=lambda place: place[1])]


def _outside(point: Float[np.ndarray, "2"], places: Float[np.ndarray, "place 2"]) -> float:
    """Return the signed distance of a point to the convex hull of places.

    The hull is where every direction's farthest place is; 72 directions are looked at, so that a
    line or a single point needs no case of its own.
    """
    angles = np.radians(np.arange(0, 360, 5))
    directions = np.stack([np.cos(angles), np.sin(angles)])
    beyond = (point @ directions) - (places @ directions).max(axis=0)
    return float(beyond.max())
