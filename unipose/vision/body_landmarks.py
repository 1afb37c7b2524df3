"""What keypoint networks look for, as points of a body: COCO's 17 keypoints and BlazePose's 33.

Each landmark is fixed to one joint (an ear to the head, a toe to the foot): it needs no mesh, only
the joints' places and turns, and its place is differentiable in rotations and betas.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from unipose.body.body import Body
from unipose.body.keypoint_sets import BLAZEPOSE_33, COCO_17
from unipose.body.kinematics import chain
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import WHOLE_BODY_NAMES, WholeBodyPoints, whole_body_points

COCO, BLAZE = len(COCO_17), len(BLAZEPOSE_33)
LANDMARKS = COCO + BLAZE
"""COCO's come first."""
_OTHER_NAMES = {
    "left_eye_inner": "face-42", "left_eye_outer": "face-45", "right_eye_inner": "face-39",
    "right_eye_outer": "face-36", "left_mouth": "face-54", "right_mouth": "face-48",
} | {
    f"{side}_{name}": f"{side}_{other}"
    for side in ("left", "right")
    for name, other in (
        ("pinky", "pinky_finger1"), ("index", "forefinger1"), ("thumb", "thumb2"),
        ("foot_index", "big_toe"),
    )
}  # fmt: skip
"""Of BlazePose's landmarks, in COCO-WholeBody's names."""
WHOLE_BODY_ROWS: list[int] = [
    WHOLE_BODY_NAMES.index(_OTHER_NAMES.get(name, name))
    for name in (*COCO_17.names, *BLAZEPOSE_33.names)
]
"""Where the landmarks stand among COCO-WholeBody's 133."""
LANDMARK_MIRROR: list[int] = [*COCO_17.mirror, *(COCO + i for i in BLAZEPOSE_33.mirror)]
"""Position of each landmark's left/right counterpart."""
HIPS: list[int] = [COCO + i for i in BLAZEPOSE_33.indices("left_hip", "right_hip")]
"""Their middle is the origin of BlazePose's world."""


class LandmarkedBody(nn.Module):
    """Where the landmarks, or other points that move with one joint each, are on one body."""

    joint: Int[Tensor, " landmark"]
    """To which each is fixed."""
    offset: Float[Tensor, "landmark 3"]
    """From its joint in the zero pose, mean shape (metres)."""
    offset_directions: Float[Tensor, "landmark 3 10"]
    """... and what each beta adds."""
    rest_joints: Float[Tensor, "24 3"]
    joint_directions: Float[Tensor, "24 3 10"]

    def __init__(
        self,
        body: Body,
        rows: Sequence[int] = WHOLE_BODY_ROWS,
        points: WholeBodyPoints | None = None,
    ) -> None:
        """Take the landmarks that stand in these rows of COCO-WholeBody's 133 (or of `points`)."""
        super().__init__()
        rows = list(rows)
        points = points or whole_body_points(body)
        of_joints = points.of_joints[rows].to(body.template)
        of_vertices = points.of_vertices[rows].to(body.template)
        joint = (of_joints + of_vertices @ body.weights).argmax(dim=1)
        places = points.places(body.rest_joints, body.template)[rows]
        directions = torch.einsum("lj,jck->lck", of_joints, body.joint_directions)
        directions = directions + torch.einsum("lv,vck->lck", of_vertices, body.shape_directions)
        for name, value in {
            "joint": joint,
            "offset": places - body.rest_joints[joint],
            "offset_directions": directions - body.joint_directions[joint],
            "rest_joints": body.rest_joints.clone(),
            "joint_directions": body.joint_directions.clone(),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def forward(
        self, rotations: Float[Tensor, "person 24 3 3"], betas: Float[Tensor, "person 10"]
    ) -> tuple[Float[Tensor, "person 24 3"], Float[Tensor, "person landmark 3"]]:
        """Return the joints and landmarks from the pelvis (metres)."""
        _, joints, landmarks = self.chain(rotations, betas)
        return joints, landmarks

    def chain(
        self,
        rotations: Float[Tensor, "person 24 3 3"],
        betas: Float[Tensor, "person 10"],
        aside: Float[Tensor, "landmark 3"] | float = 0.0,
    ) -> tuple[
        Float[Tensor, "person 24 3 3"],
        Float[Tensor, "person 24 3"],
        Float[Tensor, "person landmark 3"],
    ]:
        """Return the joints' turns too; landmarks lie `aside` in their joint's frame (metres)."""
        rest = self.rest_joints + torch.einsum("jck,pk->pjc", self.joint_directions, betas)
        above = rest[:, [max(parent, 0) for parent in SMPL.parents]]
        turns, joints = chain(rotations, rest - above)
        return turns, joints, self.places(turns, joints, betas, aside)

    def places(
        self,
        turns: Float[Tensor, "person 24 3 3"],
        joints: Float[Tensor, "person 24 3"],
        betas: Float[Tensor, "person 10"],
        aside: Float[Tensor, "landmark 3"] | float = 0.0,
    ) -> Float[Tensor, "person landmark 3"]:
        """Return the landmarks of bodies whose joints are turned (global) and placed (metres)."""
        offset = self.offset + torch.einsum("lck,pk->plc", self.offset_directions, betas) + aside
        return (turns[:, self.joint] @ offset[..., None])[..., 0] + joints[:, self.joint]
