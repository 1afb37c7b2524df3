"""Pose, skeletons and the bodies that poses move."""

from __future__ import annotations

from unipose.body.body import Body, BodyMesh, load_body
from unipose.body.pose import OPEN_BODY, Pose, rotations_from_6d, rotations_to_6d
from unipose.body.skeletons import POSED_JOINTS, SMPL, Skeleton

__all__ = [
    "OPEN_BODY",
    "POSED_JOINTS",
    "SMPL",
    "Body",
    "BodyMesh",
    "Pose",
    "Skeleton",
    "load_body",
    "rotations_from_6d",
    "rotations_to_6d",
]
