"""From 3D joints to a posed body: inverse kinematics by directions of bones.

A lifter's bones have lengths of nobody's body. What is matched is the way bones point, and the
middle of the hips; turns that no joint shows (about a bone) stay as small as they can.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from tokenizer.rotations import rotations_from_6d
from unipose.body.body import Body, load_body
from unipose.body.keypoint_points import keypoint_points
from unipose.body.keypoint_sets import KeypointSet
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import LiftingError
from unipose.vision.body_landmarks import LandmarkedBody
from unipose.vision.mesh_recovery_protocol import LEVEL

_ALSO_BETWEEN = (
    ("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_hip", "left_shoulder"),
    ("right_hip", "right_shoulder"), ("left_hip", "right_shoulder"), ("right_hip", "left_shoulder"),
    ("left_ear", "right_ear"), ("left_shoulder", "nose"), ("right_shoulder", "nose"),
)  # fmt: skip
"""Lines that no set calls bones, but which tell how the trunk and the head are turned."""
_HEAD = ("eye", "ear", "nose", "face")


@dataclass(frozen=True, kw_only=True)
class JointFittingConfig:
    """How long is looked for, and what keeps unseen turns small."""

    steps: int = 150
    rate: float = 0.08
    turn_weight: float = 0.004
    """Of the squared distance of each joint's rotation from none."""
    smooth_weight: float = 0.0
    """Of the squared change of rotations from row to row; rows of a film follow each other."""


def fit_joints(
    joints: Float[Tensor, "frame joint 3"],
    of: KeypointSet,
    *,
    body: Body | None = None,
    config: JointFittingConfig | None = None,
) -> Pose:
    """Return the body's pose for each row of joints (camera axes: x right, y down, z ahead).

    The poses have the viewer's axes: somebody who looks into the camera faces +z. Raises
    LiftingError for a row that is not finite, SkeletonError for a set whose joints are on no body.
    """
    body, config = body or load_body(), config or JointFittingConfig()
    if not bool(joints.isfinite().all()):
        frame = int((~joints.isfinite().all(-1).all(-1)).nonzero()[0])
        raise LiftingError(f"frame {frame} holds joints that are missing or not finite")
    if not len(joints):
        return Pose(rotations=torch.zeros(0, len(SMPL.joints), 3, 3), body=body.id)
    places = LandmarkedBody(body, range(len(of)), keypoint_points(body, of))
    pairs = _lines(of)
    goal = _directions(joints.float() @ LEVEL.mT.float(), pairs)
    # lines of the head are short, and detectors trust them least
    weight = torch.tensor(
        [0.3 if any(part in of.names[a] + of.names[b] for part in _HEAD) else 1.0 for a, b in pairs]
    )
    upright = torch.eye(3)[:, :2].mT.flatten()
    sixd = upright.repeat(len(joints), len(SMPL.joints), 1)
    sixd[:, 0] = _first_root(goal, pairs, of)
    sixd.requires_grad_()
    none = torch.zeros(len(joints), 10)
    optimizer = torch.optim.Adam([sixd], lr=config.rate)
    with torch.enable_grad():
        for step in range(config.steps):
            for group in optimizer.param_groups:
                group["lr"] = config.rate * (1 - step / config.steps)
            rotations = rotations_from_6d(sixd)
            _, said = places(rotations, none)
            off = (_directions(said, pairs) - goal).square().sum(-1)
            loss = (weight * off).mean(1).sum()
            turned = (rotations[:, 1:] - torch.eye(3)).square().sum((2, 3))
            loss = loss + config.turn_weight * turned.mean(1).sum()
            if config.smooth_weight and len(joints) > 1:
                loss = loss + config.smooth_weight * rotations.diff(dim=0).square().sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return Pose(rotations=rotations_from_6d(sixd.detach()), body=body.id)


def _lines(of: KeypointSet) -> list[tuple[int, int]]:
    also = [of.indices(*pair) for pair in _ALSO_BETWEEN if all(name in of.index for name in pair)]
    return list(dict.fromkeys([*of.edges, *((a, b) for a, b in also)]))


def _directions(
    joints: Float[Tensor, "frame joint 3"], pairs: list[tuple[int, int]]
) -> Float[Tensor, "frame line 3"]:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    return F.normalize(joints[:, second] - joints[:, first], dim=-1, eps=1e-6)


def _first_root(
    goal: Float[Tensor, "frame line 3"], pairs: list[tuple[int, int]], of: KeypointSet
) -> Float[Tensor, "frame 6"]:
    """Return the turn of the trunk: left is from hip to hip, up from hips to shoulders."""

    def line(a: str, b: str) -> Float[Tensor, "frame 3"]:
        one, other = of.indices(a, b)
        if (one, other) in pairs:
            return goal[:, pairs.index((one, other))]
        return -goal[:, pairs.index((other, one))]

    left = -line("left_hip", "right_hip")
    up = line("left_hip", "left_shoulder") + line("right_hip", "right_shoulder")
    left = F.normalize(left, dim=-1)
    up = F.normalize(up - (up * left).sum(-1, keepdim=True) * left, dim=-1)
    return torch.cat([left, up], dim=-1)
