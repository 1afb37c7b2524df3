"""What every reader of a source yields and every builder takes: people, and pairs of people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.errors import PoseError, SkeletonError


@dataclass(frozen=True, kw_only=True, eq=False)
class Keypoints:
    """Named landmarks of one person.

    Raises PoseError if names, points and visibility do not fit each other.
    """

    names: tuple[str, ...]
    points: Float[np.ndarray, "keypoint axis"]
    """2D: pixels, x right, y down. 3D: metres, y up, in the world of the record's camera; where the
    source knows no world, x to the picture's right and z towards the viewer: what a person who
    faces the camera has to its left and its front."""
    visible: Float[np.ndarray, " keypoint"]
    """1 seen (or not known to be hidden), 0.5 known but hidden or outside of the picture, 0 not
    labelled (the point is NaN)."""

    def __post_init__(self) -> None:
        if self.points.ndim != 2 or self.points.shape[1] not in (2, 3):
            raise PoseError(f"expected points (keypoint, 2 or 3), got {self.points.shape}")
        if not len(self.names) == len(self.points) == len(self.visible):
            raise PoseError(
                f"{len(self.names)} names, {len(self.points)} points and {len(self.visible)} marks "
                "of visibility; expected as many of each"
            )
        if not np.array_equal(np.isnan(self.points).any(axis=1), self.visible == 0):
            raise PoseError("a point must be NaN exactly where it is not labelled (visible is 0)")

    def point(self, name: str) -> Float[np.ndarray, " axis"]:
        """Return one landmark; NaN if it is not labelled, SkeletonError if there is no such."""
        if name not in self.names:
            raise SkeletonError(f"no keypoint {name!r}; there are {', '.join(self.names)}")
        return self.points[self.names.index(name)]


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
    orientation: int = 1
    """How the stored picture is turned to be the one that was annotated: EXIF's number, 1 as it is
    stored, 6 by a quarter clockwise, 3 by half, 8 by a quarter anticlockwise."""
    box: tuple[float, float, float, float] | None = None
    """Pixels: left, top, right, bottom of the person."""
    camera: Camera | None = None
    keypoints_2d: Keypoints | None = None
    keypoints_3d: Keypoints | None = None
    label: str = ""
    """What the source calls the action."""
    texts: tuple[str, ...] = ()
    """Descriptions that people wrote (or a source's automatic ones, when they were asked for)."""
    other: dict[str, str | float | int] = field(default_factory=dict)
    """Small extras by name: subject, frame, gender ..."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordPair:
    """Two people, and how the first must move to become the second."""

    key: str
    source: str
    split: str
    first: Record
    second: Record
    texts: tuple[str, ...] = ()
    """Instructions that people wrote."""
    same_world: bool = False
    """Both are of one recording, so that a turn of the whole body between them means something."""


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """A record that was left out."""

    key: str
    reason: str
    """What was expected, what came."""
