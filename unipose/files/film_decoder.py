"""How a film is decoded: its frames in the order they are shown, upright, the broken ones named.

A film is read in pieces, so its length costs no memory; what one frame takes is checked before
anything is decoded. Its bytes choose the reader, and only readers of single local files are
allowed: a playlist that calls itself .mp4 opens nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import Type
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import Int32, UInt8
from PIL import Image

from unipose.errors import FileError, MissingFileError
from unipose.files.notes import add_note
from unipose.files.photo import Pixels, first_bytes, on_white

MOST_FRAME_PIXELS = 8192 * 4608
"""Larger than the films of any camera (8K); a decoder holds up to 16 such frames."""

MOST_STILL_S = 1.0
"""The last frame of a film that does not count its frames is hardly shown for longer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Moment:
    """One frame of a film before it is unpacked."""

    number: int
    """In the order in which frames are shown, from 0; broken ones are counted."""
    seconds: float
    """From the film's start; never goes back."""
    pixels: Callable[[], Pixels]
    """Upright; raises FileError for a broken frame."""


@contextmanager
def opened_film(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Give a film and its stream of pictures, of which nothing is decoded yet.

    Raises MissingFileError, or FileError: no ordinary file, no whole film, no pictures in it, in
    no codec that is known, too many pixels.
    """
    if not path.exists():
        raise MissingFileError(path, "there is no such film.")
    if not path.is_file():
        raise FileError(path, "is no ordinary file.")
    limit = {"max_pixels": str(MOST_FRAME_PIXELS)}
    readers = {"format_whitelist": "mov,mp4,matroska,webm,avi,gif", "protocol_whitelist": "file"}
    try:
        film = av.open(f"file:{path}", options=limit | readers)
    except FFmpegError as error:
        first = first_bytes(path)
        raise FileError(
            path,
            "is no whole film: expected MP4, MOV, WebM, MKV, AVI or GIF, "
            + (f"it begins with {first!r} ({error.strerror})." if first else "it is empty."),
            "If it plays elsewhere, convert it to an .mp4; if not, copy it again: it is cut off.",
        ) from error
    with film:
        moving = [s for s in film.streams.video if not s.disposition & Disposition.attached_pic]
        if not moving:
            others = ", ".join(sorted({stream.type for stream in film.streams})) or "nothing"
            raise FileError(path, f"has no pictures that move; it holds {others}.")
        stream = max(moving, key=lambda one: one.frames)  # a still may lie before the film
        if stream.codec_context is None:
            raise FileError(path, "is in a codec that is not known.", "Convert it to H.264.")
        width, height = stream.width, stream.height
        if not 0 < width * height <= MOST_FRAME_PIXELS:
            size = f"{width} x {height} pixels" if width * height else "no size, or one too large"
            raise FileError(
                path,
                f"claims frames of {size}; at most {MOST_FRAME_PIXELS:,} pixels are read.",
                "Make the film smaller.",
            )
        stream.codec_context.options = limit
        yield film, stream


def film_moments(path: Path, *, start_s: float = 0.0) -> Generator[Moment, None, None]:
    """Yield the moments of a film from its last key frame before `start_s`.

    Frames may be stored in another order than they are shown in. Each packet is one frame; a frame
    comes out of the decoder when all that are shown before it were decoded, so the packets that
    wait with an earlier time are broken (they are counted):

        stored      0  4  2  1  3          time stamps of the packets
        comes out         0  1  .  3  4    2 was not decoded
        number            0  1  2  3  4    2 is a moment whose pixels raise FileError

    What follows the last frame that can be read is said as a note, if the film should be longer.
    Raises as `opened_film`.
    """
    key = _key_before(path, start_s) if start_s > 0 else None
    with opened_film(path) as (film, stream):
        clock = _Clock(stream)
        waiting: list[int] = []
        number = packets = 0
        for packet in _packets(path, film, stream):
            at = _time_stamp(packet)
            packets += packet.size > 0 or packet.dts is not None  # the last one only flushes
            if key is not None and at != key:
                number += _is_shown(packet)
                continue
            key = None
            if at is not None and _is_shown(packet):
                heappush(waiting, at)
            for frame in _decoded(packet):
                shown_at = frame.pts if frame.pts is not None else waiting[0] if waiting else 0
                while waiting and waiting[0] <= shown_at:
                    if (lost := heappop(waiting)) < shown_at:
                        yield _broken(path, number, clock.seconds(lost))
                        number += 1
                seconds = clock.seconds(shown_at)
                if frame.is_corrupt:
                    yield _broken(path, number, seconds)
                else:
                    pixels = partial(_upright_pixels, frame, clock.shape)
                    yield Moment(number=number, seconds=seconds, pixels=pixels)
                number += 1
        for lost in sorted(waiting):
            yield _broken(path, number, clock.seconds(lost))
            number += 1
        if packets < stream.frames:
            add_note(path, f"is cut off: {packets} of its {stream.frames} frames are there")
        elif not stream.frames and len(film.streams) == 1:  # what lasts longer could be sound
            lasts_s = (film.duration or 0) / 1e6
            if lasts_s - clock.last > MOST_STILL_S:
                add_note(path, f"is cut off: it ends at {clock.last:.2f} of {lasts_s:.2f} s")


SHORTEST_S = 1e-3
"""That a frame is shown at least."""


class _Clock:
    """Turns time stamps of a stream into seconds, and knows the shape its frames are shown in."""

    def __init__(self, stream: VideoStream) -> None:
        self.step = float(stream.time_base or 0)
        self.start = stream.start_time or 0
        self.last = -SHORTEST_S
        stretch = float(stream.sample_aspect_ratio or 1)  # pixels of old films are not square
        self.shape = (round(stream.width * (stretch if 0.2 < stretch < 5 else 1)), stream.height)

    def seconds(self, stamp: int) -> float:
        """Return when a frame is shown; times go up, also where two have the same stamp."""
        self.last = max(self.last + SHORTEST_S, (stamp - self.start) * self.step)
        return self.last


def _key_before(path: Path, seconds: float) -> int | None:
    """Return the time stamp of the last key frame that is not after `seconds`.

    The film is read up to there without decoding: an index in the file could be wrong or missing.
    """
    key = None
    with opened_film(path) as (film, stream):
        step, start = float(stream.time_base or 0), stream.start_time or 0
        for packet in _packets(path, film, stream):
            if packet.dts is not None and (packet.dts - start) * step > seconds:
                break
            at = _time_stamp(packet)
            if packet.is_keyframe and at is not None and (at - start) * step <= seconds:
                key = at
    return key


def _packets(
    path: Path, film: InputContainer, stream: VideoStream
) -> Iterator[Packet[VideoStream]]:
    try:
        yield from film.demux(stream)
    except FFmpegError as error:
        add_note(path, f"cannot be read to its end ({error.strerror})")


def _time_stamp(packet: Packet[VideoStream]) -> int | None:
    return packet.pts if packet.pts is not None else packet.dts


def _is_shown(packet: Packet[VideoStream]) -> bool:
    """Return whether a packet is a frame to be seen: VP8 has others, which only predict."""
    if not packet.size or packet.is_discard:
        return False
    return packet.stream.codec_context.name != "vp8" or bool(bytes(packet)[0] & 0x10)


def _decoded(packet: Packet[VideoStream]) -> list[VideoFrame]:
    try:
        return packet.decode()
    except FFmpegError:  # what is missing is found by its time stamp
        return []


def _broken(path: Path, number: int, seconds: float) -> Moment:
    def refuse() -> Pixels:
        raise FileError(path, f"frame {number} at {seconds:.2f} s is broken.", "Take another one.")

    return Moment(number=number, seconds=seconds, pixels=refuse)


def _upright_pixels(frame: VideoFrame, shape: tuple[int, int]) -> Pixels:
    width, height = shape
    see_through = any(component.is_alpha for component in frame.format.components)
    layout = "rgba" if see_through else "rgb24"
    pixels = frame.to_ndarray(format=layout, width=width, height=height)
    if see_through:
        pixels = np.asarray(on_white(Image.fromarray(pixels)))
    notes: Any = frame.side_data  # PyAV's annotation forgot that it can be gone through
    for note in notes:
        if note.type == Type.DISPLAYMATRIX:
            pixels = _turned(pixels, np.frombuffer(bytes(note), dtype=np.int32))
    return np.ascontiguousarray(pixels)


def _turned(
    pixels: Pixels, matrix: Int32[np.ndarray, "9"]
) -> UInt8[np.ndarray, "upright_height upright_width 3"]:
    """Return the pixels as the camera was held: turned by quarters, mirrored where it says so.

    x' = a x + c y and y' = b x + d y, of which (a, d) or (b, c) are zero.
    """
    a, b, _, c, d = matrix[:5].tolist()
    if abs(a) < abs(b):
        pixels, a, d = pixels.swapaxes(0, 1), c, b
    return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
