"""How far two poses are apart: the field's joint errors, one number per pose, in metres.

A joint that is missing in the truth (False in `present`) changes neither error nor alignment, no
matter what stands in its place, NaN included.
"""

from __future__ import annotations

import roma
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.errors import PoseError


def root_aligned(joints: Float[Tensor, "batch joint 3"]) -> Float[Tensor, "batch joint 3"]:
    """Return the joints from the first one, the pelvis (metres)."""
    return joints - joints[:, :1]


def procrustes_aligned(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None = None,
) -> Float[Tensor, "batch joint 3"]:
    """Return the joints after the best similarity (turn, shift, scale; no reflection) (metres).

    Least squares over the joints that are present (Umeyama 1991). Raises PoseError for a pose with
    fewer than three of them: the turn is not determined.
    """
    weights = None
    if present is not None:
        _refuse_fewer(present, 3)
        joints, truth = (torch.where(present[..., None], some, 0.0) for some in (joints, truth))
        weights = present.to(joints.dtype)
    fit = roma.rigid_points_registration(joints, truth, weights=weights, compute_scaling=True)
    rotation, translation, scale = (part for part in fit if isinstance(part, Tensor))
    return scale[:, None, None] * joints @ rotation.mT + translation[:, None]


def mpjpe(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None = None,
) -> Float[Tensor, " batch"]:
    """Return the mean per joint position error of each pose (metres), without any alignment.

    With `present` it is the mean over those joints:

        distances (m)  0.10  0.30  9.00
        present        True  True  False
        error          0.20

    Raises PoseError for a pose of which no joint is present.
    """
    if present is None:
        return (joints - truth).norm(dim=-1).mean(dim=-1)
    _refuse_fewer(present, 1)
    apart = torch.where(present[..., None], joints - truth, 0.0).norm(dim=-1)
    return apart.sum(dim=-1) / present.sum(dim=-1)


def pa_mpjpe(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None = None,
) -> Float[Tensor, " batch"]:
    """Return the error (metres) after the best similarity; raises as `procrustes_aligned`."""
    return mpjpe(procrustes_aligned(joints, truth, present), truth, present)


def pck(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None = None,
    *,
    within: float = 0.15,
) -> Float[Tensor, " batch"]:
    """Return the share of correct keypoints of each pose, 0 to 1: those off by less than `within`.

    Metres; nothing is aligned (Mehta et al. 2017). Raises PoseError for a pose without joints.
    """
    return _shares_within(joints, truth, present, torch.tensor([within]))[:, 0]


def auc(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None = None,
) -> Float[Tensor, " batch"]:
    """Return the area under the PCK curve of each pose, 0 to 1: its mean at 0, 5, ..., 150 mm.

    As MPI-INF-3DHP's evaluation has it: 31 thresholds, "less than" at each. Raises as `pck`.
    """
    return _shares_within(joints, truth, present, torch.arange(31) * 0.005).mean(dim=1)


def _shares_within(
    joints: Float[Tensor, "batch joint 3"],
    truth: Float[Tensor, "batch joint 3"],
    present: Bool[Tensor, "batch joint"] | None,
    thresholds: Float[Tensor, " threshold"],
) -> Float[Tensor, "batch threshold"]:
    apart = (joints - truth).norm(dim=-1)
    near = apart[..., None] < thresholds.to(apart)
    if present is None:
        return near.to(apart).mean(dim=1)
    _refuse_fewer(present, 1)
    return (near & present[..., None]).sum(dim=1) / present.sum(dim=-1, keepdim=True)


def mpvpe(
    vertices: Float[Tensor, "batch vertex 3"], truth: Float[Tensor, "batch vertex 3"]
) -> Float[Tensor, " batch"]:
    """Return the mean per vertex error of each pose (metres; PVE and MVE are other names).

    Nothing is aligned: give vertices relative to the pelvis where a protocol asks for that. Every
    vertex counts alike, so bodies of different meshes give different numbers.
    """
    return mpjpe(vertices, truth)


def acceleration_error(
    joints: Float[Tensor, "frame joint 3"], truth: Float[Tensor, "frame joint 3"], *, fps: float
) -> Float[Tensor, " inner_frame"]:
    """Return how far accelerations are off (m/s^2, mean over joints) in all frames but the ends.

    Second differences of positions, as in Kanazawa et al. 2019 (HMMR), who leave out fps^2.
    Nothing is aligned. Raises PoseError for fewer than three frames.
    """
    if len(joints) < 3:
        raise PoseError(f"acceleration needs three frames or more, got {len(joints)}")
    off = joints - truth
    return ((off[2:] - 2 * off[1:-1] + off[:-2]) * fps**2).norm(dim=-1).mean(dim=-1)


def _refuse_fewer(present: Bool[Tensor, "batch joint"], least: int) -> None:
    few = (present.sum(dim=-1) < least).nonzero()
    if len(few):
        raise PoseError(
            f"{len(few)} poses have fewer than {least} joints present, so there is no error to "
            f"measure; the first is pose {int(few[0])}. Leave such poses out"
        )
