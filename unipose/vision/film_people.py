"""Everybody in a film, frame by frame: looked for now and then, and followed in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from unipose.body.people import PersonInImage
from unipose.files.film import FilmFrame
from unipose.vision.keypoint_detector import KeypointDetector

LOOK_EVERY_S = 0.4
"""How often the whole frame is searched; in between, people are where their keypoints were."""


def bodies_in_frames(
    frames: Iterable[FilmFrame],
    detector: KeypointDetector,
    *,
    look_every_s: float = LOOK_EVERY_S,
) -> Iterator[tuple[FilmFrame, list[PersonInImage]]]:
    """Give each frame with the people in it: box, COCO's keypoints and confidence.

    The whole frame is searched every `look_every_s` seconds and whenever somebody is gone; somebody
    new appears with the next search. 0 searches every frame. Whom a search misses is followed on
    for a few searches, as long as their keypoints are seen.
    """
    people: list[PersonInImage] = []
    searched_s = float("-inf")
    for frame in frames:
        due = not people or frame.seconds - searched_s >= look_every_s
        found = [] if due else detector.follow(frame.pixels, people)
        if due or len(found) < len(people):
            found, searched_s = detector.bodies(frame.pixels, people), frame.seconds
        people = found
        yield frame, people
