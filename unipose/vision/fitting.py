"""A few steps from the lifter's answer towards what MoveNet saw.

The most likely body given both: the lifter is off by what its errors on people in known poses say,
keypoints are off by what their scores say, and some are wrong altogether (Geman-McClure). Each step
solves the linear problem around the present body (Gauss-Newton): all derivatives of joints by turns
are cross products, so a step costs two milliseconds for one person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.skeletons import SMPL
from unipose.vision.body_landmarks import COCO, LandmarkedBody
from unipose.vision.crops import LONG_LENS
from unipose.vision.landmark_lifter import CropLandmarks, LifterErrors, logged
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes

JOINTS = len(SMPL.joints)
LARGEST_TURN, LARGEST_MOVE = 0.4, 0.5
"""Radians that a joint turns in one step; metres, and log of the scale, that the camera moves."""
USUAL_SCORE = 0.7
"""Of MoveNet's keypoints that are seen."""


@dataclass(frozen=True, kw_only=True)
class FittingConfig:
    """How much each keypoint counts; errors are in sides of the crop."""

    steps: int = 4
    error: float = 0.024
    """Of a keypoint with MoveNet's usual score of 0.7, beside a lifter that has seen it as well."""
    decay: float = 3.0
    """A keypoint's expected error falls with its score by exp(-decay * score)."""
    outlier: float = 2.0
    """Errors from which a keypoint counts less and less, in its own expected errors."""


def _above() -> Float[Tensor, "24 24"]:
    """Return 1 where the second joint is the first one or above it in the tree."""
    above = torch.eye(JOINTS)
    for joint, parent in enumerate(SMPL.parents):
        if parent >= 0:
            above[joint] += above[parent]
    return above


ABOVE = _above()


@torch.no_grad()
def fit(
    found: RecoveredMeshes,
    seen: CropLandmarks,
    body: LandmarkedBody,
    errors: LifterErrors,
    config: FittingConfig | None = None,
    *,
    focal: Float[Tensor, " person"] | None = None,
) -> RecoveredMeshes:
    """Return the people turned and placed so that they agree better with what was seen.

    Only COCO's keypoints count: on people whose pose is known a fit to BlazePose's landmarks, or to
    their depths, was a worse one. `focal` is the focal length in sides of each crop; without it
    HMR's long lens. Betas stay. A person of whom nothing is seen stays as the lifter says.
    """
    config = config or FittingConfig()
    if focal is None:
        focal = torch.full_like(found.camera[:, 0], LONG_LENS)
    rotations, camera = found.rotations, logged(found.camera)
    first_rotations, first_camera = rotations, camera
    expected = config.error * (config.decay * (USUAL_SCORE - seen.scores[:, :COCO])).exp()
    there = seen.scores[:, :COCO] > 0
    for _ in range(config.steps):
        turns, joints, marked = body.chain(rotations, found.betas, errors.offsets)
        marked = marked[:, :COCO]
        points, by_place, by_camera = _project(marked, camera, focal)
        by_turns = by_place @ _moves(turns, joints, marked, body)
        by_all = torch.cat([by_turns, by_camera], dim=-1)  # person keypoint 2 unknown
        apart = torch.where(there[..., None], seen.points[:, :COCO] - points, 0.0)
        # Geman-McClure: the weight of a keypoint falls with the square of how wrong it seems
        wrong = (apart / expected[..., None]).square().sum(-1) / config.outlier**2
        weighted = by_all * (there / (expected * (1 + wrong)).square())[..., None, None]
        pull = torch.cat(
            [
                roma.rotmat_to_rotvec(first_rotations.mT @ rotations).flatten(1),
                camera - first_camera,
            ],
            dim=1,
        )
        matrix = torch.einsum("pkai,pkaj->pij", weighted, by_all) + errors.precision
        vector = torch.einsum("pkai,pka->pi", weighted, apart) - pull @ errors.precision
        step = torch.linalg.solve(matrix, vector)
        turn = step[:, :-3].unflatten(1, (JOINTS, 3))
        turn = turn * (LARGEST_TURN / turn.norm(dim=-1, keepdim=True).clamp(min=LARGEST_TURN))
        rotations = rotations @ roma.rotvec_to_rotmat(turn)
        camera = camera + step[:, -3:].clamp(-LARGEST_MOVE, LARGEST_MOVE)
    camera = torch.cat([camera[:, :1].exp(), camera[:, 1:]], dim=1)
    return replace(found, rotations=roma.special_gramschmidt(rotations), camera=camera)


@torch.no_grad()
def seen_landmarks(
    meshes: RecoveredMeshes, body: LandmarkedBody, errors: LifterErrors
) -> Float[Tensor, "person landmark 2"]:
    """Return where networks should see the landmarks of bodies, through HMR's long lens.

    In sides of each crop from its middle.
    """
    _, _, marked = body.chain(meshes.rotations, meshes.betas, errors.offsets)
    focal = torch.full_like(meshes.camera[:, 0], LONG_LENS)
    return _project(marked, logged(meshes.camera), focal)[0]


def _moves(
    turns: Float[Tensor, "person 24 3 3"],
    joints: Float[Tensor, "person 24 3"],
    marked: Float[Tensor, "person landmark 3"],
    body: LandmarkedBody,
) -> Float[Tensor, "person landmark 3 turn"]:
    """Return how landmarks move with each joint's turn about its own three axes."""
    count = marked.shape[1]
    arm = marked[:, :, None] - joints[:, None]  # person landmark joint 3
    axes = turns.mT[:, None]  # rows: a joint's axes in the crop camera's
    moves = torch.linalg.cross(axes.expand(-1, count, -1, -1, -1), arm[:, :, :, None])
    moves = moves * ABOVE.to(arm)[body.joint[:count]][None, :, :, None, None]
    return moves.flatten(2, 3).mT


def _project(
    places: Float[Tensor, "person landmark 3"],
    camera: Float[Tensor, "person 3"],
    focal: Float[Tensor, " person"],
) -> tuple[
    Float[Tensor, "person landmark 2"],
    Float[Tensor, "person landmark 2 3"],
    Float[Tensor, "person landmark 2 3"],
]:
    """Return `crops.project` and its derivatives by places and by the camera (log scale)."""
    far = (2 * focal / camera[:, 0].exp())[:, None]
    depth = (places[..., 2] + far).clamp(min=0.1)
    larger = focal[:, None] / depth  # sides of the crop per metre
    points = (places[..., :2] + camera[:, None, 1:]) * larger[..., None]
    sides = larger[..., None, None] * torch.eye(2).to(places)
    by_place = torch.cat([sides, (-points / depth[..., None])[..., None]], dim=-1)
    by_scale = points * (far / depth)[..., None]
    return points, by_place, torch.cat([by_scale[..., None], sides], dim=-1)
