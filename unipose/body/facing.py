"""Which way a body faces: the turn about the vertical, and poses without it."""

from __future__ import annotations

import numpy as np
import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.kinematics import forward_kinematics


def yaw_of(root: Float[Tensor, "batch 3 3"]) -> Float[Tensor, " batch"]:
    """Return the turn about the vertical (radians, counter-clockwise seen from above).

    It is the heading of the body's left axis, as in the Euler order that PoseScript normalises
    by: steady for people who bend or lie on back or front, undefined only for lying on a side.
    """
    return torch.atan2(-root[:, 2, 0], root[:, 0, 0])


def without_yaw(root: Float[Tensor, "batch 3 3"]) -> Float[Tensor, "batch 3 3"]:
    """Return root rotations turned to face +z; how far the body leans or lies is kept."""
    yaw = yaw_of(root)
    turn = torch.stack([torch.zeros_like(yaw), -yaw, torch.zeros_like(yaw)], dim=-1)
    return roma.rotvec_to_rotmat(turn) @ root


def face_front(rotations: Float[Tensor, "batch joint 3 3"]) -> Float[Tensor, "batch joint 3 3"]:
    """Return the poses (local rotations, root first) turned to face +z, as texts speak of them."""
    return torch.cat([without_yaw(rotations[:, 0])[:, None], rotations[:, 1:]], dim=1)


def front_facing_joints(
    rotations: Float[Tensor, "batch joint 3 3"], joints_at_rest: Float[Tensor, "24 3"]
) -> Float[np.ndarray, "batch joint 3"]:
    """Return joint places (metres, from the pelvis) of poses that each face the front.

    They are what posecodes are measured on.
    """
    return forward_kinematics(face_front(rotations), joints_at_rest).numpy()
