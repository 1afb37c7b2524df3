"""All people in a photograph with their keypoints: three networks, one after the other.

NanoDet says who is there, MoveNet where COCO's 17 keypoints of each are, and BlazePose, whose
square is turned with the body that MoveNet found, adds hands, feet and a third dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, PersonInImage
from unipose.vision.blazepose import CIRCLE_SCALE, BlazePose, BodyLandmarks
from unipose.vision.movenet import MoveNet
from unipose.vision.nanodet import NanoDet
from unipose.vision.turned_square import Pixels, TurnedSquare

BOX_SCALE = 1.1
"""Of the square that MoveNet looks at, to the box's longer side."""
LEAST_SCORE = 0.2
"""From which a keypoint counts as seen (MoveNet's own examples use 0.2 to 0.3)."""
HEAD_ROOM = 1.15
"""The circle around the body to the furthest keypoint: a head goes on above its nose."""
_SHOULDERS, _HIPS = (
    COCO_17.indices(f"left_{part}", f"right_{part}") for part in ("shoulder", "hip")
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetectedPerson:
    """What the networks say of one person."""

    person: PersonInImage
    """Box, COCO's 17 keypoints with scores, and confidence (0 to 1)."""
    landmarks: BodyLandmarks

    @property
    def body(self) -> Keypoints:
        """COCO's 17 keypoints: one row of pixels, with scores."""
        assert self.person.keypoints is not None
        return self.person.keypoints


class KeypointDetector:
    """The three networks. About 60 ms a picture and 90 ms a person on one core."""

    def __init__(self) -> None:
        """Open the networks. Raises MissingFileError or WeightsError that say how to get them."""
        self._people, self._keypoints, self._landmarks = NanoDet(), MoveNet(), BlazePose()

    def find(
        self, pixels: Pixels, boxes: Sequence[Box] | None = None, *, least: float = 0.3
    ) -> list[DetectedPerson]:
        """Return the people in a picture (RGB), the surest first; or one for each of `boxes`.

        `least` is how sure the detector of people has to be (0 to 1); boxes are left, top, right,
        bottom in pixels, and each gets its person, whatever is in it.
        """
        if boxes is not None:
            return [
                self.look(pixels, PersonInImage(box=box, detector="box given")) for box in boxes
            ]
        found = [self.look(pixels, one) for one in self._people.find(pixels, least=least)]
        return found

    def look(self, pixels: Pixels, person: PersonInImage) -> DetectedPerson:
        """Return the person in a box with keypoints and landmarks."""
        assert person.box is not None
        body = self._keypoints.look(pixels, TurnedSquare.around_box(person.box, scale=BOX_SCALE))
        return DetectedPerson(
            person=replace(person, keypoints=body),
            landmarks=self._landmarks.look(pixels, body_square(body)),
        )


def body_square(body: Keypoints) -> TurnedSquare:
    """Return the square for BlazePose around one person's 17 keypoints."""
    points = body.points[0].numpy()
    seen = (body.scores[0] >= LEAST_SCORE).numpy()
    hips, shoulders = points[_HIPS].mean(axis=0), points[_SHOULDERS].mean(axis=0)
    away = points[seen] if seen.any() else points
    radius = HEAD_ROOM * float(np.linalg.norm(away - hips, axis=1).max())
    up = shoulders - hips
    length = float(np.linalg.norm(up))
    up = up / length if length > 0 else np.array([0.0, -1.0])
    top = (hips + radius * up).astype(np.float32)
    return TurnedSquare.around_circle(hips, top, scale=CIRCLE_SCALE)
