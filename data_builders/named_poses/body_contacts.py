"""The skin that carries and touches, and balls that fill the body so that limbs do not cross it."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.body import Body
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.posecodes.touching import skin_of

_REGIONS_OF = {
    "back": ("upper back", "lower back"),
    "upper back": ("upper back",),
    "belly": ("stomach", "waist"),
    "chest": ("chest",),
    "head": ("head",),
    "instep": ("foot",),
    "shoulder": ("shoulder", "upper arm"),
}
"""Carrier -> its regions; the others are a region, or a part at a joint, of the same name."""
_SEAT_BELOW_HIP_M = 0.12
_SOLE_M = 0.035


@cache
def carrier_vertices(body: Body, carrier: str) -> tuple[Int[np.ndarray, " _"], ...]:
    """Return the vertices of a carrier; a foot has two sets, heel and ball, that both carry."""
    skin = skin_of(body)
    side, _, part = carrier.rpartition(" ")
    if carrier == "seat":
        height = skin.joints[SMPL.index["left_hip"], 1] - _SEAT_BELOW_HIP_M
        seat = np.isin(skin.regions, _positions("buttocks", "left thigh", "right thigh"))
        return (np.flatnonzero(seat & (skin.rest[:, 1] > height)),)
    if part in ("foot", "heel", "toes"):
        foot = np.isin(skin.regions, _positions(f"{side} foot"))
        sole = foot & (skin.rest[:, 1] < skin.rest[:, 1].min() + _SOLE_M)
        ankle, ball = (skin.joints[SMPL.index[f"{side}_{joint}"], 2] for joint in ("ankle", "foot"))
        heel = np.flatnonzero(sole & (skin.rest[:, 2] < ankle))
        toes = np.flatnonzero(sole & (skin.rest[:, 2] > ball - 0.01))
        return {"foot": (heel, toes), "heel": (heel,), "toes": (toes,)}[part]
    if part in ("knee", "elbow", "hip"):
        return (skin.of_part(carrier),)
    whole = carrier if carrier in _REGIONS_OF else part
    names = _REGIONS_OF.get(whole, (whole,))
    sided = [name if name in REGIONS else f"{side} {name}" for name in names]
    return (np.flatnonzero(np.isin(skin.regions, _positions(*sided))),)


def touch_vertices(body: Body, name: str) -> Int[np.ndarray, " _"]:
    """Return the vertices of a region, or of a part at a joint such as "left knee"."""
    skin = skin_of(body)
    if name in REGIONS:
        return np.flatnonzero(skin.regions == REGIONS.index(name))
    return skin.of_part(name)


def _positions(*regions: str) -> list[int]:
    return [REGIONS.index(region) for region in regions]


class BodyBalls:
    """Balls along limbs and trunk, each hung on the mean of some vertices.

    Two of them may not overlap if they are well apart in the zero pose. The two sides of a bent
    joint may: flesh gives way, and the limits of knees, elbows and hips hold there.
    """

    def __init__(self, body: Body) -> None:
        skin = skin_of(body)
        groups, radii, parts = [], [], []
        for names, count in _BALLS.items():
            part = np.flatnonzero(np.isin(skin.regions, _positions(*names)))
            place = skin.rest[part]
            across = place - place.mean(0)
            axis = np.linalg.svd(across, full_matrices=False)[2][0]
            along = across @ axis
            edges = np.quantile(along, np.linspace(0, 1, count + 1))
            for low, high in pairwise(edges):
                chosen = part[(along >= low) & (along <= high)]
                centre = skin.rest[chosen].mean(0)
                gaps = np.linalg.norm(skin.rest[chosen] - centre, axis=1)
                parts.append(names[0])
                groups.append(chosen)
                radii.append(np.quantile(gaps, 0.15))
        self.vertices = torch.from_numpy(np.concatenate(groups))
        """Vertices of all balls, one ball after the other."""
        sizes = torch.tensor([len(group) for group in groups])
        owner = torch.arange(len(groups)).repeat_interleave(sizes)
        self.means = torch.zeros(len(groups), len(self.vertices))
        self.means[owner, torch.arange(len(self.vertices))] = 1.0 / sizes[owner]
        radius = torch.tensor(np.array(radii), dtype=torch.float32)
        rest = self.means @ body.template[self.vertices]
        least = radius[:, None] + radius
        apart = (rest[:, None] - rest).norm(dim=-1)
        soft = torch.tensor([[frozenset({a, b}) in _SOFT for b in parts] for a in parts])
        counts = ((apart > least + 0.06) & ~soft).triu(1)
        self.least = torch.where(counts, least, 0.0)
        """How far apart two balls have to be, metres; 0 for neighbours, and below the diagonal."""

    def overlaps(self, centres: Float[Tensor, "batch ball 3"]) -> Float[Tensor, "batch ball ball"]:
        """Return by how much balls overlap, metres; a centre is the mean of its vertices."""
        gaps = torch.cdist(centres, centres, compute_mode="donot_use_mm_for_euclid_dist")
        return (self.least - gaps).clamp(min=0)


_SOFT = frozenset(
    frozenset({one.replace("~", side), other.replace("~", side)})
    for side in ("left", "right")
    for one, other in (
        ("~ upper arm", "~ forearm"), ("~ thigh", "~ shin"), ("~ thigh", "stomach"),
        ("~ thigh", "waist"), ("~ thigh", "chest"),
    )
)  # fmt: skip
"""Parts that a bent joint presses into each other, by their first region."""
_BALLS: dict[tuple[str, ...], int] = {
    ("head",): 2,
    ("neck",): 1,
    ("stomach", "lower back"): 3,
    ("chest", "upper back"): 4,
    ("waist", "buttocks"): 3,
} | {
    (f"{side} {part}",): count
    for side in ("left", "right")
    for part, count in (
        ("upper arm", 4), ("forearm", 5), ("hand", 3), ("thigh", 6), ("shin", 7), ("foot", 3),
        ("shoulder", 1),
    )
}  # fmt: skip
"""Regions that are one limb, and how many balls along its longest axis fill it."""
