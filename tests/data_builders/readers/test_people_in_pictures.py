"""Human3.6M, 3DHP, H3WB, 3DPW, BEDLAM, COCO and MPII, in their own layouts, units and axes."""

from __future__ import annotations

import json
import pickle
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from data_builders.readers.pictures import read_picture
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from tests.fakes.coco_datasets import (
    coco_person,
    coco_whole_body_person,
    write_coco,
    write_crowdpose,
    write_mpii,
    write_ubody,
)
from tests.fakes.picture_datasets import (
    FOCAL,
    H36M_PICTURE,
    Hdf5File,
    standing,
    write_3dpw,
    write_bedlam,
    write_egobody,
    write_h3wb,
    write_h3wb_samples,
    write_human36m,
    write_jpeg,
    write_mpi_inf_3dhp,
    write_mpi_inf_3dhp_test,
)
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, HUMAN36M_17, SMPL_24
from unipose.errors import EmptySourceError, FileNote, SourceError
from unipose.files.smpl_parameters import mean_pelvis


def read(text):
    drops = Drops()
    return list(open_source(text, drops)), drops


def assert_seen_where_it_stands(record, size):
    """The 3D landmarks stand upright, face the camera, and fall on the 2D ones in it."""
    body = record.keypoints_3d
    assert np.allclose(body.points[0], standing(body.keypoint_set.names), atol=1e-4)
    seen = record.camera.project(body.points, width_px=size[0], height_px=size[1])
    assert np.allclose(seen, record.keypoints_2d.points, atol=0.02)
    left, top, right, bottom = record.box
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]


def test_human36m_comes_upright_in_metres_with_its_camera_and_fit(tmp_path):
    (record,), _ = read(f"human36m={write_human36m(tmp_path)}")
    assert_seen_where_it_stands(record, (1000, 1002))
    assert record.keypoints_3d.keypoint_set is HUMAN36M_17
    assert torch.allclose(record.pose.rotations[0, 0], torch.eye(3), atol=1e-6)
    assert (record.split, record.label, record.other["subject"]) == ("train", "Directions", 1)
    assert record.image == tmp_path / "images" / H36M_PICTURE
    assert record.box == (300, 150, 700, 950)


def test_human36m_without_fits_has_no_pose_and_invents_none(tmp_path):
    (record,), _ = read(f"human36m={write_human36m(tmp_path, fitted=False)}")
    assert record.pose is None


def test_human36m_with_one_file_of_a_subject_missing_names_it(tmp_path):
    write_human36m(tmp_path)
    (tmp_path / "annotations" / "Human36M_subject1_camera.json").unlink()
    with pytest.raises(SourceError, match=r"camera\.json: is missing"):
        read(f"human36m={tmp_path}")


def test_mpi_inf_3dhp_without_pictures_names_the_film(tmp_path):
    records, drops = read(f"mpi_inf_3dhp={write_mpi_inf_3dhp(tmp_path)}?fps=5")
    assert len(records) == 8 * 2  # eight cameras, frames 0 and 5 of 25 per second
    assert_seen_where_it_stands(records[1], (2048, 2048))
    assert records[1].key == "mpi_inf_3dhp/S1/Seq1/video_0:5"
    assert records[1].image is None
    assert records[1].other["film"] == "S1/Seq1/imageSequence/video_0.avi"
    assert len(drops) == 0


def test_mpi_inf_3dhp_drops_nan_joints_and_pictures_that_are_not_there(tmp_path):
    folder = write_mpi_inf_3dhp(tmp_path, broken_frame=2)
    write_jpeg(folder / "S1/Seq1/imageFrames/video_0/frame_000001.jpg", (2048, 2048))
    records, drops = read(f"mpi_inf_3dhp={folder}?fps=0&only=S1/*")
    own = [r for r in records if "video_0:" in r.key]
    assert [r.image.name for r in own] == ["frame_000001.jpg"]
    reasons = {drop.key: drop.reason for drop in drops.dropped}
    assert reasons["mpi_inf_3dhp/S1/Seq1/video_0:2"] == "annot3 holds NaN"
    assert "no such picture" in reasons["mpi_inf_3dhp/S1/Seq1/video_0:3"]


def test_mpi_inf_3dhp_s_test_set_says_that_it_needs_h5py(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)  # as where it is not installed
    file = tmp_path / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"MATLAB 7.3 MAT-file")
    with pytest.raises(EmptySourceError, match=r"pip install 'unipose\[mat73\]'"):
        read(f"mpi_inf_3dhp={tmp_path}")


