"""People in pictures: what one detector or estimator says of one person, and one over time."""

from __future__ import annotations

from dataclasses import dataclass

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

    Raises PoseError unless there is a frame for each person seen and frames go up.
    """

    frames: tuple[int, ...]
    """Counted from 0."""
    people: tuple[PersonInImage, ...]
    fps: float | None = None

    def __post_init__(self) -> None:
        if len(self.frames) != len(self.people):
            raise PoseError(f"{len(self.frames)} frames for {len(self.people)} sightings")
        if any(a >= b for a, b in zip(self.frames, self.frames[1:])):
            raise PoseError("the frames of a track have to go up")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def gaps(self) -> list[range]:
        """Frames between the first and the last one in which the person is not seen."""
        pairs = zip(self.frames, self.frames[1:])
        return [range(a + 1, b) for a, b in pairs if b > a + 1]
