"""What a build consists of: sources, groups of pictures, and where each step keeps its files.

The number of tasks follows from what is asked for alone, so that any number of workers, here or on
a cluster, makes the same files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path

from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.schema import SPLITS
from data_builders.readers.registry import SOURCES, Request, parse_request
from unipose.errors import ConfigError

STUDIO = "studio"
SCENES_PER_TASK = 500


@dataclass(frozen=True, kw_only=True)
class StudioRequest:
    """The studio, and the recorded poses that it shows."""

    folder: Path
    poses: str = "mocap"
    """The source that the poses are read as."""


@dataclass(frozen=True, kw_only=True)
class PictureGroup:
    """Pictures of one source and split; they are chosen among each other."""

    source: str
    split: str
    count: int
    """Pictures asked for."""

    @property
    def name(self) -> str:
        """As in the names of files."""
        return f"{self.source}.{self.split}"


@dataclass(frozen=True, kw_only=True)
class SurveyTask:
    """One file of candidates: a whole source as asked for, or some scenes of the studio."""

    request: int
    split: str = ""
    """Of the studio's scenes."""
    scenes: range = range(0)


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Some of a group's pictures, by their place in the order of choice."""

    group: PictureGroup
    start: int
    stop: int


class Plan:
    """A configuration thought through: the same in every process."""

    def __init__(self, config: BuildConfig) -> None:
        """Raise ConfigError if a source is unknown or nothing is asked of it."""
        self.config = config
        self.work = config.out / ".work"
        self.requests = tuple(_parse(text) for text in config.source)
        self.groups = _groups(config, self.requests)

    @cached_property
    def surveys(self) -> tuple[SurveyTask, ...]:
        """All files of candidates."""
        found = []
        for i, request in enumerate(self.requests):
            if isinstance(request, Request):
                found.append(SurveyTask(request=i))
                continue
            for group in self.groups_of(i):
                scenes = ceil(group.count * self.config.pool)
                found += [
                    SurveyTask(
                        request=i,
                        split=group.split,
                        scenes=range(at, min(at + SCENES_PER_TASK, scenes)),
                    )
                    for at in range(0, scenes, SCENES_PER_TASK)
                ]
        return tuple(found)

    def groups_of(self, request: int) -> list[PictureGroup]:
        """Return the groups that a request gives pictures to."""
        name = name_of(self.requests[request])
        return [group for group in self.groups if group.source == name]

    def surveys_of(self, group: PictureGroup) -> list[int]:
        """Return the positions of the candidates' files of a group."""
        return [
            i
            for i, task in enumerate(self.surveys)
            if group in self.groups_of(task.request) and task.split in ("", group.split)
        ]

    def asked(self, group: PictureGroup) -> int:
        """Return how many pictures are chosen, those that stand in for others included."""
        return ceil(group.count * (1 + self.config.spare))

    @cached_property
    def photographs(self) -> tuple[Slice, ...]:
        """The pictures to be made, a slice per task."""
        return tuple(
            Slice(group=group, start=at, stop=at + self.config.chunk)
            for group in self.groups
            for at in range(0, self.asked(group), self.config.chunk)
        )

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that something is asked of."""
        return tuple(s for s in SPLITS if any(group.split == s for group in self.groups))

    @cached_property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Split and number of each file of rows that may be needed."""
        rows = self.config.rows_per_file
        return tuple(
            (split, number)
            for split in self.splits
            for number in range(ceil(sum(g.count for g in self.groups if g.split == split) / rows))
        )


def name_of(request: Request | StudioRequest) -> str:
    """Return the name of the source that a request asks."""
    return STUDIO if isinstance(request, StudioRequest) else request.called


def _parse(text: str) -> Request | StudioRequest:
    if text.partition("=")[0] != STUDIO:
        request = parse_request(text)
        if request.called == STUDIO:
            raise ConfigError(f"{STUDIO} is the name of our own studio; give {text!r} another one")
        return request
    folder, _, tail = text.partition("=")[2].partition("?")
    poses = tail.removeprefix("poses=") if tail else "mocap"
    if not folder or (tail and not tail.startswith("poses=")) or poses not in SOURCES:
        raise ConfigError(f"expected studio=FOLDER or studio=FOLDER?poses=amass, got {text!r}")
    return StudioRequest(folder=Path(folder), poses=poses)


def _groups(
    config: BuildConfig, requests: tuple[Request | StudioRequest, ...]
) -> tuple[PictureGroup, ...]:
    groups, asked = [], config.counted()
    for name in dict.fromkeys(name_of(request) for request in requests):
        counts = {split: asked.get(f"{name}.{split}", 0) for split in SPLITS}
        if not any(counts.values()):
            raise ConfigError(
                f"nothing is asked of {name}: give --counts {name}.train=1000 (and .val, .test)"
            )
        groups += [
            PictureGroup(source=name, split=split, count=count)
            for split, count in counts.items()
            if count
        ]
    if sum(isinstance(request, StudioRequest) for request in requests) > 1:
        raise ConfigError("there is one studio; name its folder of poses once")
    return tuple(groups)
