"""How far two poses are apart: the field's joint errors, one number per pose, in metres."""

from __future__ import annotations

import roma
from jaxtyping import Float
from torch import Tensor


def mpjpe(
    joints: Float[Tensor, "batch joint 3"], truth: Float[Tensor, "batch joint 3"]
) -> Float[Tensor, " batch"]:
    """Return the mean per joint position error of each pose (metres), without any alignment."""
    return (joints - truth).norm(dim=-1).mean(dim=-1)


def pa_mpjpe(
    joints: Float[Tensor, "batch joint 3"], truth: Float[Tensor, "batch joint 3"]
) -> Float[Tensor, " batch"]:
    """Return the error (metres) after the best similarity (Procrustes; no reflection)."""
    fit = roma.rigid_points_registration(joints, truth, compute_scaling=True)
    rotation, translation, scale = (part for part in fit if isinstance(part, Tensor))
    moved = scale[:, None, None] * joints @ rotation.mT + translation[:, None]
    return mpjpe(moved, truth)


def mpvpe(
    vertices: Float[Tensor, "batch vertex 3"], truth: Float[Tensor, "batch vertex 3"]
) -> Float[Tensor, " batch"]:
    """Return the mean per vertex error of each pose (metres; PVE and MVE are other names).

    Nothing is aligned: give vertices relative to the pelvis where a protocol asks for that. Every
    vertex counts alike, so bodies of different meshes give different numbers.
    """
    return mpjpe(vertices, truth)
