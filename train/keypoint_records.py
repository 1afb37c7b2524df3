"""People of public data sets to learn keypoints from: pictures are opened when drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int

from data_builders.readers.registry import open_sources
from data_builders.readers.source import Drops
from data_builders.records import Record
from train.keypoint_batches import PersonSample
from unipose.body.keypoint_sets import KeypointSet
from unipose.body.people import Box
from unipose.errors import ConfigError, FileError
from unipose.files.photo import open_photo

HIDDEN_SCORE = 0.75
"""Scores of marked keypoints are 1 where they are seen and 0.5 where they are hidden."""
BODY = 17


@dataclass(frozen=True, kw_only=True)
class RecordedPerson:
    """Where one person is to be found, and what is marked of them."""

    image: Path
    box: Box
    points: np.ndarray
    marks: np.ndarray


@dataclass(frozen=True)
class RecordedPeople:
    """All people of some sources that keypoints are marked of."""

    people: list[RecordedPerson]

    def __len__(self) -> int:
        return len(self.people)

    @classmethod
    def read(cls, sources: Sequence[str], keypoint_set: KeypointSet) -> RecordedPeople:
        """Read the train split of sources (`NAME=FOLDER?options`).

        As published: people without a labelled keypoint of the body are left out. Raises
        ConfigError if nobody is left, and what the sources raise.
        """
        drops, people = Drops(), []
        for record in open_sources(sources, drops):
            if isinstance(record, Record) and record.split == "train":
                person = _person(record, keypoint_set)
                people += [] if person is None else [person]
        if drops.dropped:
            print(f"note: {drops.summary()}", file=sys.stderr)
        if not people:
            raise ConfigError(
                f"nobody in {', '.join(sources)} has a picture, a box and keypoints of "
                f"{keypoint_set.name} in the train split"
            )
        return cls(people)

    def samples(self, numbers: Int[np.ndarray, " person"]) -> list[PersonSample]:
        """Return these people with their pictures; a broken one is replaced by the next person."""
        found = []
        for number in numbers.tolist():
            for step in range(len(self.people)):
                person = self.people[(number + step) % len(self.people)]
                try:
                    pixels = open_photo(person.image)
                except FileError as error:
                    print(f"note: {error}", file=sys.stderr)
                    continue
                found.append(
                    PersonSample(
                        pixels=pixels, points=person.points, marks=person.marks, box=person.box
                    )
                )
                break
            else:
                raise ConfigError("not one picture of the sources can be read")
        return found


def _person(record: Record, keypoint_set: KeypointSet) -> RecordedPerson | None:
    """Return one person; None without picture, box or a labelled keypoint of the body."""
    if record.image is None or record.box is None or record.keypoints_2d is None:
        return None
    keypoints = record.keypoints_2d.mapped_to(keypoint_set, ways={})
    marks = np.where(keypoints.scores[0].numpy() > HIDDEN_SCORE, 2, 1)
    marks = np.where(keypoints.present[0].numpy(), marks, 0)
    if not (marks[: min(BODY, len(keypoint_set))] > 0).any():
        return None
    return RecordedPerson(
        image=record.image,
        box=record.box,
        points=keypoints.points[0].numpy().astype(np.float32),
        marks=marks.astype(np.int8),
    )
