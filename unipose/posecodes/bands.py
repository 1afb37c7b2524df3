"""From where on a relation counts: the thresholds of questions, in cm and degrees, and as words.

Where the posecodes have a band for it, that is used.
"""

from __future__ import annotations

from unipose.posecodes.balance import BODY_GROUND_M, GROUND_M, SWAY_M
from unipose.posecodes.measure import KINDS
from unipose.posecodes.statements import ANGLES

TOUCH_CM = 3.0
"""Skin that is nearer touches."""
GROUND_CM, BODY_GROUND_CM, SWAY_CM = 100 * GROUND_M, 100 * BODY_GROUND_M, 100 * SWAY_M
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


def rule_of(relation: str) -> str:
    """Return from where on a relation counts, as a sentence ("" where the clause says it)."""
    return _RULES.get(relation, "")


_RULES = {
    "bent": f"It counts as bent from {BENT_BY:.0f} degrees on.",
    "straight": f"It counts as straight below {STRAIGHT_BY:.0f} degrees.",
    "raised": "A hand is raised above its shoulder, an arm or elbow from 10 cm below it on, a foot "
    "or leg 10 cm above the ground.",
    "on ground": f"Up to {GROUND_CM:.0f} cm count as on the ground; for hips, head and back "
    f"{BODY_GROUND_CM:.0f} cm.",
    "vertical": f"Up to {VERTICAL_BY:.0f} degrees count as vertical.",
    "horizontal": f"From {HORIZONTAL_BY:.0f} degrees on it counts as horizontal.",
    "level": f"Within {LEVEL_CM:.0f} cm they count as level, a head within "
    f"{HEAD_LEVEL_BY:.0f} degrees.",
    "near": f"Near is less than {NEAR_CM:.0f} cm.",
    "touch": f"Skin within {TOUCH_CM:.0f} cm touches.",
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
    "balanced": f"Up to {SWAY_CM:.0f} cm outside count as balanced.",
    "symmetric": f"Up to {SYMMETRIC_CM:.0f} cm count as symmetric.",
}
