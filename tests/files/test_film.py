"""Films: frames upright and at their times, broken ones named, nothing kept, nothing trusted."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tests.fakes.films import (
    HEIGHT,
    WIDTH,
    number_of,
    picture,
    spoil_packets,
    write_film,
    write_sound,
)
from unipose.errors import ConfigError, FileError, FileNote, MissingFileError
from unipose.file_signatures import is_film
from unipose.files import film_decoder
from unipose.files.film import open_film
from unipose.files.film_writer import film_writer
from unipose.files.photo import Pixels


def is_red(colour: np.ndarray) -> bool:
    return colour[0] > 150 > 90 > colour[2]


def is_blue(colour: np.ndarray) -> bool:
    return colour[2] > 150 > 90 > colour[0]


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.mp4", "libx264", "yuv420p"),
        ("a.mov", "libx264", "yuv420p"),
        ("a.mkv", "libx264", "yuv420p"),
        ("a.webm", "libvpx-vp9", "yuv420p"),
        ("b.webm", "libvpx", "yuv420p"),
        ("a.avi", "mjpeg", "yuvj420p"),
        ("b.avi", "mpeg4", "yuv420p"),
        ("a.gif", "gif", "rgb8"),
    ],
)
def test_a_film_of_each_kind_gives_its_frames_in_order_with_their_times(
    name: str, codec: str, layout: str, tmp_path: Path
) -> None:
    film = open_film(write_film(tmp_path / name, codec=codec, layout=layout))
    frames = list(film.frames())
    assert is_film(film.path)
    assert (film.size_px, film.fps) == ((WIDTH, HEIGHT), 10.0)
    assert film.duration_s == pytest.approx(2.0)
    assert film.count in (20, None)
    assert [frame.number for frame in frames] == list(range(20))
    assert [frame.seconds for frame in frames] == pytest.approx([i / 10 for i in range(20)])
    shown = [number_of(frame.pixels) for frame in frames]
    assert np.abs(np.array(shown) - np.arange(20)).max() <= (3 if codec == "gif" else 1)
    assert is_red(frames[3].pixels[40, 4])
    assert is_blue(frames[3].pixels[3, 40])


def test_a_folder_of_pictures_is_a_film_sorted_as_people_count(tmp_path: Path) -> None:
    for i in (10, 2, 1):
        Image.fromarray(picture(i)).save(tmp_path / f"frame{i}.png")
    (tmp_path / "frame3.png").write_bytes(b"\x89PNG no more")
    (tmp_path / "notes.txt").write_text("no picture")
    film = open_film(tmp_path, fps=5.0)
    assert (film.count, film.fps, film.size_px) == (4, 5, (WIDTH, HEIGHT))
    with pytest.warns(FileNote, match=r"frame frame3.png is broken and left out"):
        frames = list(film.frames())
    assert [number_of(frame.pixels) for frame in frames] == [1, 2, 10]
    assert [frame.number for frame in frames] == [0, 1, 3]
    assert [frame.seconds for frame in frames] == pytest.approx([0, 0.2, 0.6])
    with pytest.warns(FileNote, match="25 per second is assumed"):
        assert open_film(tmp_path).fps == 25


@pytest.mark.parametrize(
    ("turn", "mirrored", "red", "blue"),
    [
        (0, False, "left", "top"),
        (90, False, "bottom", "left"),
        (180, False, "right", "bottom"),
        (-90, False, "top", "right"),
        (0, True, "right", "top"),
    ],
)
def test_a_film_is_turned_as_the_telephone_was_held(
    turn: int, mirrored: bool, red: str, blue: str, tmp_path: Path
) -> None:
    film = open_film(write_film(tmp_path / "a.mp4", turn=turn, mirrored=mirrored, count=2))
    pixels = film.frame_at(0.0).pixels
    height, width = pixels.shape[:2]
    assert film.size_px == (width, height)
    assert (width, height) == ((HEIGHT, WIDTH) if turn in (90, -90) else (WIDTH, HEIGHT))
    edges = {
        "left": pixels[height // 2, 3], "right": pixels[height // 2, -4],
        "top": pixels[3, width // 2], "bottom": pixels[-4, width // 2],
    }  # fmt: skip
    assert [side for side, colour in edges.items() if is_red(colour)] == [red]
    assert [side for side, colour in edges.items() if is_blue(colour)] == [blue]


def test_a_still_that_lies_before_the_film_is_not_taken_for_it(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as film:
        streams = [film.add_stream("mjpeg", rate=10), film.add_stream("libx264", rate=10)]
        for stream, layout in zip(streams, ("yuvj420p", "yuv420p"), strict=True):
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, layout
        for stream, numbers in zip(streams, ([15], range(5)), strict=True):
            for i in numbers:
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture(i), format="rgb24")))
            film.mux(stream.encode(None))
    shown = [number_of(frame.pixels) for frame in open_film(tmp_path / "a.mp4").frames()]
    assert shown == [0, 1, 2, 3, 4]


def test_pixels_that_are_not_square_are_stretched(tmp_path: Path) -> None:
    film = open_film(write_film(tmp_path / "a.mp4", stretch=Fraction(3, 2), count=2))
    assert film.size_px == (WIDTH * 3 // 2, HEIGHT)
    assert film.frame_at(0.0).pixels.shape == (HEIGHT, WIDTH * 3 // 2, 3)


def test_times_of_a_film_whose_rate_varies_are_kept(tmp_path: Path) -> None:
    times = [0, 100, 150, 350, 400, 1000, 1040]
    film = open_film(write_film(tmp_path / "a.mp4", times_ms=times))
    assert [f.seconds for f in film.frames()] == pytest.approx([t / 1000 for t in times], abs=1e-3)
    assert number_of(film.frame_at(0.9).pixels) == film.frame_at(0.9).number == 4


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif"])
def test_a_part_has_the_numbers_and_pixels_of_the_whole(name: str, tmp_path: Path) -> None:
    kind = {"a.webm": ("libvpx-vp9", "yuv420p"), "a.gif": ("gif", "rgb8")}
    codec, layout = kind.get(name, ("libx264", "yuv420p"))
    film = open_film(write_film(tmp_path / name, codec=codec, layout=layout))
    whole = {frame.number: frame for frame in film.frames()}
    part = list(film.frames(start=0.7, end=1.7, every=3))
    assert [frame.number for frame in part] == [7, 10, 13, 16]
    for frame in part:
        assert frame.seconds == whole[frame.number].seconds
        assert (frame.pixels == whole[frame.number].pixels).all()
    assert film.frame_at(1.25).number == 12
    assert film.frame_at(2.0).number == 19


def test_a_moment_outside_of_the_film_is_refused_with_its_length(tmp_path: Path) -> None:
    film = open_film(write_film(tmp_path / "a.mp4"))
    for seconds in (-1.0, 2.5):
        with pytest.raises(FileError, match=rf"no frame at {seconds:g} s: it lasts 2.00 s"):
            film.frame_at(seconds)
    for wrong in (
        {"start": -1.0},
        {"start": 2.0, "end": 1.0},
        {"every": 0},
        {"start": float("nan")},
    ):
        with pytest.raises(ConfigError, match="expected 0 <= start < end"):
            film.frames(**wrong)
    with pytest.raises(ConfigError, match="its own times"):
        open_film(film.path, fps=30.0)


@pytest.mark.parametrize(
    ("name", "codec", "layout"),
    [
        ("a.avi", "mjpeg", "yuvj420p"),
        ("a.mp4", "mjpeg", "yuvj420p"),
        ("b.mp4", "libx264", "yuv420p"),
    ],
)
def test_broken_frames_are_named_and_the_rest_goes_on(
    name: str, codec: str, layout: str, tmp_path: Path
) -> None:
    path = write_film(tmp_path / name, codec=codec, layout=layout, key_every=1)
    film = open_film(spoil_packets(path, [4, 9, 10]))
    with pytest.warns(FileNote) as notes:
        frames = list(film.frames())
    assert [str(note.message).partition(": ")[2] for note in notes] == [
        "frame 4 is broken and left out",
        "2 frames from 9 to 10 are broken and left out",
    ]
    assert [frame.number for frame in frames] == [i for i in range(20) if i not in (4, 9, 10)]
    assert all(abs(number_of(frame.pixels) - frame.number) <= 1 for frame in frames)
    with pytest.raises(FileError, match=r"frame 9 at 0.90 s is broken"):
        film.frame_at(0.95)


def test_a_film_that_is_cut_off_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mp4", container={"movflags": "faststart"}, key_every=1)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 4 // 5])
    film = open_film(path)
    with pytest.warns(FileNote) as notes:
        frames = list(film.frames())
    assert [frame.number for frame in frames] == list(range(13))
    said = [str(note.message).partition(": ")[2] for note in notes]
    assert said == ["is cut off: 14 of its 20 frames are there", "frame 13 is broken and left out"]


def test_a_film_without_a_count_of_frames_that_is_cut_off_is_known_by_its_length(
    tmp_path: Path,
) -> None:
    path = write_film(tmp_path / "a.webm", codec="libvpx-vp9", count=30)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.warns(FileNote, match=r"is cut off: it ends at \d\.\d0 of 3\.00 s"):
        frames = list(open_film(path).frames())
    assert 0 < len(frames) < 20


def test_memory_does_not_grow_with_the_length_of_a_film(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        film = open_film(
            write_film(tmp_path / f"{count}.mp4", count=count, key_every=50, width=160)
        )
        tracemalloc.start()
        try:
            assert sum(1 for _ in film.frames(start=0.5)) == count - 5
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    frame = 160 * HEIGHT * 3
    assert peak(240) < peak(40) + 3 * frame


def text(path: Path) -> Path:
    path.write_text("These are words and no film.\n" * 20)
    return path


def playlist(path: Path) -> Path:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n")
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def without_its_end(path: Path) -> Path:
    path.write_bytes(write_film(path).read_bytes()[:-2000])
    return path


def huge(path: Path) -> Path:
    """A film of 400 bytes whose frames would take 900 megabytes."""
    data = bytearray(write_film(path, codec="gif", layout="rgb8", count=2).read_bytes())
    data[6:10] = struct.pack("<HH", 15_000, 15_000)
    path.write_bytes(data)
    return path


def folder(path: Path) -> Path:
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "made", "problem"),
    [
        ("a.mp4", text, "no whole film: expected MP4, .* it begins with b'These ar'"),
        ("a.mp4", playlist, "no whole film"),
        ("a.mov", empty, "it is empty"),
        ("a.mp4", without_its_end, "copy it again: it is cut off"),
        ("a.mp4", write_sound, "no pictures that move; it holds audio"),
        ("a.gif", huge, "claims frames of .* pixels are read"),
        ("frames", folder, "holds no pictures; expected files ending in .jpg"),
    ],
)
def test_what_is_no_film_is_named(
    name: str, made: Callable[[Path], Path], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(FileError, match=problem):
        open_film(made(tmp_path / name))


def test_a_film_that_is_not_there_is_missing(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no such film"):
        open_film(tmp_path / "a.mp4")


def test_too_many_pixels_are_refused_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_film(tmp_path / "a.mp4")
    monkeypatch.setattr(film_decoder, "MOST_FRAME_PIXELS", WIDTH * HEIGHT - 1)
    monkeypatch.setattr(film_decoder, "_decoded", lambda packet: pytest.fail("was decoded"))
    with pytest.raises(FileError, match="claims frames of 64 x 48 pixels"):
        open_film(path)


def frames_of(count: int) -> list[Pixels]:
    return [picture(i, width=63) for i in range(count)]


def test_a_film_that_is_written_comes_back_with_its_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.5, 0.55, 2.0]
    with film_writer(tmp_path / "a.mp4", fps=10.0) as film:
        for pixels, seconds in zip(frames_of(5), times, strict=True):
            film.add(pixels, seconds=seconds)
    read = open_film(tmp_path / "a.mp4")
    assert read.size_px == (64, HEIGHT)
    assert [frame.seconds for frame in read.frames()] == pytest.approx(times, abs=1e-3)
    assert [number_of(frame.pixels) for frame in read.frames()] == list(range(5))


def test_a_film_that_fails_half_way_is_not_there(tmp_path: Path) -> None:
    def write(pictures: list[Pixels]) -> None:
        with film_writer(tmp_path / "a.mp4", fps=10.0) as film:
            for pixels in pictures:
                film.add(pixels)

    for pictures, problem in (
        ([picture(0), picture(1, width=32)], "frame 1 has 32 x 48"),
        ([], "needs at least one frame"),
    ):
        with pytest.raises(FileError, match=problem):
            write(pictures)
        assert list(tmp_path.iterdir()) == []
