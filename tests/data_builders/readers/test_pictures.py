"""Pictures that are none, or not whole: each way has its reason, whoever looks at it."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from data_builders.readers.pictures import check_picture, read_picture
from data_builders.readers.registry import open_source
from data_builders.readers.source import Choice, Drops
from tests.fakes.picture_datasets import coco_person, write_bomb, write_coco, write_jpeg
from unipose.errors import EmptySourceError, FileError, MissingFileError

NAME = "000000397133.jpg"
SIZE = (640, 427)


def cut_off(path):
    write_jpeg(path, SIZE)
    path.write_bytes(path.read_bytes()[:-500])


def noise(kind):
    values = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[::-1]) * 7 % 65536
    return Image.fromarray(values.astype(kind))


def png_with_a_wrong_byte(path):
    noise(np.uint8).save(path, format="PNG")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(bytes(content))


def png_cut_off(path):
    noise(np.uint8).save(path, format="PNG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="427"></svg>'
CORRUPT = {
    "a JPEG that ends early": (cut_off, "is no whole picture"),
    "a PNG that ends early": (png_cut_off, "is no whole picture"),
    "a PNG with a wrong byte": (png_with_a_wrong_byte, "is no whole picture"),
    "a bomb": (lambda path: write_bomb(path, side=9_000), "claims 9000 x 9000 pixels|bomb"),
    "nothing": (lambda path: path.write_bytes(b""), "it is empty"),
    "a TIFF": (lambda path: noise(np.uint16).save(path, format="TIFF"), "JPEG, PNG or WEBP, it be"),
    "an SVG": (lambda path: path.write_bytes(SVG), "it begins with b'<svg xml'"),
    "a GIF": (lambda path: noise(np.uint8).save(path, format="GIF"), "it begins with b'GIF8"),
    "a web page": (lambda path: path.write_bytes(b"<!DOCTYPE html>404"), "b'<!DOCTYP'"),
    "16 bits": (lambda path: noise(np.uint16).save(path, format="PNG"), "more than 8 bits"),
    "a folder": (lambda path: path.mkdir(), "is no ordinary file"),
    "a pipe": (os.mkfifo, "is no ordinary file"),
}


@pytest.mark.parametrize("name", CORRUPT)
def test_a_corrupt_picture_is_left_out_with_its_reason(name, tmp_path):
    write, reason = CORRUPT[name]
    folder = write_coco(tmp_path, [coco_person(1)])
    picture = folder / "val2017" / NAME
    picture.unlink()
    write(picture)
    drops = Drops()
    with pytest.raises(EmptySourceError):
        list(open_source(f"coco={folder}?pictures=whole", drops))
    assert drops.dropped[0].reason.startswith(str(picture))
    with pytest.raises(FileError, match=reason) as found:
        check_picture(picture, Choice(pictures="whole"))
    assert str(found.value) == drops.dropped[0].reason
    with pytest.raises(FileError, match=reason):
        read_picture(picture)


def test_only_every_pixel_shows_that_a_picture_ends_early(tmp_path):
    cut_off(tmp_path / NAME)
    assert check_picture(tmp_path / NAME, Choice()) == SIZE


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_a_picture_is_decides_its_content_and_not_its_name(kind, tmp_path):
    noise(np.uint8).save(tmp_path / NAME, format=kind)
    assert check_picture(tmp_path / NAME, Choice(pictures="whole")) == SIZE
    assert read_picture(tmp_path / NAME).shape == (427, 640, 3)


def test_a_bomb_is_known_by_its_header(tmp_path):
    bomb = write_bomb(tmp_path / "bomb.png", side=9_000)
    with pytest.raises(FileError, match=r"claims 9000 x 9000 pixels|bomb"):
        check_picture(bomb, Choice())


def test_a_picture_that_is_not_there_is_an_error_of_its_own(tmp_path):
    for look in (read_picture, lambda path: check_picture(path, Choice())):
        with pytest.raises(MissingFileError, match="there is no such picture"):
            look(tmp_path / "nothing.png")
