"""When skin that is near skin counts as a touch: rules that every judge of contacts shares.

Neighbouring regions touch always, and nobody calls that touching. Two places of one body count only
if they have come nearer than in the zero pose, and those of regions with a neighbour in common only
if they are well apart there (an armpit is no touch). An arm that hangs lies on the flank, and that
is no touch either. Depth does not tell whether it presses there, for the mesh's flesh does
not give way: of the hanging hands near a thigh, most go into it by more than a centimetre. So of a
hanging arm only what reaches its own side's trunk and thigh in front or behind is a touch: a hand
that is laid there, or pressed halfway through.
"""

from __future__ import annotations

from math import hypot
from operator import mul

import numpy as np
from jaxtyping import Bool, Float, Int

from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL

CAME_NEARER_M = 0.06
"""By how much two places of one body must have come nearer than in the zero pose."""
NEIGHBOURS_APART_M = 0.22
"""How far two places of regions near each other must be apart in the zero pose: a folded arm or leg
touches itself, a bent elbow's crease does not."""
HANGING_COSINE = float(np.cos(np.radians(45)))
"""An arm hangs if its parts point down the trunk within this angle."""
FLANK_COSINE = 0.5
"""How far sideways skin faces (x of its normal) that a hanging arm lies on."""

TRUNK = ("chest", "stomach", "waist", "upper back", "lower back", "buttocks")
ARM_REGIONS = tuple(
    f"{side} {part}" for side in ("left", "right") for part in ("upper arm", "forearm", "hand")
)


def least_rest_distances(
    neighbours: Bool[np.ndarray, "region region"],
) -> Float[np.ndarray, "region region"]:
    """Return how far two places must be apart in the zero pose at least (metres), by REGIONS."""
    near = neighbours.astype(int) @ neighbours.astype(int) > 0
    for i, first in enumerate(REGIONS):
        for k, second in enumerate(REGIONS):
            if {first.split()[0], second.split()[0]} == {"left", "right"}:
                near[i, k] = neighbours[i, k]
    return np.where(near, NEIGHBOURS_APART_M, CAME_NEARER_M)


def flank_vertices(
    of_vertex: Int[np.ndarray, " vertex"], normals: Float[np.ndarray, "vertex 3"]
) -> Bool[np.ndarray, " vertex"]:
    """Return which vertices a hanging arm lies on; `normals` are unit ones of the zero pose."""
    flanks = [REGIONS.index(name) for name in (*TRUNK, "left thigh", "right thigh")]
    return (np.abs(normals[:, 0]) > FLANK_COSINE) & np.isin(of_vertex, flanks)


def own_flank(arm_region: str) -> tuple[int, ...]:
    """Return the places in REGIONS of the trunk and the thigh on an arm region's side."""
    return tuple(REGIONS.index(name) for name in (*TRUNK, f"{arm_region.split()[0]} thigh"))


def hanging_arm_regions(joints: Float[np.ndarray, "24 3"]) -> Bool[np.ndarray, " region"]:
    """Return which of ARM_REGIONS hang: a forearm with its upper arm, a hand with both."""
    hanging: list[bool] = []
    pelvis, chest, *arms = joints[_HANGING_JOINTS].tolist()
    down = [low - high for low, high in zip(pelvis, chest)]
    for shoulder, elbow, wrist in (arms[:3], arms[3:]):
        arm = _cosine(down, shoulder, elbow) > HANGING_COSINE
        hanging += [arm, arm, arm and _cosine(down, elbow, wrist) > HANGING_COSINE]
    return np.array(hanging)


_HANGING_JOINTS = list(
    SMPL.indices(
        "pelvis",
        "spine3",
        *(f"{side}_{j}" for side in ("left", "right") for j in ("shoulder", "elbow", "wrist")),
    )
)


def _cosine(down: list[float], start: list[float], end: list[float]) -> float:
    """Return the cosine of the angle between `down` and the way from `start` to `end`."""
    way = [b - a for a, b in zip(start, end)]
    return sum(map(mul, down, way)) / (hypot(*down) * hypot(*way) + 1e-12)
