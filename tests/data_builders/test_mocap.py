"""Folders of motion capture: what the manifest says is what is read."""

from __future__ import annotations

import pytest
import torch

from data_builders.mocap import COLUMNS, choose, read_manifest
from tests.fakes.motion_files import bvh_text, write_amc, write_bvh_text
from unipose.errors import ConfigError, FileError, MissingFileError

HEADER = ",".join(COLUMNS)


def small_folder(tmp_path, *, frames=40, note="", rows=()):
    """Write a folder of one BVH (a step to the front per frame) and one AMC motion."""
    steps = [{"position": (0, 86, i)} for i in range(40)]
    write_bvh_text(tmp_path, bvh_text(steps), "clip.bvh")
    write_amc(tmp_path, [{"lradius": [i]} for i in range(9)])
    lines = [
        HEADER,
        f'clip.bvh,some,dance,"a dance, slow",test,60,{frames},bvh,"{note}"',
        "07_01.amc,other,walk,walk,train,120,9,07.asf,",
        *rows,
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_recording_is_read_at_its_true_rate(tmp_path):
    clip, walk = read_manifest(small_folder(tmp_path))
    pose = clip.open(30.0)
    assert (len(pose), pose.fps) == (20, 30.0)  # the header of the file says 30, the manifest 60
    steps = pose.translation.diff(dim=0)[:, 2]
    assert torch.allclose(steps, steps[:1].expand_as(steps), atol=1e-5)
    assert len(walk.open(30.0)) == 3
    assert (clip.label, walk.split) == ("a dance, slow", "train")


def test_a_run_in_is_left_out(tmp_path):
    note = "frames 0-9 are a T-pose and a run-in, skip them"
    clip = read_manifest(small_folder(tmp_path, note=note))[0]
    assert clip.pick_frames(30.0).tolist() == list(range(10, 40, 2))


def test_frames_are_those_nearest_to_the_clock(tmp_path):
    clip = read_manifest(small_folder(tmp_path))[0]
    assert clip.pick_frames(25.0).tolist()[:6] == [0, 2, 5, 7, 10, 12]
    with pytest.raises(ConfigError, match="60 frames per second"):
        clip.pick_frames(61.0)


def test_a_file_that_is_not_the_one_described_is_named(tmp_path):
    clip = read_manifest(small_folder(tmp_path, frames=41))[0]
    with pytest.raises(FileError, match="manifest says 41"):
        clip.open()


def test_a_folder_without_a_manifest_is_named(tmp_path):
    with pytest.raises(MissingFileError, match=r"manifest\.csv"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "row", ["x.bvh,s,g,l,test,fast,40,bvh,", "x.bvh,s,g,l,test,0,40,bvh,", "x.bvh,s"]
)
def test_a_row_that_cannot_be_understood_is_named_by_its_line(tmp_path, row):
    with pytest.raises(FileError, match="line 4"):
        read_manifest(small_folder(tmp_path, rows=[row]))


def test_a_manifest_that_lacks_a_column_is_named(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,split\na,b\n")
    with pytest.raises(FileError, match="no column 'fps'"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_table_is_read_as_spreadsheets_save_it(tmp_path, delimiter, mark):
    folder = small_folder(tmp_path)
    rows = [row.split(",") for row in ("path,split,fps,label", "clip.bvh,test,30,walk")]
    table = "\r\n".join(delimiter.join(row) for row in rows)
    (folder / "manifest.csv").write_bytes(mark + table.encode())
    (clip,) = read_manifest(folder)
    assert (clip.path, clip.split, clip.fps, clip.label) == ("clip.bvh", "test", 30.0, "walk")
    assert (clip.frames, clip.group) == (40, "clip.bvh")
    assert len(clip.open(30.0)) == 40


def test_between_semicolons_a_number_may_have_a_comma(tmp_path):
    folder = small_folder(tmp_path)
    (folder / "manifest.csv").write_text("path;split;fps\nclip.bvh;test;29,97\n")
    assert read_manifest(folder)[0].fps == pytest.approx(29.97)


def test_recordings_are_chosen_by_split_and_path(tmp_path):
    recordings = read_manifest(small_folder(tmp_path))
    assert [r.path for r in choose(recordings, split="test")] == ["clip.bvh"]
    assert [r.path for r in choose(recordings, only="07*")] == ["07_01.amc"]
    assert len(choose(recordings, split="all")) == 2


def test_every_file_of_the_real_folder_is_there_and_its_first_ones_open(mocap_folder):
    recordings = read_manifest(mocap_folder)
    assert len(recordings) == 377
    assert all((mocap_folder / recording.path).is_file() for recording in recordings)
    of_each_source = {recording.source: recording for recording in recordings}
    for recording in of_each_source.values():
        pose = recording.open(10.0)
        assert len(pose) == len(recording.pick_frames(10.0)) > 5
