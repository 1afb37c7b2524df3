"""Pictures that are none, or not whole: each way has its reason, whoever looks at it."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image

from data_builders.readers.pictures import check_orientation, check_picture, read_picture
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops, SourceOptions
from tests.fakes.coco_datasets import coco_person, write_coco
from tests.fakes.picture_datasets import write_bomb, write_jpeg
from unipose.errors import EmptySourceError, FileError, FileNote, MissingFileError

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
    "a TIFF": (lambda path: noise(np.uint16).save(path, format="TIFF"), "more than 8 bits"),
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
        check_picture(picture, SourceOptions(pictures="whole"))
    assert str(found.value) == drops.dropped[0].reason
    with pytest.raises(FileError, match=reason):
        read_picture(picture)


def test_only_every_pixel_shows_that_a_picture_ends_early(tmp_path):
    cut_off(tmp_path / NAME)
    assert check_picture(tmp_path / NAME, SourceOptions()) == SIZE


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_what_a_picture_is_decides_its_content_and_not_its_name(kind, tmp_path):
    noise(np.uint8).save(tmp_path / NAME, format=kind)
    assert check_picture(tmp_path / NAME, SourceOptions(pictures="whole")) == SIZE
    assert read_picture(tmp_path / NAME).shape == (427, 640, 3)


def test_a_bomb_is_known_by_its_header(tmp_path):
    bomb = write_bomb(tmp_path / "bomb.png", side=9_000)
    with pytest.raises(FileError, match=r"claims 9000 x 9000 pixels|bomb"):
        check_picture(bomb, SourceOptions())


def test_a_picture_that_is_not_there_is_an_error_of_its_own(tmp_path):
    for look in (read_picture, lambda path: check_picture(path, SourceOptions())):
        with pytest.raises(MissingFileError, match="there is no such picture"):
            look(tmp_path / "nothing.png")


def half_red(path, orientation):
    """Write a picture of 640 x 427 whose left half is red, with a note of how it was held."""
    pixels = np.zeros((*SIZE[::-1], 3), dtype=np.uint8)
    pixels[:, :320] = (255, 0, 0)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)


def test_a_photo_is_turned_if_its_annotation_knows_it_upright(tmp_path):
    half_red(tmp_path / NAME, 6)
    with pytest.warns(FileNote, match="as their EXIF says"):
        orientation = check_orientation(tmp_path / NAME, SourceOptions(), (427, 640))
    assert orientation == 6
    pixels = read_picture(tmp_path / NAME, orientation=orientation)
    assert pixels.shape == (640, 427, 3)
    assert pixels[100, 200, 0] > 200 > 60 > pixels[500, 200, 0]


def test_a_photo_stays_as_it_is_stored_if_its_annotation_knows_it_so(tmp_path):
    half_red(tmp_path / NAME, 6)
    assert check_orientation(tmp_path / NAME, SourceOptions(), SIZE) == 1
    pixels = read_picture(tmp_path / NAME)
    assert pixels[200, 100, 0] > 200 > 60 > pixels[200, 500, 0]


def test_a_size_that_cannot_tell_whether_to_turn_is_said(tmp_path):
    half_red(tmp_path / NAME, 3)
    with pytest.warns(FileNote, match="whose size cannot tell"):
        assert check_orientation(tmp_path / NAME, SourceOptions(), SIZE) == 1


def test_a_size_that_fits_neither_way_is_refused(tmp_path):
    half_red(tmp_path / NAME, 6)
    with pytest.raises(FileError, match="has 640 x 427 pixels, its annotation says 640 x 480"):
        check_orientation(tmp_path / NAME, SourceOptions(), (640, 480))


def test_a_person_of_coco_in_a_turned_photo_is_kept(tmp_path):
    folder = write_coco(tmp_path, [coco_person(1)])
    turned = np.zeros((*SIZE, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.fromarray(turned).save(folder / "val2017" / NAME, exif=exif)
    with pytest.warns(FileNote, match="as their EXIF says"):
        (record,) = open_source(f"coco={folder}", Drops())
    assert record.orientation == 8
    assert read_picture(record.image, orientation=8).shape == (427, 640, 3)
