"""Films (.mp4, .mov, .webm, .avi, .gif, or a folder of pictures): upright frames with their times.

Frames come one after the other and none is kept, so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from unipose.errors import ConfigError, FileError
from unipose.file_signatures import PHOTO_ENDINGS, is_photo
from unipose.files.film_decoder import Moment, film_moments, opened_film
from unipose.files.notes import add_note
from unipose.files.ordering import files_in_order
from unipose.files.photo import Pixels, open_photo

FOLDER_FPS = 25.0
"""Assumed for a folder of pictures of which no rate is given; a note says so."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmFrame:
    """One frame of a film."""

    number: int
    """In the film, from 0; broken frames are counted."""
    seconds: float
    """From the film's start."""
    pixels: Pixels
    """RGB, upright."""


@dataclass(frozen=True, kw_only=True)
class FilmReader:
    """A film, of which nothing is unpacked before its frames are asked for; made by `open_film`."""

    path: Path
    size_px: tuple[int, int]
    """Width and height, upright; of a folder those of its first picture, others may differ."""
    fps: float | None
    """The mean rate; times of frames are those of the file, also where its rate varies."""
    count: int | None
    """Of frames; None where the file does not say it."""
    duration_s: float | None
    """None where the file does not say it."""
    pictures: tuple[Path, ...] = ()
    """Of a folder."""

    def frames(
        self, *, start: float = 0.0, end: float | None = None, every: int = 1
    ) -> Iterator[FilmFrame]:
        """Yield the frames from `start` up to, not at, `end` (seconds), `every` so many.

        At every = 3 from frame 5 on: 5, 8, 11 ... A broken frame is left out, and a note names it.
        Raises ConfigError if `start`, `end` or `every` make no sense, FileError as `open_film`.
        """
        if not (start >= 0 and (end is None or end > start) and every >= 1):
            raise ConfigError(
                "expected 0 <= start < end in seconds and every >= 1, got "
                f"start={start}, end={end}, every={every}"
            )
        return self._selected(start, end, every)

    def _selected(self, start: float, end: float | None, every: int) -> Iterator[FilmFrame]:
        first: int | None = None
        broken: list[int] = []
        with closing(self._moments(start)) as moments:
            for moment in moments:
                if moment.seconds < start:
                    continue
                if end is not None and moment.seconds >= end:
                    break
                first = moment.number if first is None else first
                if (moment.number - first) % every:
                    continue
                try:
                    pixels = moment.pixels()
                except FileError:
                    broken.append(moment.number)
                    continue
                self._note_broken(broken)
                yield FilmFrame(number=moment.number, seconds=moment.seconds, pixels=pixels)
        self._note_broken(broken)

    def frame_at(self, seconds: float) -> FilmFrame:
        """Return the frame that a player shows at `seconds`: the last one that is not later.

        Raises FileError if the film does not last so long, or if this frame is broken.
        """
        last: Moment | None = None
        with closing(self._moments(seconds)) as moments:
            for moment in moments:
                if last is not None and moment.seconds > seconds + 1e-6:
                    break
                last = moment
            else:
                shown_s = 1 / self.fps if self.fps else 0.0
                end = max(self.duration_s or 0.0, last.seconds + shown_s if last else 0.0)
                if last is None or seconds > end + 1e-6:
                    last = None
        if last is None or seconds < 0:
            length = f"it lasts {self.duration_s:.2f} s" if self.duration_s else "it is shorter"
            raise FileError(self.path, f"has no frame at {seconds:g} s: {length}.")
        return FilmFrame(number=last.number, seconds=last.seconds, pixels=last.pixels())

    def _moments(self, start: float) -> Generator[Moment, None, None]:
        return _folder_moments(self) if self.pictures else film_moments(self.path, start_s=start)

    def _note_broken(self, broken: list[int]) -> None:
        """Name broken frames that follow each other in one note, and forget them."""
        if broken:
            names = [self.pictures[i].name if self.pictures else str(i) for i in broken]
            which = f"frame {names[0]} is"
            if len(names) > 1:
                which = f"{len(names)} frames from {names[0]} to {names[-1]} are"
            add_note(self.path, f"{which} broken and left out")
            broken.clear()


def open_film(path: str | Path, *, fps: float | None = None) -> FilmReader:
    """Return a film, or a folder of pictures as one, with `FilmReader.frames` to read.

    Pictures of a folder follow each other as people count (2.png before 10.png), at `fps`; a film
    has its own times, and `fps` is refused. Its header and first frame are read, no more.

    Raises MissingFileError, ConfigError, or FileError: no film that is known, cut off before its
    first frame, without pictures, too many pixels (checked before decoding), an empty folder.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path, fps)
    if fps is not None:
        raise ConfigError(f"{path}: a film has its own times; fps is for folders of pictures")
    with opened_film(path) as (film, stream):
        rate = stream.average_rate or stream.guessed_rate
        duration_s = None
        if stream.duration is not None and stream.time_base is not None:
            duration_s = float(stream.duration * stream.time_base)
        elif film.duration is not None:
            duration_s = film.duration / 1e6
        count = stream.frames or None
    with closing(film_moments(path)) as moments:
        size_px = _first_size(path, moments)
    return FilmReader(
        path=path,
        size_px=size_px,
        fps=float(rate) if rate else None,
        count=count,
        duration_s=duration_s,
    )


def _open_folder(path: Path, fps: float | None) -> FilmReader:
    pictures = tuple(filter(is_photo, files_in_order(path)))
    if not pictures:
        endings = ", ".join(PHOTO_ENDINGS)
        raise FileError(path, f"holds no pictures; expected files ending in {endings}.")
    if fps is None:
        fps = FOLDER_FPS
        add_note(path, f"a folder of pictures has no frame rate; {fps:g} per second is assumed")
    elif not 0 < fps < 1e5:
        raise ConfigError(f"expected a positive frame rate, got {fps}")
    film = FilmReader(
        path=path,
        size_px=(0, 0),
        fps=fps,
        count=len(pictures),
        duration_s=len(pictures) / fps,
        pictures=pictures,
    )
    return replace(film, size_px=_first_size(path, _folder_moments(film)))


def _folder_moments(film: FilmReader) -> Generator[Moment, None, None]:
    assert film.fps
    for number, picture in enumerate(film.pictures):
        pixels = partial(open_photo, picture)
        yield Moment(number=number, seconds=number / film.fps, pixels=pixels)


def _first_size(path: Path, moments: Iterator[Moment]) -> tuple[int, int]:
    """Return width and height of the first frame that is not broken."""
    problem = "there are none"
    for moment in moments:
        try:
            height, width = moment.pixels().shape[:2]
        except FileError as error:
            problem = f"{error.path.name}: {error.problem.rstrip('.')}"
        else:
            return width, height
    raise FileError(path, f"not one frame of it can be read ({problem}).", "Copy it again.")
