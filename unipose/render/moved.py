"""How far everything moves from one pose to another: per joint, and as colours of the surface."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.body import Body, BodyMesh
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.render.drawing import grounded_shift
from unipose.render.shading import MIDDLE, linear

STILL_M, MOST_M = 0.02, 0.40
"""What moves by less has the colour of rest, what moves by more that of the far end (metres)."""

SCALE = (MIDDLE, (238, 177, 78), (196, 62, 92))
"""sRGB from rest over half the way to the far end; limbs' own blue and orange are not among it."""


def moved_joints(before: Pose, after: Pose, body: Body) -> list[tuple[str, float]]:
    """Return each of the 22 posed joints with how far it moves (metres), the farthest first.

    Both bodies stand on the floor with the pelvis over the same point, in the shape of `after`.
    """
    distances = (_standing(after, after, body).joints - _standing(before, after, body).joints)[0]
    metres = distances.norm(dim=-1)[:POSED_JOINTS].tolist()
    return sorted(zip(SMPL.joints, metres), key=lambda joint: -joint[1])


def moved_colours(before: Pose, after: Pose, body: Body) -> Float[Tensor, "vertex 3"]:
    """Return colours (linear light) of the body's vertices by how far each moves, as `SCALE`."""
    from_to = [_standing(pose, after, body).vertices[0] for pose in (before, after)]
    return scale_colours((from_to[1] - from_to[0]).norm(dim=-1))


def scale_colours(metres: Float[Tensor, " point"]) -> Float[Tensor, "point 3"]:
    """Return the colours of distances on `SCALE` (linear light)."""
    share = ((metres - STILL_M) / (MOST_M - STILL_M)).clamp(0, 1)[:, None]
    rest, half, far = map(linear, SCALE)
    first, second = (share * 2).clamp(max=1), (share * 2 - 1).clamp(min=0)
    return rest + (half - rest) * first + (far - half) * second


def _standing(pose: Pose, shape: Pose, body: Body) -> BodyMesh:
    """Return a body on the floor in the shape of another pose."""
    posed = Pose(rotations=pose.rotations.float(), betas=shape.betas, body=shape.body)
    with torch.no_grad():
        return body(posed.rotations, body.betas_of(posed), grounded_shift(body, posed))
