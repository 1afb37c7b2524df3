"""All sources by name, and how to ask for one: `NAME=FOLDER`, with options after a `?`.

amass=/data/AMASS                       everything, 10 poses per second
amass=/data/AMASS?fps=2&only=CMU/*      less of it
posescript=/data/posescript?amass=/data/AMASS&split=train
mocap=/data/dance?name=dance            under a name of its own: to have a source twice
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from data_builders.readers import (
    amass,
    babel,
    bedlam,
    coco,
    egobody,
    h3wb,
    human36m,
    moyo,
    mpi_inf_3dhp,
    mpii,
    pose_files,
    posefix,
    posescript,
    recordings,
    threedpw,
)
from data_builders.readers.fits import HOME
from data_builders.readers.source import Drops, Source, SourceOptions, parse_choice, renamed
from data_builders.records import Record, RecordPair
from unipose.errors import ConfigError, EmptySourceError

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        recordings.SOURCE,
        pose_files.SOURCE,
        amass.SOURCE,
        moyo.SOURCE,
        babel.SOURCE,
        posescript.SOURCE,
        posefix.SOURCE,
        human36m.SOURCE,
        mpi_inf_3dhp.SOURCE,
        h3wb.SOURCE,
        threedpw.SOURCE,
        bedlam.SOURCE,
        egobody.SOURCE,
        coco.SOURCE,
        coco.WHOLEBODY,
        coco.CROWDPOSE,
        coco.UBODY,
        mpii.SOURCE,
    )
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A source that was asked for, where it lies, and what is wanted of it."""

    source: Source
    folder: Path
    choice: SourceOptions
    name: str = ""
    """What its records are called after; empty: the source's own name."""

    @property
    def called(self) -> str:
        """Return the name with which the keys of its records begin."""
        return self.name or self.source.name

    def read(self, drops: Drops) -> Iterator[Record | RecordPair]:
        """Yield the records lazily; what is left out is noted in `drops`.

        Raises SourceError at once if a file is missing; while reading, if the file that lists the
        records is damaged; EmptySourceError at the end if there was no record that can be used, or
        fits were asked for and not one was of these people.
        """
        self.source.check(self.folder)
        return self._checked(drops)

    def _checked(self, drops: Drops) -> Iterator[Record | RecordPair]:
        before, found, posed = len(drops), 0, 0
        own = drops.under(self.source.name, self.called)
        for record in self.source.read(self.folder, self.choice, own):
            found += 1
            posed += isinstance(record, RecordPair) or record.pose is not None
            yield _named(record, self)
        if not found:
            left_out = Drops(dropped=drops.dropped[before:])
            raise EmptySourceError(
                self.folder,
                f"{self.called} gave no usable record (asked for {self.choice}).",
                left_out.summary(),
            )
        if self.choice.fits is not None and not posed:
            raise EmptySourceError(
                self.folder,
                f"not one of the {found} records has a pose: {self.choice.fits} holds no fit of"
                " these people.",
                f"Is it of another data set, or only of its training split? See {HOME}.",
            )


def _named(record: Record | RecordPair, request: Request) -> Record | RecordPair:
    """Return a record under the name that its source was asked for by."""
    if request.called == request.source.name:
        return record
    key = renamed(record.key, request.source.name, request.called)
    if isinstance(record, Record):
        return replace(record, key=key, source=request.called)
    first, second = (
        replace(
            one, key=renamed(one.key, request.source.name, request.called), source=request.called
        )
        for one in (record.first, record.second)
    )
    return replace(record, key=key, source=request.called, first=first, second=second)


def split_request(text: str, names: Collection[str]) -> tuple[str, Path, dict[str, str]]:
    """Return name, folder and options of `NAME=FOLDER?option=value&...`.

    Raises ConfigError for what is not written so, and for a name that is none of `names`.
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise ConfigError(f"expected NAME=FOLDER, got {text!r}; names: {', '.join(names)}")
    if name not in names:
        raise ConfigError(f"no source is called {name!r}; there are {', '.join(names)}")
    folder, _, tail = rest.partition("?")
    options = {}
    for option in filter(None, tail.split("&")):
        key, equals, value = option.partition("=")
        if not equals:
            raise ConfigError(f"expected option=value after the ?, got {option!r}")
        options[key] = value
    return name, Path(folder), options


def parse_request(text: str) -> Request:
    """Return the request that `NAME=FOLDER` or `NAME=FOLDER?option=value&...` makes.

    Raises ConfigError for an unknown source or option.
    """
    return request_of(*split_request(text, SOURCES))


def request_of(name: str, folder: Path, options: dict[str, str]) -> Request:
    """Return the request for a source with its options; see `parse_request`."""
    options = dict(options)
    called = options.pop("name", name)
    if not re.fullmatch(r"\w[\w.-]*", called) or (called in SOURCES and called != name):
        raise ConfigError(
            f"name must be a word of letters, digits, _, - and . that is no other source's, "
            f"got {called!r}"
        )
    source = SOURCES[name]
    choice = parse_choice(options, source)
    return Request(source=source, folder=folder, choice=choice, name=called)


def open_source(text: str, drops: Drops) -> Iterator[Record | RecordPair]:
    """Yield the records that `NAME=FOLDER?...` asks for; see `parse_request` and `Request.read`."""
    return parse_request(text).read(drops)


def open_sources(texts: Sequence[str], drops: Drops) -> Iterator[Record | RecordPair]:
    """Yield the records of several requests, one after the other, no key twice.

    A source may be asked for several times with different options; a record that an earlier request
    gave is left out of the later ones, with a reason. Raises ConfigError at once if two folders
    would share a name, and what `parse_request` and `Request.read` raise.
    """
    requests = [parse_request(text) for text in texts]
    folders: dict[str, Path] = {}
    for request in requests:
        if folders.setdefault(request.called, request.folder) != request.folder:
            raise ConfigError(
                f"{folders[request.called]} and {request.folder} would both be called "
                f"{request.called!r}; give one a name of its own: "
                f"{request.source.name}={request.folder}?name=WORD"
            )
    return _without_repeats(requests, [request.read(drops) for request in requests], drops)


def _without_repeats(
    requests: list[Request], streams: list[Iterator[Record | RecordPair]], drops: Drops
) -> Iterator[Record | RecordPair]:
    asked = Counter(request.called for request in requests)
    seen: set[str] = set()
    for request, records in zip(requests, streams, strict=True):
        for record in records:
            if asked[request.called] > 1:  # one request repeats nothing: no need to remember
                if record.key in seen:
                    drops.add(record.key, f"came already, asked for as {request.called} before")
                    continue
                seen.add(record.key)
            yield record
