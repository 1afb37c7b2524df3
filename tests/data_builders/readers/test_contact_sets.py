"""Data sets of people who touch, written as they are unpacked, read back."""

from __future__ import annotations

import pytest
import torch

from data_builders.readers.contact_sets import (
    REGION_WORDS,
    WORD_OF_REGION,
    contact_words,
    read_chi3d,
    read_flickrci3d,
    read_hi4d,
    read_moyo,
)
from data_builders.readers.source import Drops
from tests.fakes.contact_datasets import write_chi3d, write_flickrci3d, write_hi4d, write_moyo
from unipose.errors import SourceError, UnusableRecordError


def test_every_region_has_one_word():
    assert sorted(region for some in REGION_WORDS.values() for region in some) == sorted(
        WORD_OF_REGION
    )
    assert len(WORD_OF_REGION) == 75
    assert contact_words([[72, 13], [33, 35], [0, 9]]) == (
        ("left hand", "back"), ("stomach", "butt"),
    )  # fmt: skip
    with pytest.raises(UnusableRecordError, match="none of 75"):
        contact_words([[3, 75]])


def test_hi4d_has_two_people_before_a_camera(tmp_path):
    write_hi4d(tmp_path)
    records = list(read_hi4d(tmp_path, Drops()))
    assert [record.key for record in records] == [
        "hi4d/pair00/dance00:10", "hi4d/pair00/dance00:15",
    ]  # fmt: skip
    first, second = records[0].scene.people
    assert first.pose.body == "smpl"
    assert second.pose.translation[0].tolist() == pytest.approx([0.3, 1.0, 0.0])
    seen = first.camera.project(torch.tensor([[0.0, 0.0, 0.0]]), height_px=1280, width_px=940)
    assert seen[0].tolist() == pytest.approx([470.0, 640.0])
    assert records[0].touch_m == 0.01
    assert records[0].image.name == "000010.jpg"


def test_a_broken_frame_of_hi4d_is_left_out_with_its_reason(tmp_path):
    write_hi4d(tmp_path, broken=(10,))
    drops = Drops()
    (kept,) = read_hi4d(tmp_path, drops)
    assert kept.key.endswith(":15")
    assert "transl" in drops.dropped[0].reason


def test_chi3d_has_marked_contacts_and_stands_upright(tmp_path):
    write_chi3d(tmp_path)
    (record,) = read_chi3d(tmp_path, Drops(), split="test")
    assert record.contacts == (("left hand", "back"),)
    first, second = record.scene.people
    assert first.pose.body == "smplx"
    apart = second.pose.translation[0] - first.pose.translation[0]
    assert apart.tolist() == pytest.approx([0.0, 0.0, -0.5])  # its y is our -z
    pixel = first.camera.project(torch.tensor([[0.0, 0.0, 0.0]]), height_px=900, width_px=900)
    assert pixel[0].tolist() == pytest.approx([450.0, 450.0])
    assert list(read_chi3d(tmp_path, Drops(), split="val")) == []
    film = tmp_path / "train" / "s03" / "videos" / "50591643" / "Hug 1.mp4"
    assert (record.film, record.frame) == (film, 1)


def test_a_frame_that_chi3d_lacks_is_left_out(tmp_path):
    write_chi3d(tmp_path, frame=7)
    drops = Drops()
    assert list(read_chi3d(tmp_path, drops)) == []
    assert "no frame 7" in drops.dropped[0].reason


def test_flickrci3d_has_boxes_and_contacts(tmp_path):
    image = write_flickrci3d(tmp_path)
    drops = Drops()
    (record,) = read_flickrci3d(tmp_path, drops)
    assert record.contacts == (("left hand", "chest"),)
    assert [person.box for person in record.scene.people] == [(5, 0, 15, 20), (0, 0, 10, 20)]
    assert record.image == image
    assert "not among 2 boxes" in drops.dropped[0].reason


def test_moyo_gives_the_middle_of_each_recording(tmp_path):
    write_moyo(tmp_path, left_hip=0.3)
    (record,) = read_moyo(tmp_path, Drops())
    (person,) = record.scene.people
    assert float(person.pose.axis_angle[0, 1].norm()) == pytest.approx(0.3 * 3**0.5, abs=1e-4)
    assert (record.split, record.touch_m) == ("val", 0.02)


def test_an_empty_folder_is_named(tmp_path):
    for read, name in ((read_hi4d, "Hi4D"), (read_chi3d, "CHI3D"), (read_moyo, "MOYO")):
        with pytest.raises(SourceError, match=name):
            list(read(tmp_path, Drops()))