def test_mpi_inf_3dhp_s_test_set_gives_valid_frames_in_its_camera(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", SimpleNamespace(File=Hdf5File))
    records, _ = read(f"mpi_inf_3dhp={write_mpi_inf_3dhp_test(tmp_path)}?fps=0&split=test")
    assert [record.key for record in records] == ["mpi_inf_3dhp/TS1:0", "mpi_inf_3dhp/TS1:2"]
    record = records[1]
    assert (record.image.name, record.label) == ("img_000003.jpg", "exercise")
    seen = record.camera.project(record.keypoints_3d.points, width_px=2048, height_px=2048)
    # the fake's focal is rounded
    assert (seen - record.keypoints_2d.points).abs().max() < 2
    head, ankle = (record.keypoints_3d.point(name)[0] for name in ("head_top", "left_ankle"))
    assert head[1] - ankle[1] > 1  # y up, though the camera looks down a little


def test_h3wb_s_archive_gives_every_view(tmp_path):
    records, _ = read(f"h3wb={write_h3wb(tmp_path)}")
    assert len(records) == 2 * 4
    record = records[0]
    body = standing(COCO_WHOLEBODY_133.names)
    assert np.allclose(record.keypoints_3d.points[0], body, atol=1e-4)
    assert record.key == "h3wb/S1/Directions 1/54138969:0"
    assert (record.other["frame"], record.label) == ("0075", "Directions 1")
    assert record.keypoints_2d.keypoint_set is COCO_WHOLEBODY_133


def test_h3wb_s_samples_are_turned_from_the_camera(tmp_path):
    (record,), _ = read(f"h3wb={write_h3wb_samples(tmp_path)}")
    relative = record.keypoints_3d.points[0] - record.keypoints_3d.points[0, 11]
    body = standing(COCO_WHOLEBODY_133.names)
    assert np.allclose(relative, body - body[11], atol=1e-4)
    assert record.box == (300, 200, 700, 900)


def test_3dpw_keeps_its_world_and_drops_frames_without_a_camera(tmp_path):
    records, drops = read(f"3dpw={write_3dpw(tmp_path)}?fps=0")
    assert [record.key for record in records] == [
        f"3dpw/downtown_walking_00:{i}:0" for i in range(3)
    ]
    assert_seen_where_it_stands(records[1], (1080, 1920))
    assert records[1].keypoints_3d.keypoint_set is SMPL_24
    assert records[0].keypoints_2d.point("right_wrist").tolist() == [[500, 700]]
    assert records[0].keypoints_2d.point("nose").isnan().all()
    assert float(records[0].detected_2d.scores.max()) == pytest.approx(0.8)
    assert records[1].detected_2d is None
    assert (records[0].pose.body, records[0].other["gender"]) == ("smpl", "m")
    assert torch.allclose(records[0].pose.translation[0], torch.tensor([0.0, 1.17, 0.0]))
    assert drops.dropped[0].reason == "the camera's place is not valid for this frame"


def test_3dpw_s_damaged_sequence_is_left_out_by_name(tmp_path):
    write_3dpw(tmp_path)
    bad = tmp_path / "sequenceFiles" / "train" / "arguing_00.pkl"
    bad.write_bytes((tmp_path / "sequenceFiles/train/downtown_walking_00.pkl").read_bytes()[:5000])
    records, drops = read(f"3dpw={tmp_path}")
    assert len(records) == 1
    assert "cut short or damaged" in next(d.reason for d in drops.dropped if "arguing" in d.key)


def test_3dpw_with_entries_that_do_not_fit_together_gives_reasons(tmp_path):
    write_3dpw(tmp_path, poses=[np.zeros((2, 72))], trans=[np.full((4, 3), np.nan)])
    with pytest.raises(EmptySourceError, match="trans holds NaN") as error:
        read(f"3dpw={tmp_path}?fps=0")
    assert "poses has nothing for person 0 in frame 2" in str(error.value)


def test_egobody_is_brought_before_the_headset(tmp_path):
    records, drops = read(f"egobody={write_egobody(tmp_path)}?fps=0")
    assert [record.other["frame"] for record in records] == [100, 102]
    first = records[0]
    assert (first.split, first.pose.body, first.other["gender"]) == ("test", "smpl", "male")
    assert torch.allclose(first.pose.rotations[0, 0], torch.eye(3), atol=1e-5)
    pelvis = first.pose.translation[0] + mean_pelvis("smpl")
    assert pelvis[0] == pytest.approx(float(mean_pelvis("smpl")[0]), abs=0.01)
    assert pelvis[2] == pytest.approx(-4.0, abs=0.1)
    seen = first.camera.project(pelvis[None].double(), height_px=1080, width_px=1920)
    assert 900 < float(seen[0, 0]) < 1020
    assert first.detected_2d.scores[0, 0] == pytest.approx(0.8)
    assert first.keypoints_2d.scores[0, 0] == 1
    reasons = {drop.key: drop.reason for drop in drops.dropped}
    assert "no SMPL parameters" in reasons["egobody/recording_20210907_S03_S04_01:101"]
    assert "no keypoint" in reasons["egobody/recording_20210907_S03_S04_01:103"]


class Harmful:
    def __reduce__(self):
        import os

        return (os.system, ("echo harm > harmed",))


def test_a_hostile_pickle_is_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_3dpw(tmp_path)
    file = tmp_path / "sequenceFiles" / "train" / "evil_00.pkl"
    file.write_bytes(pickle.dumps({"poses": Harmful()}, protocol=2))
    _, drops = read(f"3dpw={tmp_path}")
    reasons = {drop.key: drop.reason for drop in drops.dropped}
    assert "nothing in it was executed" in reasons["3dpw/evil_00"]
    assert not (tmp_path / "harmed").exists()


def test_a_hostile_archive_is_refused_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "h3wb_train.npz", train_data=np.array(Harmful(), dtype=object))
    with pytest.raises(SourceError, match="nothing in it was executed"):
        read(f"h3wb={tmp_path}")
    assert not (tmp_path / "harmed").exists()


