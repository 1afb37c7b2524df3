"""Photos: read upright and whole, or refused with the reason."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from unipose.errors import FileError, MissingFileError
from unipose.file_signatures import check_file, is_photo
from unipose.files import open_pose
from unipose.files.photo import open_photo


def stripes() -> Image.Image:
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[:, :10] = (255, 0, 0)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    "name", ["a.png", "a.jpg", "a.webp", "a.JPEG", "a.jfif", "a.bmp", "a.tif", "a.TIFF"]
)
def test_a_photo_of_each_kind_is_read(name: str, tmp_path: Path):
    stripes().save(tmp_path / name)
    assert is_photo(tmp_path / name)
    pixels = open_photo(tmp_path / name)
    assert pixels.shape == (20, 30, 3)
    assert pixels[10, 4, 0] > 200 > 60 > pixels[10, 20, 0]


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_a_photo_is_turned_as_it_was_held(name: str, tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the right of what is stored is below
    stripes().save(tmp_path / name, exif=exif)
    pixels = open_photo(tmp_path / name)
    assert pixels.shape == (30, 20, 3)
    assert pixels[4, 10, 0] > 200 > 60 > pixels[20, 10, 0]


def test_what_is_transparent_becomes_white_and_grey_becomes_rgb(tmp_path: Path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (open_photo(tmp_path / "a.png") == 255).all()
    Image.new("L", (4, 4), 90).save(tmp_path / "b.png")
    assert (open_photo(tmp_path / "b.png") == 90).all()


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("cmyk.jpg", "CMYK", {}),
        ("telephone.jpg", "RGB", {"format": "MPO", "save_all": True, "append_images": [stripes()]}),
        ("really_a_webp.jpg", "RGB", {"format": "WEBP", "lossless": True}),
        ("palette.png", "P", {}),
        ("photoshop.tif", "LAB", {}),
    ],
)
def test_colours_are_those_that_were_seen_however_they_are_written(
    name: str, mode: str, options: dict, tmp_path: Path
):
    picture = stripes()
    picture.convert(mode).save(tmp_path / name, **options)
    pixels = open_photo(tmp_path / name).astype(int)
    assert np.abs(pixels[10, 4] - (255, 0, 0)).max() < 12
    assert pixels[10, 20].max() < 12


@pytest.mark.parametrize(
    ("name", "advice"), [("IMG_1.HEIC", "as .jpg"), ("walk.fbx", "as .bvh"), ("a.xyz", "Known are")]
)
def test_what_is_not_read_comes_with_what_to_do(name: str, advice: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic")
    for check in (check_file, partial(check_file, photos=True), open_pose):
        with pytest.raises(FileError, match=advice):
            check(tmp_path / name)


def test_a_pose_and_a_photo_in_each_others_place_are_told_apart(tmp_path: Path):
    (tmp_path / "walk.bvh").write_text("HIERARCHY")
    with pytest.raises(FileError, match=r"a photo was expected.*in Python open_pose"):
        open_photo(tmp_path / "walk.bvh")
    with pytest.raises(FileError, match=r"a pose file was expected.*UniPose\.estimate"):
        open_pose(tmp_path / "me.jpg")
    with pytest.raises(FileError, match="unipose track"):
        open_pose(tmp_path / "walk.mp4")
    with pytest.raises(MissingFileError, match="unipose poses NAME"):
        open_pose(tmp_path / "tree pose")


def huge_png() -> bytes:
    """A file of a few bytes that claims a picture of ten gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "it is empty"),
        (b"GIF89a and more", "it begins with b'GIF89a a'"),
        (b"\x89PNG\r\n\x1a\n", "no whole picture|no picture"),
        (huge_png(), "too many|bomb"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, named: str, tmp_path: Path):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(FileError, match=named):
        open_photo(tmp_path / "a.png")


def test_a_cut_off_photo_is_named(tmp_path: Path):
    stripes().resize((400, 300)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(FileError, match="no whole picture"):
        open_photo(tmp_path / "a.jpg")


def test_sixteen_bits_are_refused(tmp_path: Path):
    Image.fromarray(np.zeros((4, 4), dtype=np.uint16)).save(tmp_path / "a.png")
    with pytest.raises(FileError, match="more than 8 bits"):
        open_photo(tmp_path / "a.png")


def test_a_photo_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(MissingFileError, match="no such picture"):
        open_photo(tmp_path / "a.png")
    with pytest.raises(FileError, match="no ordinary file"):
        open_photo(tmp_path)
