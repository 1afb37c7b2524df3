"""Which parts of one body touch, judged on its mesh by the rules of `unipose.body.touch_rules`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

from unipose.body.body import Body
from unipose.body.regions import REGIONS, contact_word, find_regions
from unipose.body.skeletons import SMPL
from unipose.body.touch_rules import (
    ARM_REGIONS,
    CAME_NEARER_M,
    TRUNK,
    flank_vertices,
    hanging_arm_regions,
    least_rest_distances,
    own_flank,
)
from unipose.posecodes.bands import TOUCH_CM
from unipose.posecodes.shown_pose import ShownPose

REACH_M = TOUCH_CM / 100
"""Skin that is nearer touches."""

_OF_REGION = {
    "hand": ("hand",), "foot": ("foot",), "head": ("head",), "neck": ("neck",),
    "chest": ("chest",), "shoulder": ("shoulder",), "wrist": ("hand", "forearm"),
    "elbow": ("upper arm", "forearm"), "knee": ("thigh", "shin"), "ankle": ("shin", "foot"),
    "toe": ("foot",), "hip": ("thigh", "waist", "buttocks"),
}  # fmt: skip
_WITHIN_M = {"wrist": 0.06, "elbow": 0.08, "knee": 0.11, "ankle": 0.08, "toe": 0.07, "hip": 0.16}
"""A part at a joint: the skin so near to it in the zero pose."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Skin:
    """What of a body's mesh is looked at."""

    regions: Int[np.ndarray, " vertex"]
    rest: Float[np.ndarray, "vertex 3"]
    joints: Float[np.ndarray, "24 3"]
    apart: Float[np.ndarray, "region region"]
    """How far apart two places must be in the zero pose at least."""
    neighbours: Bool[np.ndarray, "region region"]
    flank: Bool[np.ndarray, " vertex"]

    def of_part(self, part: str) -> Int[np.ndarray, " _"]:
        """Return the vertices of a part such as "left knee"."""
        side, _, name = part.rpartition(" ")
        names = [f"{side} {region}".strip() for region in _OF_REGION[name]]
        wanted = [REGIONS.index(n if n in REGIONS else n.split(" ")[1]) for n in names]
        chosen = np.isin(self.regions, wanted)
        if name in _WITHIN_M:
            centre = self.joints[SMPL.index[f"{side}_{'foot' if name == 'toe' else name}"]]
            centre = centre + ([0, 0, 0.06] if name == "toe" else [0, 0, 0])
            chosen &= ((self.rest - centre) ** 2).sum(1) < _WITHIN_M[name] ** 2
            chosen &= (self.rest[:, 0] > 0) == (side == "left")
        return np.flatnonzero(chosen)


@lru_cache(maxsize=2)
def skin_of(body: Body) -> Skin:
    """Return the regions of a body's mesh and how they lie in the zero pose."""
    found = find_regions(body)
    rest = body.template.cpu().double().numpy()
    faces = body.faces.cpu().numpy()
    a, b, c = (rest[faces[:, corner]] for corner in range(3))
    normals = np.zeros_like(rest)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    regions, neighbours = found.of_vertex.numpy(), found.neighbours.numpy()
    return Skin(
        regions=regions,
        rest=rest,
        joints=body.rest_joints.cpu().double().numpy(),
        apart=least_rest_distances(neighbours),
        neighbours=neighbours,
        flank=flank_vertices(regions, normals / np.maximum(lengths, 1e-12)),
    )


