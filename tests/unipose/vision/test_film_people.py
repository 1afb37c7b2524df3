"""People in the frames of a film: whom the detector of people misses for a moment stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tests.fakes.walkers import person, walker_points
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage
from unipose.files.film import FilmFrame
from unipose.vision.film_people import bodies_in_frames
from unipose.vision.keypoint_detector import KeypointDetector
from unipose.vision.turned_square import Pixels, TurnedSquare

FPS = 8.0
"""A search comes every four frames: times are exact."""


class OneWalker(KeypointDetector):
    """Its detector of people misses the one person in some frames; keypoints are always seen."""

    def __init__(self, missed: range, *, doubled: bool = False) -> None:
        """Open nothing. `doubled`: keypoints of the same person are elsewhere in a found box."""
        self._people = self._keypoints = self  # type: ignore[assignment]
        self._pool = ThreadPoolExecutor(1)
        self.missed, self.doubled = missed, doubled

    def find(self, pixels: Pixels, boxes: object = None) -> list[PersonInImage]:  # type: ignore[override]
        number = int(pixels[0, 0, 0])
        walker = person(walker_points(200.0 + number, phase=0.0), confidence=0.8)
        return [] if number in self.missed else [walker]

    def look(self, pixels: Pixels, square: TurnedSquare) -> Keypoints:
        number = int(pixels[0, 0, 0])
        aside = 30.0 if self.doubled and number % 4 == 0 else 0.0
        return Keypoints.of(COCO_17, walker_points(200.0 + number + aside, phase=0.0)[None])


def shown(detector: KeypointDetector, frames: int) -> list[list[float]]:
    """Return the confidence of everybody in each frame."""
    film = [
        FilmFrame(number=n, seconds=n / FPS, pixels=np.full((480, 480, 3), n, dtype=np.uint8))
        for n in range(frames)
    ]
    return [
        [round(one.confidence, 2) for one in people]
        for _, people in bodies_in_frames(film, detector)
    ]


def test_whom_a_search_misses_is_followed_by_their_keypoints():
    assert shown(OneWalker(range(3, 8)), 12) == [[0.8]] * 4 + [[0.4]] * 4 + [[0.8]] * 4


def test_whom_every_search_misses_is_followed_less_and_less_surely_until_they_are_gone():
    seen = shown(OneWalker(range(1, 99)), 24)
    assert [row[0] if row else 0.0 for row in seen[::4]] == [0.8, 0.4, 0.2, 0.1, 0.0, 0.0]


def test_one_person_with_keypoints_that_jump_is_not_two():
    assert shown(OneWalker(range(0), doubled=True), 12) == [[0.8]] * 12
