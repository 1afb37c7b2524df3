"""The 133 keypoints of COCO-WholeBody on a body's mesh: body, feet, face and both hands, by name.

The body's own joints serve where they are what annotators mark (shoulders, elbows, wrists, hips,
knees, ankles); eyes, nose, ears, the 68 points of the face, fingers and toes are shares of mesh
vertices. For the open body these shares are a small table that data_builders.whole_body_landmarks
wrote. On another body's mesh they are looked up at the same place of the same part, which is
right to about a centimetre.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, load_body
from unipose.body.pose import OPEN_BODY
from unipose.body.skeletons import SMPL

TABLE_FILE = Path(__file__).parents[1] / "weights" / "open_body_keypoints.json"

COCO_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder",
    "left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee",
    "right_knee", "left_ankle", "right_ankle",
)  # fmt: skip
FOOT_NAMES = (
    "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
)  # fmt: skip
FACE_NAMES = tuple(f"face-{i}" for i in range(68))
"""iBUG's order: jaw 0-16 (from the person's right), brows 17-26, nose 27-35, eyes 36-47, mouth."""
FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")
"""Four points each, from the palm (1) to the tip (4)."""


def hand_names(side: str) -> tuple[str, ...]:
    """Return the 21 names of a hand, its root first."""
    return (f"{side}_hand_root", *(f"{side}_{f}{i}" for f in FINGERS for i in range(1, 5)))


WHOLE_BODY_NAMES: tuple[str, ...] = (
    *COCO_NAMES, *FOOT_NAMES, *FACE_NAMES, *hand_names("left"), *hand_names("right"),
)  # fmt: skip
"""The 133 names in COCO-WholeBody's order."""

JOINT_OF_KEYPOINT: dict[str, str] = {name: name for name in COCO_NAMES if name in SMPL.index} | {
    "left_hand_root": "left_wrist",
    "right_hand_root": "right_wrist",
}
"""Keypoints that are joints of the body."""

Shares = dict[int, float]
"""Vertex -> its share of a keypoint's place; sums to 1."""

PARTS = {
    "head": ("head",),
    "left_hand": ("left_wrist", "left_hand"),
    "right_hand": ("right_wrist", "right_hand"),
    "left_foot": ("left_ankle", "left_foot"),
    "right_foot": ("right_ankle", "right_foot"),
}
"""Part of a body -> the joints that move it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeBodyPoints:
    """Where keypoints (the 133, or others) are on one body: shares of its joints and vertices."""

    of_joints: Float[Tensor, "keypoint 24"]
    of_vertices: Float[Tensor, "keypoint vertex"]
    """Together each row sums to 1."""

    def places(
        self, joints: Float[Tensor, "*batch 24 3"], vertices: Float[Tensor, "*batch vertex 3"]
    ) -> Float[Tensor, "*batch keypoint 3"]:
        """Return the keypoints of posed bodies (metres)."""
        return self.of_joints.to(joints) @ joints + self.of_vertices.to(vertices) @ vertices


def whole_body_points(body: Body) -> WholeBodyPoints:
    """Return where the 133 keypoints are on `body`."""
    table = read_table() if body.id == OPEN_BODY else transfer(read_table(), load_body(), body)
    of_joints = torch.zeros(len(WHOLE_BODY_NAMES), len(SMPL.joints))
    of_vertices = torch.zeros(len(WHOLE_BODY_NAMES), len(body.template))
    for row, name in enumerate(WHOLE_BODY_NAMES):
        if name in JOINT_OF_KEYPOINT:
            of_joints[row, SMPL.index[JOINT_OF_KEYPOINT[name]]] = 1
        else:
            for vertex, share in table[name].items():
                of_vertices[row, vertex] += share
    return WholeBodyPoints(of_joints=of_joints, of_vertices=of_vertices)


@cache
def read_table() -> dict[str, Shares]:
    """Return the open body's table: keypoint -> shares of vertices."""
    rows = json.loads(TABLE_FILE.read_text(encoding="utf-8"))["keypoints"]
    return {name: {int(v): float(share) for v, share in row} for name, row in rows.items()}


def transfer(table: dict[str, Shares], source: Body, body: Body) -> dict[str, Shares]:
    """Return a table for another body: the vertices at the same place of the same part.

    Places are compared in the part's bounding box in the zero pose. A part that no vertex of the
    other body belongs to (a stick figure) is looked up on the whole mesh.
    """
    moved: dict[str, Shares] = {}
    corners = {part: (_box(source, part), _box(body, part)) for part in PARTS}
    for name, shares in table.items():
        (_, low, span), (vertices, other_low, other_span) = corners[part_of(name)]
        place = (source.template[list(shares)] - low) / span * other_span + other_low
        nearest = vertices[torch.cdist(place, body.template.cpu()[vertices]).argmin(1)]
        found: Shares = {}
        for vertex, share in zip(nearest.tolist(), shares.values()):
            found[vertex] = found.get(vertex, 0.0) + share
        moved[name] = found
    return moved


def part_of(keypoint: str) -> str:
    """Return which of PARTS a keypoint of the table lies on."""
    side, _, rest = keypoint.partition("_")
    if rest in ("big_toe", "small_toe", "heel"):
        return f"{side}_foot"
    return f"{side}_hand" if rest.startswith(FINGERS) else "head"


def _box(body: Body, part: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the vertices of a part, the low corner of their box and its size."""
    strongest = body.weights.cpu().argmax(1)
    vertices = torch.isin(strongest, torch.tensor(SMPL.indices(*PARTS[part]))).nonzero()[:, 0]
    if len(vertices) < 2:
        vertices = torch.arange(len(strongest))
    places = body.template.cpu()[vertices]
    return vertices, places.amin(0), (places.amax(0) - places.amin(0)).clamp(min=1e-6)
