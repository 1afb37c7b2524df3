"""What every reader of a source yields and every builder takes: one person, in a picture or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.body.camera import Camera
from unipose.body.pose import Pose


@dataclass(frozen=True, kw_only=True, eq=False)
class Keypoints:
    """Named landmarks of one person."""

    names: tuple[str, ...]
    points: Float[np.ndarray, "keypoint axis"]
    """2D: pixels, x right, y down. 3D: metres, body frame (x left, y up, z front)."""
    visible: Float[np.ndarray, " keypoint"]
    """1 seen, 0.5 labelled but hidden, 0 not labelled (the point is NaN)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """One person as one source knows them; what the source does not know is None or empty."""

    key: str
    """Unique over all sources and stable over runs: "amass/CMU/01/01_01_poses.npz:120"."""
    source: str
    split: str
    """train, val or test."""
    pose: Pose | None = None
    """A batch of one."""
    image: Path | None = None
    box: tuple[float, float, float, float] | None = None
    """Pixels: left, top, right, bottom of the person."""
    camera: Camera | None = None
    keypoints_2d: Keypoints | None = None
    keypoints_3d: Keypoints | None = None
    label: str = ""
    """What the source calls the action."""
    texts: tuple[str, ...] = ()
    """Descriptions that people wrote."""
    other: dict[str, str | float | int] = field(default_factory=dict)
    """Small extras by name: subject, frame, licence ..."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A record that was left out."""

    key: str
    reason: str
    """What was expected, what came."""
