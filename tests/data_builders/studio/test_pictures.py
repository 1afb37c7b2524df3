"""A folder of the user's pictures: what is broken is left out with a reason."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data_builders.studio.pictures import PictureFolder
from tests.fakes.studio import make_studio
from unipose.errors import FileError, MissingFileError


def png_header(width: int, height: int) -> bytes:
    """Return a PNG that promises `width` x `height` pixels and holds none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64))


@pytest.fixture
def folder(tmp_path):
    picture = np.random.default_rng(0).integers(0, 255, (90, 140, 3)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "good.jpg")
    whole = (tmp_path / "good.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "bomb.png").write_bytes(png_header(30_000, 30_000))
    (tmp_path / "large.png").write_bytes(png_header(9_000, 9_000))
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(picture[:5, :5]).save(tmp_path / "tiny.png")
    (tmp_path / "notes.txt").write_text("ignored")
    return tmp_path


def test_broken_pictures_are_left_out_with_a_reason(folder):
    read = PictureFolder.read(folder, side_px=64)
    assert [picture.shape for picture in read.pictures] == [(64, 100, 3)]
    reasons = {dropped.key: dropped.reason for dropped in read.dropped}
    assert set(reasons) == {"cut.jpg", "bomb.png", "large.png", "text.png", "tiny.png"}
    assert "is no whole picture" in reasons["cut.jpg"]
    assert "too many" in reasons["large.png"]
    assert "too few" in reasons["tiny.png"]
    assert all(reasons.values())


def test_a_folder_without_a_usable_picture_is_named(folder):
    (folder / "good.jpg").unlink()
    with pytest.raises(FileError, match="5 were left out"):
        PictureFolder.read(folder, side_px=64)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingFileError, match="no such folder"):
        PictureFolder.read(tmp_path / "nowhere", side_px=64)


def test_the_users_pictures_stand_behind_people(folder):
    studio = make_studio(picture_folder=folder, pictures=1.0, people=(1.0,))
    image = studio.sample(0)
    assert image.setting == "picture"
    assert len(studio.dropped) == 5
    assert np.isinf(image.depth[(image.instances == 0)]).any()