def touching_regions(pose: ShownPose, reach_m: float = REACH_M) -> dict[tuple[str, str], float]:
    """Return the pairs of REGIONS whose skin is nearer than `reach_m`, and their distance (m)."""
    skin, mesh = skin_of(pose.body), pose.mesh
    tree = KDTree(mesh)
    first, second = tree.query_pairs(reach_m, output_type="ndarray").T
    first, second, gap = _touching(pose, skin, first, second)
    found: dict[tuple[str, str], float] = {}
    low = np.minimum(skin.regions[first], skin.regions[second])
    high = np.maximum(skin.regions[first], skin.regions[second])
    for pair in np.unique(np.stack([low, high], axis=1), axis=0):
        here = gap[(low == pair[0]) & (high == pair[1])]
        found[REGIONS[pair[0]], REGIONS[pair[1]]] = float(here.min())
    return found


def skin_distance(pose: ShownPose, first: str, second: str) -> float:
    """Return how far the skin of two parts is apart, metres; those that touch: below REACH_M.

    Parts that are near only because they are neighbours, or because an arm hangs, do not touch:
    REACH_M or more is returned.
    """
    skin, mesh = skin_of(pose.body), pose.mesh
    one, other = skin.of_part(first), skin.of_part(second)
    gaps, _ = KDTree(mesh[one]).query(mesh[other])
    least = float(gaps.min())
    if least >= REACH_M:
        return least
    lists = KDTree(mesh[one]).query_ball_tree(KDTree(mesh[other]), REACH_M)
    a = np.repeat(one, [len(found) for found in lists])
    b = other[np.concatenate([np.array(found, dtype=int) for found in lists])]
    _, _, touching = _touching(pose, skin, a, b)
    return float(touching.min()) if len(touching) else max(least, REACH_M)


def _touching(
    pose: ShownPose, skin: Skin, first: Int[np.ndarray, " _"], second: Int[np.ndarray, " _"]
) -> tuple[Int[np.ndarray, " _"], Int[np.ndarray, " _"], Float[np.ndarray, " _"]]:
    """Return those pairs of near vertices that count as a touch, with their distance."""
    regions = skin.regions
    apart = np.linalg.norm(skin.rest[first] - skin.rest[second], axis=1)
    gap = np.linalg.norm(pose.mesh[first] - pose.mesh[second], axis=1)
    least = np.maximum(CAME_NEARER_M + gap, skin.apart[regions[first], regions[second]])
    counts = (apart >= least) & ~skin.neighbours[regions[first], regions[second]]
    for limb, hangs in zip(ARM_REGIONS, hanging_arm_regions(pose.joints)):
        if not hangs:
            continue
        for a, b in ((first, second), (second, first)):
            lies = (regions[a] == REGIONS.index(limb)) & np.isin(regions[b], own_flank(limb))
            counts &= ~(lies & skin.flank[b])
    return first[counts], second[counts], gap[counts]


def touching_parts(pose: ShownPose, part: str = "") -> list[tuple[str, str]]:
    """Return who touches whom in everyday words; with a part only what it touches.

    A knee or elbow touches what its skin touches: (left elbow, left thigh).
    """
    if not part:
        named = {
            tuple(sorted((contact_word(a), contact_word(b)), key=_salience))
            for a, b in touching_regions(pose)
            if not (a in TRUNK and b in TRUNK)  # a bent trunk's folds
        }
        pairs = [(one, other) for one, other in named if one != other]
        return sorted(pairs, key=lambda pair: (_salience(pair[0]), _salience(pair[1])))
    skin, mesh = skin_of(pose.body), pose.mesh
    own = skin.of_part(part)
    near = KDTree(mesh[own]).query_ball_tree(KDTree(mesh), REACH_M)
    first = np.repeat(own, [len(found) for found in near])
    second = np.concatenate([np.array(found, dtype=int) for found in near])
    _, touched, _ = _touching(pose, skin, first, second)
    return [(part, contact_word(REGIONS[i])) for i in np.unique(skin.regions[touched])]


def _salience(word: str) -> tuple[int, str]:
    """Return what to sort parts by: hands are spoken of first, the trunk last."""
    name = word.rpartition(" ")[2]
    order = ("hand", "foot", "head", "arm", "leg")
    return order.index(name) if name in order else len(order), word