def test_bedlam_s_world_is_turned_the_right_way_up(tmp_path):
    (record,), _ = read(f"bedlam={write_bedlam(tmp_path)}")
    assert torch.allclose(record.pose.rotations[0, 0], torch.eye(3), atol=1e-6)
    assert record.pose.betas[0, 9] == pytest.approx(0.8)
    # the pelvis, 0.351 m under the origin, is at (0, -1.351, 0) y down, so 1.351 m high
    assert float(record.pose.translation[0, 1]) == pytest.approx(1.351 + 0.351, abs=1e-5)
    seen = record.camera.project(
        torch.from_numpy(standing(SMPL_24.names)[:22]), width_px=1280, height_px=720
    )
    assert np.allclose(seen, record.keypoints_2d.points[0], atol=0.02)
    assert record.other["gender"] == "female"


def test_a_close_up_of_bedlam_is_turned_clockwise(tmp_path):
    folder = write_bedlam(tmp_path)
    (labels,) = (folder / "labels").glob("*.npz")
    arrays = dict(np.load(labels))
    arrays["cam_int"] = np.array([[[FOCAL, 0, 360], [0, FOCAL, 640], [0, 0, 1.0]]])
    arrays["gtkps"][0, :, :2] = np.linspace(100, 600, 24)[:, None]
    np.savez(labels, **arrays)
    (picture,) = (folder / "images").rglob("*.png")
    stored = np.zeros((720, 1280, 3), dtype=np.uint8)
    stored[:, :640] = (255, 0, 0)  # its left is above once it is turned clockwise
    Image.fromarray(stored).save(picture)
    for options in ("", "?pictures=unchecked"):
        with pytest.warns(FileNote, match="since they are sideways"):
            (record,), _ = read(f"bedlam={folder}{options}")
        assert record.orientation == 6
    pixels = read_picture(record.image, orientation=6)
    assert pixels.shape == (1280, 720, 3)
    assert pixels[100, 300].tolist() == [255, 0, 0]
    assert pixels[1000, 300].tolist() == [0, 0, 0]


def test_coco_marks_what_is_seen_hidden_and_not_labelled(tmp_path):
    (record,), _ = read(f"coco={write_coco(tmp_path, [coco_person(5)])}")
    keypoints = record.keypoints_2d
    assert keypoints.scores[0, COCO_17.index["left_hip"]] == 0.5
    assert keypoints.point("left_shoulder").tolist() == [[110, 80]]
    assert keypoints.point("right_knee").isnan().all()
    assert (record.key, record.split, record.box) == ("coco/val2017/5", "val", (80, 40, 140, 190))


def test_crowdpose_has_its_own_keypoints(tmp_path):
    (record,), _ = read(f"crowdpose={write_crowdpose(tmp_path)}")
    assert (record.key, record.split) == ("crowdpose/images/3", "test")
    assert record.keypoints_2d.keypoint_set.name == "crowdpose-14"
    assert record.keypoints_2d.point("head_top")[0].tolist() == [112, 98]
    assert record.keypoints_2d.scores[0, :2].tolist() == [0.5, 1.0]


