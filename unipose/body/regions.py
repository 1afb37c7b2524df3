"""Which part of the body a vertex belongs to: 22 fine regions, and sets of coarser ones.

A vertex goes with the joint that moves it most. The trunk is cut further: front from back by the
template's normals, hips from shoulders by the joints' heights. So every body gets its regions by
itself (the open body, a user's SMPL file), and nothing is copied from anybody's segmentation.

The coarse sets are those of contact questions; their regions overlap (the back holds the back of
the waist), so they are masks of vertices. Orders are frozen: masks and data sets hold positions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from unipose.body.body import Body
from unipose.body.skeletons import SMPL

REGIONS: tuple[str, ...] = (
    "head", "neck", "chest", "stomach", "waist", "upper back", "lower back", "buttocks",
    "left shoulder", "right shoulder", "left upper arm", "right upper arm", "left forearm",
    "right forearm", "left hand", "right hand", "left thigh", "right thigh", "left shin",
    "right shin", "left foot", "right foot",
)  # fmt: skip
"""What a person calls the parts of a body; "waist" is the front of the hips."""

CONTACT_WORDS: dict[str, str] = {
    "waist": "waist (front)",
    "upper back": "back",
    "lower back": "waist (back)",
    "buttocks": "butt",
    "upper arm": "arm",
    "forearm": "arm",
    "thigh": "leg",
    "shin": "leg",
}
"""Region (without its side) -> the word that contact questions use; the others keep their name."""


@dataclass(frozen=True, kw_only=True)
class RegionSet:
    """Coarse regions by name: each is made of fine ones, or of their front or back half."""

    name: str
    parts: dict[str, tuple[str, ...]]
    """Word -> fine regions; "~" stands for both sides, "/front" and "/back" halve by the normal."""

    @property
    def names(self) -> tuple[str, ...]:
        """Every region, paired ones as "left X" and "right X"."""
        return tuple(name for word in self.parts for name in self.sides_of(word))

    def sides_of(self, word: str) -> tuple[str, ...]:
        """Return the regions that a word stands for: left and right if its first part is paired."""
        paired = "".join(self.parts[word]).startswith("~")
        return (f"left {word}", f"right {word}") if paired else (word,)

    def masks(self, body: Body) -> Bool[Tensor, "region vertex"]:
        """Return which vertices of a body belong to each region, in the order of `names`.

        The ground has no vertex: its row is empty, and its place is the plane y = 0.
        """
        of_vertex = find_regions(body).of_vertex
        front = _normals(body)[:, 2] > 0
        rows = []
        for word, parts in self.parts.items():
            for name in self.sides_of(word):
                side = name.split(" ")[0] if name != word else ""
                row = torch.zeros(len(of_vertex), dtype=torch.bool)
                for part in parts:
                    fine, _, half = part.partition("/")
                    sides = (side,) if side else ("left", "right") if "~" in fine else ("",)
                    for one in sides:
                        found = of_vertex == REGIONS.index(fine.replace("~", f"{one} "))
                        row |= found & (front if half == "front" else ~front) if half else found
                rows.append(row)
        return torch.stack(rows)


GROUND = "ground"

PROSEPOSE_TWO_PEOPLE = RegionSet(
    name="prosepose-two-people",
    parts={
        "head": ("head",),
        "neck": ("neck",),
        "chest": ("chest",),
        "stomach": ("stomach", "waist"),
        "waist (back)": ("lower back",),
        "waist (front)": ("waist",),
        "back": ("upper back", "lower back", "neck/back", "~shoulder/back"),
        "shoulder (back)": ("~shoulder/back",),
        "shoulder (front)": ("~shoulder/front",),
        "arm": ("~upper arm", "~forearm"),
        "hand": ("~hand",),
        "leg": ("~thigh", "~shin"),
        "foot": ("~foot",),
        "butt": ("buttocks",),
    },
)
"""The 14 words of ProsePose's prompt for two people (Subramanian et al. 2024)."""

PROSEPOSE_ONE_PERSON = RegionSet(
    name="prosepose-one-person",
    parts={
        "head": ("head",),
        "back": PROSEPOSE_TWO_PEOPLE.parts["back"],
        "shoulder": ("~shoulder",),
        "arm": PROSEPOSE_TWO_PEOPLE.parts["arm"],
        "hand": ("~hand",),
        "leg": PROSEPOSE_TWO_PEOPLE.parts["leg"],
        "foot": ("~foot",),
        "stomach": PROSEPOSE_TWO_PEOPLE.parts["stomach"],
        "butt": ("buttocks",),
        GROUND: (),
    },
)
"""The 10 words of ProsePose's prompt for one person's own contacts."""

