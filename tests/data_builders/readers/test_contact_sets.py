"""Data sets of people who touch, written as they are unpacked, read back."""

from __future__ import annotations

import json
import pickle

import numpy as np
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


def write_hi4d(folder, frames=(10, 15), broken=()):
    action = folder / "pair00" / "dance00"
    for name in ("smpl", "cameras", "images/4"):
        (action / name).mkdir(parents=True)
    for frame in frames:
        arrays = {
            "betas": np.zeros((2, 10)), "global_orient": np.zeros((2, 3)),
            "body_pose": np.full((2, 69), 0.1), "transl": np.array([[0.0, 1, 0], [0.5, 1, 0]]),
        }  # fmt: skip
        if frame in broken:
            del arrays["transl"]
        np.savez(action / "smpl" / f"{frame:06d}.npz", **arrays)
    extrinsics = np.zeros((2, 3, 4))
    extrinsics[:, :, :3] = np.diag([1.0, -1, -1])
    extrinsics[:, 2, 3] = 3.0
    inner = np.array([[1000.0, 0, 470], [0, 1000, 640], [0, 0, 1]])
    np.savez(action / "cameras" / "rgb_cameras.npz", ids=np.array([4, 16]),
             intrinsics=np.stack([inner] * 2), extrinsics=extrinsics)  # fmt: skip
    np.savez(action / "meta.npz", start=np.array(10), end=np.array(17))


def test_hi4d_has_two_people_before_a_camera(tmp_path):
    write_hi4d(tmp_path)
    records = list(read_hi4d(tmp_path, Drops()))
    assert [record.key for record in records] == [
        "hi4d/pair00/dance00:10", "hi4d/pair00/dance00:15",
    ]  # fmt: skip
    first, second = records[0].scene.people
    assert first.pose.body == "smpl"
    assert second.pose.translation[0].tolist() == [0.5, 1.0, 0.0]
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


def write_chi3d(folder, frame=1):
    subject = folder / "train" / "s03"
    for name in ("smplx", "camera_parameters/50591643"):
        (subject / name).mkdir(parents=True)
    eye = np.eye(3)
    content = {
        "global_orient": np.tile(eye, (2, 2, 1, 1, 1)), "betas": np.zeros((2, 2, 10)),
        "body_pose": np.tile(eye, (2, 2, 21, 1, 1)),
        "transl": np.array([[[0, 0, 1.0]] * 2, [[0, 0.5, 1.0]] * 2]),
    }  # fmt: skip
    text = json.dumps({name: value.tolist() for name, value in content.items()})
    (subject / "smplx" / "Hug 1.json").write_text(text)
    signature = {"Hug 1": {"fr_id": frame, "smplx_signature": {"region_id": [[72, 13]]}}}
    (subject / "interaction_contact_signature.json").write_text(json.dumps(signature))
    camera = {
        "extrinsics": {"R": np.diag([1.0, -1, -1]).tolist(), "T": [[0, 0, 4.0]]},
        "intrinsics_wo_distortion": {"f": [[900.0, 900.0]], "c": [[450.0, 450.0]]},
    }
    file = subject / "camera_parameters" / "50591643" / "Hug 1.json"
    file.write_text(json.dumps(camera))


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


def test_a_frame_that_chi3d_lacks_is_left_out(tmp_path):
    write_chi3d(tmp_path, frame=7)
    drops = Drops()
    assert list(read_chi3d(tmp_path, drops)) == []
    assert "no frame 7" in drops.dropped[0].reason


def test_flickrci3d_has_boxes_and_contacts(tmp_path):
    images = tmp_path / "test" / "images"
    images.mkdir(parents=True)
    (images / "a.png").write_bytes(b"picture")
    pair = {"person_ids": [1, 0], "smplx": {"region_id": [[3, 7], [3, 58]]}}
    lost = {"person_ids": [0, 9], "smplx": {"region_id": []}}
    entry = {"bbxes": [[0, 0, 10, 20], [5, 0, 15, 20]], "ci_sign": [pair, lost]}
    file = tmp_path / "test" / "interaction_contact_signature.json"
    file.write_text(json.dumps({"a": entry}))
    drops = Drops()
    (record,) = read_flickrci3d(tmp_path, drops)
    assert record.contacts == (("left hand", "chest"),)
    assert [person.box for person in record.scene.people] == [(5, 0, 15, 20), (0, 0, 10, 20)]
    assert record.image == images / "a.png"
    assert "not among 2 boxes" in drops.dropped[0].reason


def test_moyo_gives_the_middle_of_each_recording(tmp_path):
    folder = tmp_path / "220923" / "mosh" / "val"
    folder.mkdir(parents=True)
    poses = np.zeros((401, 165))
    poses[200, 3:6] = 0.3
    recording = {"fullpose": poses, "trans": np.zeros((401, 3))}
    with (folder / "220923_yogi_body_hands_03596_Boat_Pose_-a_stageii.pkl").open("wb") as file:
        pickle.dump(recording, file)
    (record,) = read_moyo(tmp_path, Drops())
    (person,) = record.scene.people
    assert float(person.pose.axis_angle[0, 1].norm()) == pytest.approx(0.3 * 3**0.5, abs=1e-4)
    assert (record.split, record.touch_m) == ("val", 0.02)


def test_an_empty_folder_is_named(tmp_path):
    for read, name in ((read_hi4d, "Hi4D"), (read_chi3d, "CHI3D"), (read_moyo, "MOYO")):
        with pytest.raises(SourceError, match=name):
            list(read(tmp_path, Drops()))
