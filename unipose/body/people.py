"""People in pictures: what one detector or estimator says of one person, and one over time."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from unipose.body.camera import Camera
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import PoseError

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonInImage:
    """One person in one picture; what is not known is None.

    Raises PoseError if keypoints or pose are not of one person, or if the box is turned around.
    """

    box: Box | None = None
    keypoints: Keypoints | None = None
    """One row."""
    pose: Pose | None = None
    """One pose, with betas and place in the camera's frame as far as they are known."""
    camera: Camera | None = None
    confidence: float = 1.0
    """Of the detector, for the whole person."""
    detector: str = ""
    """Which detector or estimator this comes from."""

    def __post_init__(self) -> None:
        for name in ("keypoints", "pose"):
            value = getattr(self, name)
            if value is not None and len(value) != 1:
                raise PoseError(f"expected the {name} of one person, got {len(value)}")
        if self.box is not None and not (self.box[0] <= self.box[2] and self.box[1] <= self.box[3]):
            raise PoseError(f"expected a box left, top, right, bottom, got {self.box}")


@dataclass(frozen=True, kw_only=True, eq=False)
class ImagePeople:
    """The people in one picture, or in one frame of a film."""

    image: str
    """Name or number of the picture, as the file gives it."""
    people: tuple[PersonInImage, ...] = ()
    size_px: tuple[int, int] | None = None
    """Width and height, where known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Track:
    """One person over time; frames in which they are not seen are left out.

    Raises PoseError unless there is a frame (and a time) for each person seen, and they go up.
    """

    frames: tuple[int, ...]
    """Counted from 0."""
    people: tuple[PersonInImage, ...]
    fps: float | None = None
    """The mean rate of the film."""
    seconds: tuple[float, ...] | None = None
    """When each frame is shown, from the film's start, where known."""

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.people):
            raise PoseError(f"{len(self.frames)} frames for {len(self.people)} sightings")
        if any(a >= b for a, b in zip(self.frames, self.frames[1:])):
            raise PoseError("the frames of a track have to go up")
        if self.seconds is not None:
            if len(self.seconds) != len(self.frames):
                raise PoseError(f"{len(self.seconds)} times for {len(self.frames)} sightings")
            if any(a > b for a, b in zip(self.seconds, self.seconds[1:])):
                raise PoseError("the times of a track have to go up")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def gaps(self) -> list[range]:
        """Frames between the first and the last one in which the person is not seen."""
        pairs = zip(self.frames, self.frames[1:])
        return [range(a + 1, b) for a, b in pairs if b > a + 1]

    @property
    def keypoints(self) -> Keypoints:
        """One row for each sighting; PoseError if one has none, or of another set."""
        rows = [person.keypoints for person in self.people if person.keypoints is not None]
        if not rows or len(rows) != len(self) or any(
            row.keypoint_set != rows[0].keypoint_set for row in rows
        ):  # fmt: skip
            raise PoseError("expected keypoints of one set at each sighting of the track")
        return Keypoints.stacked(rows)

    @property
    def poses(self) -> Pose:
        """One row for each sighting, without a frame rate (there may be gaps).

        Betas and translation where all have them. PoseError if a sighting has no pose, or one of
        another body.
        """
        rows = [person.pose for person in self.people if person.pose is not None]
        if not rows or len(rows) != len(self) or len({row.body for row in rows}) > 1:
            raise PoseError("expected a pose of one body at each sighting of the track")
        betas = [row.betas for row in rows if row.betas is not None]
        places = [row.translation for row in rows if row.translation is not None]
        return Pose(
            rotations=torch.cat([row.rotations for row in rows]),
            betas=torch.cat(betas) if len(betas) == len(rows) else None,
            translation=torch.cat(places) if len(places) == len(rows) else None,
            body=rows[0].body,
        )
