"""A few poses set by hand, so that a conversation can start without a file."""

from __future__ import annotations

import math

import torch

from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL

_Joints = dict[str, tuple[float, float, float]]

_HANGING: _Joints = {"left_shoulder": (0, 0, -72), "right_shoulder": (0, 0, 72)}

# Degrees about the joint's x (to the left), y (up) and z (to the front) axes, from the T-pose.
EXAMPLES: dict[str, _Joints] = {
    "stand": _HANGING,
    "wave": _HANGING
    | {
        "right_shoulder": (0, 0, 5),
        "right_elbow": (0, 0, -95),
        "left_elbow": (0, -15, 0),
        "head": (0, 0, -8),
    },
    "squat": {
        "pelvis": (20, 0, 0),
        "left_hip": (-105, 0, 12),
        "right_hip": (-105, 0, -12),
        "left_knee": (110, 0, 0),
        "right_knee": (110, 0, 0),
        "left_ankle": (-25, 0, 0),
        "right_ankle": (-25, 0, 0),
        "spine2": (8, 0, 0),
        "left_shoulder": (0, -80, 0),
        "right_shoulder": (0, 80, 0),
    },
    "sit": _HANGING
    | {
        "left_hip": (-88, 0, 4),
        "right_hip": (-88, 0, -4),
        "left_knee": (88, 0, 0),
        "right_knee": (88, 0, 0),
        "left_elbow": (0, -60, 0),
        "right_elbow": (0, 60, 0),
    },
    "step": {
        "left_hip": (-32, 0, 2),
        "left_knee": (14, 0, 0),
        "right_hip": (22, 0, -2),
        "right_knee": (24, 0, 0),
        "right_ankle": (12, 0, 0),
        "left_shoulder": (28, 0, -70),
        "right_shoulder": (-28, 0, 70),
        "left_elbow": (0, -25, 0),
        "right_elbow": (0, 35, 0),
    },
    "reach": {
        "left_shoulder": (0, 0, 78),
        "right_shoulder": (0, 0, 72),
        "left_collar": (0, 0, 14),
        "spine2": (0, 0, -8),
        "head": (-18, 0, 0),
    },
    "balance": {
        "left_hip": (-62, 0, 24),
        "left_knee": (104, 0, 0),
        "left_shoulder": (0, 0, 6),
        "right_shoulder": (0, 0, -6),
    },
}
"""Name of each example pose and the joints that leave the T-pose."""


def example_pose(name: str) -> Pose:
    """Return the example pose of this name (a batch of one); the name must be in EXAMPLES."""
    degrees = torch.zeros(1, len(SMPL.joints), 3)
    for joint, angles in EXAMPLES[name].items():
        degrees[0, SMPL.index[joint]] = torch.tensor(angles, dtype=torch.float32)
    return Pose.from_axis_angle(degrees * (math.pi / 180))
