"""Small films, written in the test: what a frame shows tells which one it is."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from unipose.files.photo import Pixels

WIDTH, HEIGHT = 64, 48


def picture(number: int, *, width: int = WIDTH, height: int = HEIGHT) -> Pixels:
    """Return a grey frame, the brighter the later, with a red left edge and a blue top."""
    pixels = np.full((height, width, 3), 40 + 6 * number % 200, dtype=np.uint8)
    pixels[:, : width // 4] = (220, 0, 0)
    pixels[: height // 4] = (0, 0, 220)
    return pixels


def number_of(pixels: Pixels) -> int:
    """Return which frame shows this, by its middle."""
    height, width = pixels.shape[:2]
    return round((float(pixels[height // 2 :, width // 2 : width * 2 // 3].mean()) - 40) / 6)


def write_film(
    path: Path,
    *,
    codec: str = "libx264",
    layout: str = "yuv420p",
    count: int = 20,
    turn: int = 0,
    mirrored: bool = False,
    times_ms: Sequence[int] = (),
    key_every: int = 5,
    container: dict[str, str] | None = None,
    stretch: Fraction | None = None,
    width: int = WIDTH,
) -> Path:
    """Write a film of 10 frames per second, or of frames at `times_ms`, by PyAV alone."""
    with av.open(str(path), "w", options=container or {}) as film:
        stream = film.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, layout
        stream.codec_context.gop_size = key_every
        stream.codec_context.thread_count = 1
        if stretch:
            stream.codec_context.sample_aspect_ratio = stretch
        if turn or mirrored:
            stream.set_display_rotation(turn, hflip=mirrored)
        if times_ms:
            stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(len(times_ms) or count):
            frame = av.VideoFrame.from_ndarray(picture(i, width=width), format="rgb24")
            if times_ms:
                frame.pts, frame.time_base = times_ms[i], Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def write_sound(path: Path) -> Path:
    """Write a film of sound alone."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=16_000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 16_000
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def spoil_packets(path: Path, numbers: Sequence[int]) -> Path:
    """Overwrite the data of some packets (in the order of the file) with zeros."""
    with av.open(str(path)) as film:
        places = [(p.pos, p.size) for p in film.demux(video=0) if p.size]
    data = bytearray(path.read_bytes())
    for number in numbers:
        start, size = places[number]
        assert start is not None
        data[start : start + size] = bytes(size)
    path.write_bytes(data)
    return path
