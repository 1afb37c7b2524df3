"""Films are written frame by frame (.mp4), so that a long one needs no more memory than a short."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import UInt8

from unipose.errors import FileError
from unipose.files.atomic import written_whole

CLOCK = Fraction(1, 90_000)
"""Steps in which times of frames are written, where they are given."""


class FilmWriter:
    """Takes the frames of one film; made by `film_writer`."""

    def __init__(self, film: OutputContainer, path: Path, *, fps: float) -> None:
        codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
        options = {"crf": "20", "preset": "fast"} if codec == "libx264" else {"qscale": "3"}
        rate = Fraction(fps).limit_denominator(1001)
        self.stream = film.add_stream(codec, rate=rate, options=options)
        self.stream.pix_fmt = "yuv420p"
        self.stream.codec_context.thread_count = 1
        self.film, self.path, self.count = film, path, 0

    def add(
        self, pixels: UInt8[np.ndarray, "height width 3"], *, seconds: float | None = None
    ) -> None:
        """Append a frame (RGB); `seconds` keeps the times of a film whose rate varies.

        An odd width or height is filled up by its last column or row, as the codec wants it. Give
        times for all frames or for none. Raises FileError for a frame of another size than the
        first.
        """
        pixels = np.pad(
            pixels, ((0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)), mode="edge"
        )
        height, width = pixels.shape[:2]
        if not self.count:
            self.stream.height, self.stream.width = height, width
            if seconds is not None:
                self.stream.codec_context.time_base = CLOCK
        elif (self.stream.width, self.stream.height) != (width, height):
            raise FileError(
                self.path,
                f"expected frames of {self.stream.width} x {self.stream.height} pixels, frame "
                f"{self.count} has {width} x {height}.",
            )
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        if seconds is not None:
            frame.pts, frame.time_base = round(seconds / CLOCK), CLOCK
        self.film.mux(self.stream.encode(frame))
        self.count += 1


@contextmanager
def film_writer(path: str | Path, *, fps: float) -> Iterator[FilmWriter]:
    """Give what takes the frames of a film (.mp4; H.264, or MPEG-4 where there is no encoder).

    The file appears whole when the block ends well, or not at all. `fps` is the rate of frames that
    are added without a time. Raises FileError if it cannot be written or if no frame was added.
    """
    path = Path(path)
    with written_whole(path) as temporary, av.open(str(temporary), "w", format="mp4") as film:
        writer = FilmWriter(film, path, fps=fps)
        yield writer
        if not writer.count:
            raise FileError(path, "is not written: a film needs at least one frame.")
        film.mux(writer.stream.encode(None))
