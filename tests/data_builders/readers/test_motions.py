"""AMASS, MOYO, BABEL, PoseScript, PoseFix and our own folder, in their own layouts."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from data_builders.readers.babel import labels_of_frames
from data_builders.readers.motions import find_recording
from data_builders.readers.moyo import label_of
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from tests.data_builders.test_mocap import small_folder
from tests.fakes.motion_datasets import (
    babel_label,
    write_amass,
    write_amass_smplx,
    write_babel,
    write_moyo,
    write_posefix,
    write_posescript,
)
from tests.fakes.motion_files import bvh_text, write_bvh_text
from unipose.body.pose import Pose
from unipose.errors import ConfigError, EmptySourceError, SourceError

CMU = "CMU/01/01_01_poses.npz"
KIT = "KIT/3/walk_poses.npz"


def read(text):
    drops = Drops()
    return list(open_source(text, drops)), drops


def test_amass_is_read_every_so_often_and_stands_up(tmp_path):
    write_amass(tmp_path, CMU, frames=25, fps=120)
    records, drops = read(f"amass={tmp_path}?fps=10")
    assert [record.key for record in records] == [f"amass/{CMU}:{i}" for i in (0, 12, 24)]
    pose = records[1].pose
    assert torch.allclose(pose.rotations[0, 0], torch.eye(3), atol=1e-6)  # upright, y up
    assert torch.allclose(pose.axis_angle[0, 4], torch.tensor([-0.12, 0, 0]), atol=1e-5)
    # the pelvis hangs 0.223 m under SMPL's origin: it is at (0.5, 1.777, 0.95) in the file
    pelvis = pose.translation[0] + torch.tensor([0, -0.223, 0])
    assert torch.allclose(pelvis, torch.tensor([0.5, 0.95, -1.777]), atol=1e-5)
    assert (pose.body, pose.betas.shape, len(drops)) == ("smplh", (1, 10), 0)


def test_both_releases_of_amass_are_read_and_split_by_subset(tmp_path):
    write_amass(tmp_path, "SSM_synced/s/1_poses.npz", frames=1)
    write_amass(tmp_path, "HumanEva/s/1_poses.npz", frames=1)
    write_amass_smplx(tmp_path, frames=1)
    records, _ = read(f"amass={tmp_path}")
    assert {r.key.split("/")[1]: (r.split, r.pose.body) for r in records} == {
        "CMU": ("train", "smplx"),
        "HumanEva": ("val", "smplh"),
        "SSM_synced": ("test", "smplh"),
    }
    chosen, _ = read(f"amass={tmp_path}?split=test")
    assert [record.split for record in chosen] == ["test"]


def test_a_record_does_not_hold_its_whole_recording(tmp_path):
    write_amass(tmp_path, CMU, frames=240)
    records, _ = read(f"amass={tmp_path}?fps=1")
    assert records[0].pose.rotations.untyped_storage().nbytes() == 24 * 9 * 4


def test_a_recording_with_nan_is_left_out_with_its_reason(tmp_path):
    write_amass(tmp_path, CMU)
    file = write_amass(tmp_path, KIT)
    arrays = dict(np.load(file))
    arrays["poses"][3, 7] = np.nan
    np.savez(file, **arrays)
    records, drops = read(f"amass={tmp_path}")
    assert {record.key.split(":")[0] for record in records} == {f"amass/{CMU}"}
    assert "NaN" in drops.dropped[0].reason


def test_moyo_is_labelled_with_the_pose_and_loses_its_t_poses(tmp_path):
    write_moyo(tmp_path, frames=240)
    records, _ = read(f"moyo={tmp_path}?fps=0")
    assert [records[0].other["frame"], records[-1].other["frame"]] == [102, 137]
    assert records[0].label == "boat pose or paripurna navasana"
    assert (records[0].split, records[0].pose.body) == ("train", "smplx")
    assert records[0].pose.betas is None
    assert torch.allclose(records[0].pose.rotations[0, 0], torch.eye(3), atol=1e-6)


def test_the_name_of_a_yoga_pose_is_read_off_the_file():
    assert (
        label_of("220926_yogi_body_hands_03596_Warrior_III_Pose_-c_stageii") == "warrior iii pose"
    )
    assert label_of("female_stagei") == ""


def test_babel_labels_the_frames_of_amass(tmp_path):
    write_amass(tmp_path / "amass", CMU, frames=24, fps=120)
    labels = [babel_label("walk", 0.0, 0.1), babel_label("wave", 0.05, 0.15)]
    write_babel(tmp_path / "babel", frame_labels=labels)
    records, drops = read(
        f"babel={tmp_path / 'babel'}?amass={tmp_path / 'amass'}&fps=40&only=CMU/*"
    )
    own = [record for record in records if record.key.startswith("babel/CMU/")]
    assert [(r.other["frame"], r.label) for r in own[:7]] == [
        (0, "walk"), (3, "walk"), (6, "walk and wave"), (9, "walk and wave"),
        (12, "walk and wave"), (15, "wave"), (18, "wave"),
    ]  # fmt: skip
    assert own[7].label == "move about"  # the extra file labels the sequence as a whole
    assert "5 frames have no label" in drops.dropped[0].reason


def test_labels_of_frames_are_joined_as_documented():
    pose = Pose(rotations=torch.eye(3).expand(5, 24, 3, 3), fps=2.0)
    labels = labels_of_frames([(0.0, 1.0, "walk"), (0.5, 2.0, "wave")], pose)
    assert list(labels.values()) == ["walk", "walk and wave", "walk and wave", "wave", "wave"]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        (CMU, "CMU/CMU/01/01_01_poses.npz"),
        ("BioMotionLab_NTroje/rub001/a_poses.npz", "BMLrub/BioMotionLab_NTroje/rub001/a_poses.npz"),
        ("BMLrub/rub001/a_stageii.npz", "BMLrub/BioMotionLab_NTroje/rub001/a_poses.npz"),
        ("ACCAD/f/A1_-_Stand_stageii.npz", "ACCAD/ACCAD/f/A1 - Stand_poses.npz"),
        (CMU, CMU),
    ],
)
def test_amass_files_are_found_under_the_names_of_other_data_sets(stored, asked, tmp_path):
    file = tmp_path / stored
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert find_recording(tmp_path, asked) == file
    assert find_recording(tmp_path / "CMU", f"../{asked}") is None


INDEX = {
    "1": ["AMASS", CMU, 5],
    "2": ["AMASS", CMU, 9],
    "3": ["AMASS", KIT, 0],
    "4": ["AMASS", CMU, 4000],
    "5": ["other", CMU, 1],
    "6": ["AMASS", "KIT/9/gone_poses.npz", 1],
}


def amass_folder(tmp_path):
    write_amass(tmp_path / "amass", CMU)
    write_amass(tmp_path / "amass", KIT)
    return tmp_path / "amass"


def test_posescript_gives_people_s_words_for_the_frame_they_saw(tmp_path):
    folder = write_posescript(tmp_path / "posescript", INDEX)
    records, drops = read(f"posescript={folder}?amass={amass_folder(tmp_path)}")
    (record,) = records
    assert (record.key, record.split) == ("posescript/1", "train")
    assert record.texts == ("The person stands.", "Someone is upright.")
    assert float(record.pose.axis_angle[0, 4, 0]) == pytest.approx(-0.05, abs=1e-5)
    assert len(drops) == 0


def test_posescript_s_automatic_texts_come_when_asked_for_and_bad_entries_are_left_out(tmp_path):
    folder = write_posescript(tmp_path / "posescript", INDEX)
    records, drops = read(f"posescript={folder}?amass={amass_folder(tmp_path)}&texts=automatic")
    assert {r.key: r.split for r in records} == {
        "posescript/1": "train", "posescript/2": "val", "posescript/3": "train",
    }  # fmt: skip
    reasons = {drop.key: drop.reason for drop in drops.dropped}
    assert reasons["posescript/4"] == f"{CMU} has 24 frames, no 4000"
    assert "expected [AMASS, path, frame]" in reasons["posescript/5"]
    assert "no recording KIT/9/gone_poses.npz" in reasons["posescript/6"]


def test_posefix_gives_pairs_and_says_whether_they_share_a_world(tmp_path):
    folder = write_posefix(tmp_path / "posefix", INDEX)
    pairs, drops = read(f"posefix={folder}?amass={amass_folder(tmp_path)}")
    assert [(p.key, p.split, p.same_world, p.texts) for p in pairs] == [
        ("posefix/0", "val", True, ("Lift your left knee.",)),
        ("posefix/1", "train", False, ("Lower it.",)),
    ]
    knees = [float(r.pose.axis_angle[0, 4, 0]) for r in (pairs[0].first, pairs[0].second)]
    assert knees == pytest.approx([-0.05, -0.09], abs=1e-5)
    assert {"posefix/2", "posefix/7"} <= {drop.key for drop in drops.dropped}


def test_sources_that_point_into_amass_ask_for_it(tmp_path):
    folder = write_posescript(tmp_path, INDEX)
    with pytest.raises(ConfigError, match="amass=FOLDER"):
        read(f"posescript={folder}")
    with pytest.raises(EmptySourceError, match="no recording"):
        read(f"posescript={folder}?amass={tmp_path / 'nowhere'}")


def test_a_release_that_is_no_json_is_named(tmp_path):
    folder = write_posefix(tmp_path / "posefix", INDEX)
    (folder / "pair_id_2_pose_ids.json").write_text(json.dumps([[1, 2]])[:-2])
    with pytest.raises(SourceError, match=r"pair_id_2_pose_ids\.json.*Download it again"):
        read(f"posefix={folder}?amass={amass_folder(tmp_path)}")


def test_files_without_a_manifest_are_of_the_split_that_their_folder_names(tmp_path):
    steps = [{"position": (0, 86, i)} for i in range(30)]
    for split in ("train", "val", "other"):
        (tmp_path / split).mkdir()
        write_bvh_text(tmp_path / split, bvh_text(steps), "clip.bvh")
    write_amass(tmp_path, "test/a_poses.npz", frames=24)
    (tmp_path / "notes.txt").write_text("not a pose")
    (tmp_path / "broken.bvh").write_text("HIERARCHY")
    records, drops = read(f"files={tmp_path}?fps=10")
    splits = {record.key.rpartition(":")[0]: record.split for record in records}
    assert splits == {
        "files/other/clip.bvh": "train", "files/test/a_poses.npz": "test",
        "files/train/clip.bvh": "train", "files/val/clip.bvh": "val",
    }  # fmt: skip
    assert [drop.key for drop in drops.dropped] == ["files/broken.bvh", "files/test/shape.npz"]
    val, _ = read(f"files={tmp_path}?split=val&fps=10")
    assert len(val) == 10
    assert float(val[0].pose.rotations[0, 0, 1, 1]) > 0.99  # y up
    (tmp_path / "manifest.csv").write_text("path,split,fps\n")
    with pytest.raises(ConfigError, match="ask for it as mocap="):
        read(f"files={tmp_path}")


def test_our_own_recordings_are_a_source_too(tmp_path):
    small_folder(tmp_path)
    records, drops = read(f"mocap={tmp_path}?fps=30&split=test")
    assert [records[1].key, records[1].label] == ["mocap/clip.bvh:2", "a dance, slow"]
    assert (len(records), records[0].other["group"], len(drops)) == (20, "dance", 0)
