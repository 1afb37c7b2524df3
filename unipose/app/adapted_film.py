"""What `unipose adapt` saw and found, in files: keypoints, bodies before and after, laid over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unipose.adaptation.segments import FilmSegment
from unipose.body.body import Body
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.files.film import FOLDER_FPS, FilmReader
from unipose.files.film_writer import film_writer
from unipose.files.keypoint_writing import write_people
from unipose.render.drawing import side_by_side
from unipose.render.overlay import draw_bodies

Progress = Callable[[Iterable[Any], int | None, str], Iterable[Any]]


@dataclass(frozen=True, kw_only=True, eq=False)
class FollowedPerson:
    """One person of a film: a box in each frame from the first to the last sighting."""

    number: int
    """From 1, in the order in which they appear."""
    first: int
    """The film's frame."""
    boxes: tuple[Box, ...]
    keypoints: Keypoints

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, kw_only=True, eq=False)
class AdaptedPerson:
    """One person's bodies in the film's picture, a row a frame from the first sighting."""

    person: FollowedPerson
    before: Sequence[PersonInImage]
    after: Sequence[PersonInImage]
    segments: Sequence[FilmSegment]

    def action_at(self, frame: int) -> str:
        """Return what the person is said to do in a frame of the film; "" for nothing."""
        row = frame - self.person.first
        return next((one.label for one in self.segments if one.start <= row < one.end), "")


def write_followed(people: Sequence[FollowedPerson], out: Path) -> Path:
    """Write the keypoints that people were followed by, a picture a frame from the film's first.

    The file can be corrected and given to `--keypoints`.
    """
    frames = max(one.first + len(one) for one in people)
    rows: list[list[PersonInImage]] = [[] for _ in range(frames)]
    for one in people:
        for row, box in enumerate(one.boxes):
            seen = one.keypoints[row]
            if bool(seen.present.any()):
                rows[one.first + row].append(PersonInImage(box=box, keypoints=seen))
    images = [ImagePeople(image=str(i), people=tuple(row)) for i, row in enumerate(rows)]
    return write_people(images, out)


def draw_before_and_after(
    film: FilmReader, people: Sequence[AdaptedPerson], out: Path, body: Body, progress: Progress
) -> None:
    """Write the film twice beside each other: bodies before on the left, after on the right."""
    with film_writer(out, fps=film.fps or FOLDER_FPS) as writer:
        for frame in progress(film.frames(), film.count, "drawing"):
            halves = [
                draw_bodies(frame.pixels, _there(people, frame.number, when), body)
                for when in ("before", "after")
            ]
            writer.add(np.concatenate(halves, axis=1), seconds=frame.seconds)


def draw_adapted(
    film: FilmReader, people: Sequence[AdaptedPerson], out: Path, body: Body, progress: Progress
) -> None:
    """Write the film with the adapted bodies over it, and above it what everybody does."""
    with film_writer(out, fps=film.fps or FOLDER_FPS) as writer:
        for frame in progress(film.frames(), film.count, "drawing"):
            drawn = draw_bodies(frame.pixels, _there(people, frame.number, "after"), body)
            said = [
                f"person {one.person.number}: {action}"
                for one in people
                if (action := one.action_at(frame.number))
            ]
            writer.add(side_by_side([drawn], ["   ".join(said)]), seconds=frame.seconds)


def actions_of(segments: Sequence[FilmSegment], first: int, fps: float) -> list[Mapping[str, Any]]:
    """Return what somebody does, in seconds of the film; pieces without a label are left out."""
    return [
        {"start_s": (first + one.start) / fps, "end_s": (first + one.end) / fps,
         "action": one.label, "used": one.used}
        for one in segments if one.label
    ]  # fmt: skip


def _there(people: Sequence[AdaptedPerson], frame: int, when: str) -> list[PersonInImage]:
    found = []
    for one in people:
        rows: Sequence[PersonInImage] = getattr(one, when)
        if 0 <= (row := frame - one.person.first) < len(rows):
            found.append(rows[row])
    return found
