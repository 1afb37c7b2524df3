"""A few steps from the lifter's answer towards what the keypoint networks saw.

The most likely body given both: the lifter is off by what its errors on held-out people say, seen
landmarks are off by what their scores say, and some are wrong altogether (Geman-McClure). Each
step solves the linear problem around the present body (Gauss-Newton): all derivatives of joints by
turns are cross products, so a step costs a millisecond or two for one person.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.skeletons import SMPL
from unipose.vision.body_landmarks import BLAZE, COCO, HIPS, LANDMARKS, LandmarkedBody
from unipose.vision.crops import LONG_LENS
from unipose.vision.landmark_lifter import CropLandmarks, LifterErrors, logged
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes

JOINTS = len(SMPL.joints)
LARGEST_TURN = 0.4
"""Radians that a joint turns in one step."""


@dataclass(frozen=True, kw_only=True)
class FittingConfig:
    """How much each witness counts. Errors of points are in sides of the crop."""

    steps: int = 10
    coco_error: float = 0.017
    """Of a keypoint with MoveNet's usual score of 0.7; others by `coco_decay`."""
    coco_decay: float = 5.7
    """A keypoint's error falls with its score by exp(-decay * score)."""
    blaze_error: float = 0.025
    """Of a landmark with BlazePose's score of 0.95."""
    blaze_decay: float = 3.8
    outlier: float = 3.0
    """Errors from which a landmark counts less and less, in its own expected errors."""
    witness: float = 0.3
    """Weight of what is seen beside the lifter's answer, which was made of the same."""
    depth_error_m: float = 0.3
    """Of BlazePose's depths beside it; infinite leaves them out."""


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

    `focal` is the focal length in sides of each crop; without it HMR's long lens. Betas stay. A
    person of whom nothing is seen stays as the lifter says.
    """
    config = config or FittingConfig()
    if focal is None:
        focal = torch.full_like(found.camera[:, 0], LONG_LENS)
    start, camera = found.rotations, logged(found.camera)
    rotations, first_camera = start, camera
    expected = _expected_errors(seen, config)
    there = seen.scores > 0
    for _ in range(config.steps):
        turns, joints, marked = body.chain(rotations, found.betas, errors.offsets)
        moves = _moves(turns, joints, marked, body)  # person landmark 3 turn
        points, by_place, by_camera = _project(marked, camera, focal)
        by_turns = by_place @ moves
        by_all = torch.cat([by_turns, by_camera], dim=-1)  # person landmark 2 unknown
        apart = torch.where(there[..., None], seen.points - points, 0.0)
        # Geman-McClure: the weight of a landmark falls with the square of how wrong it seems
        wrong = (apart / expected[..., None]).square().sum(-1) / config.outlier**2
        weight = config.witness * there / (expected * (1 + wrong)).square()
        rows = by_all * weight[..., None, None]
        pull = torch.cat([roma.rotmat_to_rotvec(start.mT @ rotations).flatten(1),
                          camera - first_camera], dim=1)  # fmt: skip
        matrix = torch.einsum("plai,plaj->pij", rows, by_all) + errors.precision
        vector = torch.einsum("plai,pla->pi", rows, apart)
        vector = vector - pull @ errors.precision
        if config.depth_error_m < float("inf"):
            deep = moves[:, COCO:, 2] - moves[:, HIPS, 2].mean(dim=1, keepdim=True)
            depth = marked[:, COCO:, 2] - marked[:, HIPS, 2].mean(dim=1, keepdim=True)
            gap = seen.world[..., 2] - depth
            trust = (gap / config.depth_error_m).square() / config.outlier**2
            trust = there[:, COCO:] * seen.scores[:, COCO:] / (
                config.depth_error_m * (1 + trust)
            ).square() / BLAZE  # fmt: skip
            matrix[:, :-3, :-3] += torch.einsum("pli,plj->pij", deep * trust[..., None], deep)
            vector[:, :-3] += torch.einsum("pli,pl->pi", deep, gap * trust)
        step = torch.linalg.solve(matrix, vector)
        turn = step[:, :-3].unflatten(1, (JOINTS, 3))
        turn = turn * (LARGEST_TURN / turn.norm(dim=-1, keepdim=True).clamp(min=LARGEST_TURN))
        rotations = rotations @ roma.rotvec_to_rotmat(turn)
        camera = camera + step[:, -3:].clamp(-0.5, 0.5)
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


def _expected_errors(
    seen: CropLandmarks, config: FittingConfig
) -> Float[Tensor, "person landmark"]:
    """Return how far off a landmark with its score usually is (sides of the crop)."""
    coco, blaze = seen.scores.split([COCO, BLAZE], dim=1)
    coco = config.coco_error * (config.coco_decay * (0.7 - coco).clamp(min=-0.1)).exp()
    blaze = config.blaze_error * (config.blaze_decay * (0.95 - blaze)).exp()
    return torch.cat([coco, blaze], dim=1)


def _moves(
    turns: Float[Tensor, "person 24 3 3"],
    joints: Float[Tensor, "person 24 3"],
    marked: Float[Tensor, "person landmark 3"],
    body: LandmarkedBody,
) -> Float[Tensor, "person landmark 3 turn"]:
    """Return how landmarks move with each joint's turn about its own three axes."""
    arm = marked[:, :, None] - joints[:, None]  # person landmark joint 3
    axes = turns.mT[:, None]  # rows: a joint's axes in the crop camera's
    moves = torch.linalg.cross(axes.expand(-1, LANDMARKS, -1, -1, -1), arm[:, :, :, None])
    moves = moves * ABOVE.to(arm)[body.joint][None, :, :, None, None]
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
