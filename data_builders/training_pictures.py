"""Pictures that training draws from: sources with pictures, each with its share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from data_builders.built_pictures import BuiltPictures, check_built
from data_builders.image_talk import PictureSource
from data_builders.labelled_pictures import LabelledPictures, labelled_people
from data_builders.picture_pool import Look
from data_builders.readers.source import Drops
from data_builders.training_sources import TrainingSource
from unipose.errors import ConfigError, EmptySourceError, MissingFileError

OpenPictures = Callable[[Look], PictureSource]
"""Sources are read before there is a model; its eyes come later."""


def read_pictures(
    sources: Sequence[TrainingSource], drops: Drops, *, split: str = "train", kept: int
) -> list[tuple[float, OpenPictures]]:
    """Return the share of each source and what opens it; at most `kept` of its pictures stay.

    Only in the training split has every source to have something. Raises EmptySourceError or
    MissingFileError for one that has nothing, ConfigError for one without pictures.
    """
    found: list[tuple[float, OpenPictures]] = []
    for source in sources:
        try:
            found.append((source.share, _read(source, split, kept, drops)))
        except (EmptySourceError, MissingFileError):
            if split == "train":
                raise
    return found


def _read(source: TrainingSource, split: str, kept: int, drops: Drops) -> OpenPictures:
    if not source.pictured:
        raise ConfigError(f"{source.name} has no pictures to learn from")
    if source.request is None:
        check_built(source.folder, split, refined=source.refined)
        return partial(
            BuiltPictures.read, source.folder, split=split, refined=source.refined, kept=kept
        )
    people = labelled_people(source.read(split, drops), drops)
    if not people:
        raise EmptySourceError(
            source.folder,
            f"{source.name} shows nobody of the split {split!r} whose pose and camera are known.",
            drops.summary(),
        )
    return lambda look: LabelledPictures(people=people, look=look, kept=kept)
