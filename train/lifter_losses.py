"""What a lifter learns by, beside the trainable loss: what its paper says."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.body.keypoint_sets import KeypointSet
from unipose.errors import ConfigError
from unipose.lifting.p_stmo import PStmo
from unipose.lifting.task_net import SaidRows, SeenRows, of_frames_said

MIXSTE_WEIGHTS = {"knee": 2.5, "ankle": 2.5, "head_top": 1.5, "shoulder": 1.5, "elbow": 4.0,
                  "wrist": 4.0}  # fmt: skip
"""Of joints by name without their side; the others count 1 (Zhang et al. 2022)."""
SMOOTHNESS_WEIGHT, VELOCITY_WEIGHT = 0.5, 2.0


def say_and_lose(
    name: str,
    net: nn.Module,
    seen: SeenRows,
    truth: Float[Tensor, "row frame joint 3"],
    keypoint_set: KeypointSet,
) -> tuple[SaidRows, Float[Tensor, ""]]:
    """Return what a lifter says of rows of frames, and its paper's loss of that (metres).

    Networks of one frame: MSE (per coordinate). VideoPose3D: MPJPE. MixSTE: joints by weight, their
    jumps from frame to frame, and velocities. P-STMO: MPJPE of the middle frame and of all frames.
    """
    if name == "pstmo":
        if not isinstance(net, PStmo):
            raise ConfigError(f"expected P-STMO, got {type(net).__name__}")
        said, every = net.both(seen)
        return said, _mpjpe(said, _wanted(truth, said)) + _mpjpe(every, truth)
    said = net(seen)
    wanted = _wanted(truth, said)
    if name == "videopose243":
        return said, _mpjpe(said, wanted)
    if name == "mixste":
        return said, mixste_loss(said, wanted, keypoint_set)
    return said, F.mse_loss(said, wanted)


def mixste_loss(said: SaidRows, truth: SaidRows, keypoint_set: KeypointSet) -> Float[Tensor, ""]:
    """Return MixSTE's loss. The published code also scales its gradient by its value; not here."""
    weights = said.new_tensor(
        [
            MIXSTE_WEIGHTS.get(joint.removeprefix("left_").removeprefix("right_"), 1.0)
            for joint in keypoint_set.names
        ]
    )
    position = (weights * (said - truth).norm(dim=-1)).mean()
    jumps, wanted = said.diff(dim=1), truth.diff(dim=1)
    smoothness = (weights * jumps.square().sum(-1)).mean()
    velocity = (jumps - wanted).norm(dim=-1).mean()
    return position + SMOOTHNESS_WEIGHT * smoothness + VELOCITY_WEIGHT * velocity


def _wanted(truth: Float[Tensor, "row frame joint 3"], said: SaidRows) -> SaidRows:
    return of_frames_said(truth, said).view_as(said)


def _mpjpe(said: SaidRows, truth: SaidRows) -> Float[Tensor, ""]:
    return torch.linalg.vector_norm(said - truth, dim=-1).mean()
