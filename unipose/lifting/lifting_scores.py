"""How good a lifter is: errors, plausibility, by action; frames are measured as protocols say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.body.keypoint_sets import H3WB_133, KeypointSet
from unipose.errors import LiftingError
from unipose.lifting.lifting_data import LiftingData, SeenFrames
from unipose.lifting.segments import segments_of
from unipose.lifting.task_net import TaskNet
from unipose.metrics import (
    auc,
    limb_symmetry_error,
    mpjpe,
    pa_mpjpe,
    pck,
    segment_length_error,
)

ROWS = 2048
"""Poses that are lifted at once."""
FIGURES = ("mpjpe_mm", "p_mpjpe_mm", "pck150", "auc", "lse", "lle", "bsle")


@dataclass(frozen=True, kw_only=True)
class LiftingProtocol:
    """What of a data set's frames is measured."""

    root: tuple[str, ...] = ("pelvis",)
    """Keypoints whose middle is laid on the truth's."""
    pck_joints: tuple[str, ...] = ()
    """Those that PCK and AUC count; none: all."""


def protocol_of(keypoint_set: KeypointSet) -> LiftingProtocol:
    """Return the usual protocol: the pelvis, or the hips' middle where the set has no pelvis."""
    if "pelvis" in keypoint_set.index:
        return LiftingProtocol()
    return LiftingProtocol(root=("left_hip", "right_hip"))


@torch.no_grad()
def lift_all(net: nn.Module, data: SeenFrames) -> Float[Tensor, "frame joint 3"]:
    """Return what a lifter says of every frame (metres), in eval mode.

    A network that says all frames of a window is given windows that do not overlap; the last one
    of a sequence ends with it.
    """
    assert isinstance(net, TaskNet)
    frames = int(net.frames)
    training = net.training
    net.eval()
    said = data.seen.new_full((*data.seen.shape[:2], 3), torch.nan)
    middles = data.middles(frames) if says_all(net) else torch.arange(len(data))
    for some in middles.split(max(1, ROWS // frames)):
        answer = net(data.seen[data.frames_of_windows(some, frames)])
        if answer.shape[1] == 1:
            said[some] = answer[:, 0]
        else:
            said[data.frames_of_windows(some, frames)] = answer
    net.train(training)
    return said


def says_all(net: nn.Module) -> bool:
    """Return whether a network says every frame that it looks at."""
    return bool(getattr(net, "says_all", False))


def pose_scores(
    said: Float[Tensor, "frame joint 3"],
    truth: Float[Tensor, "frame joint 3"],
    keypoint_set: KeypointSet,
    protocol: LiftingProtocol | None = None,
) -> dict[str, Float[Tensor, " frame"]]:
    """Return each figure of FIGURES for each frame: mm, percent of joints, percent of lengths.

    Both are laid on each other at the root. Raises LiftingError if something said is not finite.
    """
    if not bool(said.isfinite().all()):
        frame = int((~said.isfinite().all(-1).all(-1)).nonzero()[0])
        raise LiftingError(f"the lifter's answer to frame {frame} is not finite")
    protocol = protocol or protocol_of(keypoint_set)
    root = keypoint_set.indices(*protocol.root)
    said, truth = (some - some[:, root].mean(1, keepdim=True) for some in (said, truth))
    counted = keypoint_set.indices(*(protocol.pck_joints or keypoint_set.names))
    segments = segments_of(keypoint_set)
    return {
        "mpjpe_mm": 1000 * mpjpe(said, truth),
        "p_mpjpe_mm": 1000 * pa_mpjpe(said, truth),
        "pck150": 100 * pck(said[:, counted], truth[:, counted]),
        "auc": 100 * auc(said[:, counted], truth[:, counted]),
        "lse": limb_symmetry_error(said, segments.left, segments.right),
        "lle": segment_length_error(said, truth, segments.limbs),
        "bsle": segment_length_error(said, truth, segments.bones),
    }


def mean_scores(
    said: Float[Tensor, "frame joint 3"],
    data: LiftingData,
    protocol: LiftingProtocol | None = None,
) -> dict[str, float]:
    """Return the mean over the frames that a protocol measures."""
    kept = slice(None) if data.valid is None else data.valid
    scores = pose_scores(said[kept], data.truth[kept], data.keypoint_set, protocol)
    found = {name: float(value.double().mean()) for name, value in scores.items()}
    if len(data.keypoint_set) == len(H3WB_133):
        found |= part_scores(said[kept], data.truth[kept], data.keypoint_set)
    return found


def scores_by_action(
    said: Float[Tensor, "frame joint 3"],
    data: LiftingData,
    protocol: LiftingProtocol | None = None,
) -> dict[str, dict[str, float]]:
    """Return the mean of each action, and of the actions' means under "all actions".

    Papers before SEAL-Pose report the mean of actions, later code that of frames: never mix them.
    """
    kept = torch.ones(len(data), dtype=torch.bool) if data.valid is None else data.valid
    scores = pose_scores(said[kept], data.truth[kept], data.keypoint_set, protocol)
    sequence = data.sequence[kept]
    found: dict[str, dict[str, float]] = {}
    for action in sorted({name.action for name in data.names}):
        own = torch.tensor([name.action == action for name in data.names])[sequence]
        if bool(own.any()):
            found[action] = {n: float(v[own].double().mean()) for n, v in scores.items()}
    rows = list(found.values())
    return found | {"all actions": {n: sum(r[n] for r in rows) / len(rows) for n in FIGURES}}


def part_scores(
    said: Float[Tensor, "frame 133 3"], truth: Float[Tensor, "frame 133 3"], of: KeypointSet
) -> dict[str, float]:
    """Return H3WB's figures (mm): parts with the hips on the hips, and each part on its own root.

    `face_nose_mm` lies nose on nose, `hands_wrist_mm` is the mean of both hands, root on root.
    """
    off = said - truth
    off = off - off[:, of.indices("left_hip", "right_hip")].mean(1, keepdim=True)

    def error(part: Tensor) -> float:
        return 1000 * float(part.norm(dim=-1).double().mean())

    hands = [off[:, 91:112] - off[:, 91:92], off[:, 112:133] - off[:, 112:113]]
    return {
        "whole_mm": error(off),
        "body_mm": error(off[:, :23]),
        "face_mm": error(off[:, 23:91]),
        "hands_mm": error(off[:, 91:]),
        "face_nose_mm": error(off[:, 23:91] - off[:, of.indices("nose")]),
        "hands_wrist_mm": sum(error(hand) for hand in hands) / 2,
    }


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (n - 1) of the runs of one setting."""
    row = torch.tensor(list(values), dtype=torch.float64)
    return float(row.mean()), float(row.std()) if len(row) > 1 else 0.0
