"""All sources by name, and how to ask for one: `NAME=FOLDER`, with options after a `?`.

amass=/data/AMASS                       everything, 10 poses per second
amass=/data/AMASS?fps=2&only=CMU/*      less of it
posescript=/data/posescript?amass=/data/AMASS&split=train
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from data_builders.readers import (
    amass,
    babel,
    bedlam,
    coco,
    h3wb,
    human36m,
    moyo,
    mpi_inf_3dhp,
    mpii,
    posefix,
    posescript,
    recordings,
    threedpw,
)
from data_builders.readers.fits import HOME
from data_builders.readers.source import Choice, Drops, Source, parse_choice
from data_builders.records import Record, RecordPair
from unipose.errors import ConfigError, EmptySourceError

SOURCES: dict[str, Source] = {
    source.name: source
    for source in (
        recordings.SOURCE,
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
        coco.SOURCE,
        coco.WHOLEBODY,
        mpii.SOURCE,
    )
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """A source that was asked for, where it lies, and what is wanted of it."""

    source: Source
    folder: Path
    choice: Choice

    def read(self, drops: Drops) -> Iterator[Record | RecordPair]:
        """Yield the records lazily; what is left out is noted in `drops`.

        Raises SourceError at once if a file is missing; while reading, if the file that lists the
        records is damaged; EmptySourceError at the end if there was no record that can be used.
        """
        self.source.check(self.folder)
        return self._checked(drops)

    def _checked(self, drops: Drops) -> Iterator[Record | RecordPair]:
        before, found, posed = len(drops), 0, 0
        for record in self.source.read(self.folder, self.choice, drops):
            found += 1
            posed += isinstance(record, RecordPair) or record.pose is not None
            yield record
        if not found:
            left_out = Drops(dropped=drops.dropped[before:])
            raise EmptySourceError(
                self.folder,
                f"{self.source.name} gave no usable record (asked for {self.choice}).",
                left_out.summary(),
            )
        if self.choice.fits is not None and not posed:
            raise EmptySourceError(
                self.folder,
                f"not one of the {found} records has a pose: {self.choice.fits} holds no fit of"
                " these people.",
                f"Is it of another data set, or only of its training split? See {HOME}.",
            )


def parse_request(text: str) -> Request:
    """Return the request that `NAME=FOLDER` or `NAME=FOLDER?option=value&...` makes.

    Raises ConfigError for an unknown source or option.
    """
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise ConfigError(f"expected NAME=FOLDER, got {text!r}; names: {', '.join(SOURCES)}")
    if name not in SOURCES:
        raise ConfigError(f"no source is called {name!r}; there are {', '.join(SOURCES)}")
    folder, _, tail = rest.partition("?")
    options = {}
    for option in filter(None, tail.split("&")):
        key, equals, value = option.partition("=")
        if not equals:
            raise ConfigError(f"expected option=value after the ?, got {option!r}")
        options[key] = value
    source = SOURCES[name]
    return Request(source=source, folder=Path(folder), choice=parse_choice(options, source))


def open_source(text: str, drops: Drops) -> Iterator[Record | RecordPair]:
    """Yield the records that `NAME=FOLDER?...` asks for; see `parse_request` and `Request.read`."""
    return parse_request(text).read(drops)
