"""What every reader of a source yields and every builder takes: people, and pairs of people."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from unipose.body.camera import Camera
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose


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
    """One row; what the source has not labelled is missing. Its scores are 1 for a keypoint that
    is seen or not known to be hidden, 0.5 for a hidden one or one outside of the picture."""
    detected_2d: Keypoints | None = None
    """What a detector found in the picture, with its own scores, where the source has it."""
    keypoints_3d: Keypoints | None = None
    """One row; metres, y up, in the world of the record's camera; where the source knows no world,
    x to the picture's right and z towards the viewer: what a person who faces the camera has to its
    left and its front."""
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