FINE_REGIONS = RegionSet(
    name="fine",
    parts={
        name.removeprefix("left "): (name.replace("left ", "~"),)
        for name in REGIONS
        if not name.startswith("right ")
    },
)
"""REGIONS themselves, in an order of their own."""

LIMB_OF_JOINT = {
    "collar": "shoulder",
    "shoulder": "upper arm",
    "elbow": "forearm",
    "wrist": "hand",
    "hand": "hand",
    "hip": "thigh",
    "knee": "shin",
    "ankle": "foot",
    "foot": "foot",
}
"""Joint (without its side) -> the region that moves with it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyRegions:
    """The regions of one body's mesh."""

    of_vertex: Int[Tensor, " vertex"]
    """Position in REGIONS."""
    of_face: Int[Tensor, " face"]
    """The region that most of a face's corners have (the first corner's, if all differ)."""
    neighbours: Bool[Tensor, "region region"]
    """Regions that share a face (and every region with itself)."""


def find_regions(body: Body) -> BodyRegions:
    """Return the regions of a body, vertex by vertex and face by face."""
    strongest = body.weights.cpu().argmax(1)
    region_of_joint = torch.tensor([_region_of_joint(joint) for joint in SMPL.joints])
    of_vertex = region_of_joint[strongest]
    trunk = torch.isin(
        strongest, torch.tensor(SMPL.indices("pelvis", "spine1", "spine2", "spine3"))
    )
    of_vertex[trunk] = _regions_of_trunk(body)[trunk]
    for side in ("left", "right"):
        of_vertex[_upper_end(body, side, of_vertex)] = REGIONS.index(f"{side} shoulder")
    faces = body.faces.cpu()
    a, b, c = of_vertex[faces].unbind(1)
    neighbours = torch.eye(len(REGIONS), dtype=torch.bool)
    for first, second in ((a, b), (b, c), (c, a)):
        neighbours[first, second] = True
        neighbours[second, first] = True
    return BodyRegions(
        of_vertex=of_vertex, of_face=torch.where(b == c, b, a), neighbours=neighbours
    )


def contact_word(region: str) -> str:
    """Return what contact questions call a region: "left upper arm" -> "left arm"."""
    side, _, limb = region.partition(" ")
    if side in ("left", "right"):
        return f"{side} {CONTACT_WORDS.get(limb, limb)}"
    return CONTACT_WORDS.get(region, region)


def _region_of_joint(joint: str) -> int:
    side, _, part = joint.partition("_")
    if part:
        return REGIONS.index(f"{side} {LIMB_OF_JOINT[part]}")
    return REGIONS.index(joint if joint in ("head", "neck") else "chest")


def _regions_of_trunk(body: Body) -> Int[Tensor, " vertex"]:
    """Return the region each vertex has if it belongs to the trunk."""
    height = body.template[:, 1].cpu()
    joints = body.rest_joints.cpu()[:, 1]
    hips, middle = joints[SMPL.index["spine1"]], joints[SMPL.index["spine3"]] - 0.03
    front = _normals(body)[:, 2] > 0
    rows = torch.tensor(
        [
            [REGIONS.index("buttocks"), REGIONS.index("waist")],
            [REGIONS.index("lower back"), REGIONS.index("stomach")],
            [REGIONS.index("upper back"), REGIONS.index("chest")],
        ]
    )
    return rows[(height > hips).long() + (height > middle).long(), front.long()]


def _upper_end(body: Body, side: str, of_vertex: Int[Tensor, " vertex"]) -> Bool[Tensor, " vertex"]:
    """Return the vertices of the upper arm's first quarter: the round of the shoulder."""
    shoulder, elbow = body.rest_joints.cpu()[SMPL.indices(f"{side}_shoulder", f"{side}_elbow")]
    along = (body.template.cpu() - shoulder) @ (elbow - shoulder)
    near = along < 0.25 * (elbow - shoulder).square().sum()
    return near & (of_vertex == REGIONS.index(f"{side} upper arm"))


def _normals(body: Body) -> Tensor:
    """Return the template's normals (vertex, 3), not normalised: only their signs are used."""
    vertices, faces = body.template.cpu(), body.faces.cpu()
    a, b, c = vertices[faces].unbind(1)
    across = torch.linalg.cross(b - a, c - a).repeat_interleave(3, dim=0)
    return torch.zeros_like(vertices).index_add(0, faces.flatten(), across)