def test_of_ubody_every_tenth_frame_is_read(tmp_path):
    records, _ = read(f"ubody={write_ubody(tmp_path)}")
    assert [record.key for record in records] == [
        "ubody/Singing/train/10", "ubody/Singing/train/20",
    ]  # fmt: skip
    assert records[0].image == tmp_path / "images" / "Singing" / "10.jpg"
    assert len(records[0].keypoints_2d.keypoint_set) == 133


def test_coco_whole_body_has_its_hand(tmp_path):
    folder = write_coco(tmp_path, [coco_whole_body_person(5)], stem="coco_wholebody_val_v1.0")
    (record,), _ = read(f"coco_wholebody={folder}")
    assert record.keypoints_2d.point("left_thumb1").tolist() == [[91, 160]]
    assert float(record.keypoints_2d.scores.sum()) == 2.5 + 21


BAD_PEOPLE = {
    "no keypoint of this person is labelled": {"keypoints": [0] * 51},
    "is a crowd": {"iscrowd": 1},
    "image_id 5 is not in the file": {"image_id": 5},
    "keypoints has the shape (50,)": {"keypoints": [1] * 50},
    "keypoints holds NaN": {"keypoints": [float("nan")] * 51},
    "absurdly large": {"keypoints": [1e300, 2, 2] * 17},
    "holds something that is no number": {"keypoints": ["a"] * 51},
    "marks of visibility other than": {"keypoints": [5, 5, 9] * 17},
    "box (80, 40, 80, 40) is empty": {"bbox": [80, 40, 0, 0]},
}


@pytest.mark.parametrize("reason", BAD_PEOPLE)
def test_an_annotation_without_the_person_is_left_out_with_a_reason(reason, tmp_path):
    people = [coco_person(1), coco_person(2, **BAD_PEOPLE[reason])]
    records, drops = read(f"coco={write_coco(tmp_path, people)}")
    assert [record.key for record in records] == ["coco/val2017/1"]
    assert reason in drops.dropped[0].reason


def test_annotations_that_are_no_objects_are_left_out(tmp_path):
    people = [coco_person(1), 7, None, [], {"id": 9}]
    records, drops = read(f"coco={write_coco(tmp_path, people)}")
    assert (len(records), len(drops)) == (1, 4)


@pytest.mark.parametrize("name", ["../../secret.jpg", "/etc/hostname", "", 5])
def test_a_picture_outside_of_the_folder_is_not_read(name, tmp_path):
    folder = write_coco(tmp_path, [coco_person(1)])
    file = folder / "annotations" / "person_keypoints_val2017.json"
    content = json.loads(file.read_text())
    content["images"][0]["file_name"] = name
    file.write_text(json.dumps(content))
    with pytest.raises(EmptySourceError, match=r"leads out of its folder|expected the name"):
        read(f"coco={folder}")


def test_pictures_that_are_missing_cut_off_or_of_another_size_are_left_out(tmp_path):
    folder = write_coco(tmp_path, [coco_person(1)])
    picture = folder / "val2017" / "000000397133.jpg"
    whole = picture.read_bytes()
    for content, said in ((whole[:60], "no whole picture"), (b"GIF89a", "no whole picture")):
        picture.write_bytes(content)
        with pytest.raises(EmptySourceError, match=said):
            read(f"coco={folder}")
    write_jpeg(picture, (641, 427))
    with pytest.raises(EmptySourceError, match="has 641 x 427 pixels, its annotation says 640"):
        read(f"coco={folder}")
    picture.unlink()
    with pytest.raises(EmptySourceError, match="there is no such picture"):
        read(f"coco={folder}")
    records, _ = read(f"coco={folder}?pictures=unchecked")
    assert len(records) == 1


def test_mpii_has_activities_and_marks_visibility_in_three_ways(tmp_path):
    (record,), drops = read(f"mpii={write_mpii(tmp_path)}")
    keypoints = record.keypoints_2d
    assert keypoints.scores[0, :5].tolist() == [1, 1, 0.5, 0.5, 0]
    assert keypoints.point("right_knee").tolist() == [[110, 200]]
    assert (record.label, record.other["category"]) == ("curling", "sports")
    assert record.box == (0, 40, 265, 340)
    assert drops.dropped[0].reason == "no keypoint of this person is labelled"


def test_mpii_s_file_cut_off_is_named(tmp_path):
    write_mpii(tmp_path)
    file = next(tmp_path.glob("**/*.mat"))
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(SourceError, match="Download it again"):
        read(f"mpii={tmp_path}")
