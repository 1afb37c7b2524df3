"""`unipose edit` of a recording: its own skeleton, one frame or a few, and every other byte."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.assistant import FakeAssistant
from tests.fakes.recordings import recording, write_recording
from unipose.app import cli, sources
from unipose.app.recording_picture import BONE, GHOST, TURNED
from unipose.files.bvh import read_bvh


@pytest.fixture
def edit(monkeypatch, capsys, tmp_path):
    """Return a function that edits walk.bvh by these words and gives (status, out, err)."""
    monkeypatch.setattr(sources, "load_assistant", FakeAssistant.load)
    monkeypatch.chdir(tmp_path)
    write_recording(tmp_path, "Mixamo").rename("walk.bvh")

    def run(*words: str, file: str = "walk.bvh", out: str = "out.bvh") -> tuple[int, str, str]:
        asked = ["unipose", "edit", file, "bend the left knee", "--out", out, *words]
        monkeypatch.setattr(sys, "argv", asked)
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


def changed_rows() -> list[int]:
    old, new = (Path(name).read_bytes().splitlines() for name in ("walk.bvh", "out.bvh"))
    return [k - len(old) + 9 for k in range(len(old)) if old[k] != new[k]]


@pytest.mark.slow
def test_one_frame_is_described_changed_and_written_on_its_own_skeleton(edit):
    status, out, err = edit("--frame", "4")
    assert (status, err) == (0, "")
    before, after, turned, root, file = out.splitlines()
    assert before.startswith("before, frame 4 (0.13 s): turned by ")
    assert after.startswith("after: turned by ")
    assert turned == "turned in frame 4, degrees: LeftLeg 29"
    assert root == "root: stays: the right foot stood still and did not move"
    assert file == "out.bvh"
    assert changed_rows() == [4]
    assert Path("walk.bvh").read_bytes() == recording("Mixamo")


@pytest.mark.slow
def test_what_was_done_is_one_json_object_and_a_picture(edit):
    status, out, _ = edit("--at", "0.1", "--blend", "2", "--picture", "seen.png", "--json")
    done = json.loads(out)
    assert status == 0
    assert (done["frame"], done["changed_frames"]) == (3, [1, 2, 3, 4, 5])
    assert done["turned_degrees"] == {"LeftLeg": pytest.approx(28.65, abs=0.05)}
    assert done["files"] == ["out.bvh", "seen.png"]
    assert changed_rows() == [1, 2, 3, 4, 5]
    pixels = np.asarray(Image.open("seen.png")).reshape(-1, 3)
    assert pixels.shape == (2 * 480 * 480, 3)
    for colour in (BONE, GHOST, TURNED):
        assert (pixels == colour).all(-1).sum() > 100


@pytest.mark.slow
def test_joints_that_would_turn_by_less_than_asked_stay_and_it_is_said(edit):
    status, out, err = edit("--frame", "4", "--least", "40")
    assert status == 0
    assert "turned: nothing" in out
    assert "Hardly anything has moved" in err
    assert Path("out.bvh").read_bytes() == Path("walk.bvh").read_bytes()


@pytest.mark.slow
def test_without_a_frame_the_first_one_is_changed_and_it_is_said(edit):
    _, _, err = edit()
    assert "holds 9 poses; this is the first, --at SECONDS or --frame N picks one" in err
    assert changed_rows() == [0]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--frame", "9"), "walk.bvh: there is no frame 9: the file has frames 0 to 8."),
        (("--at", "2"), "walk.bvh: no pose at 2 s: the recording has 9 poses at 30 per second"),
        (("--at", "0", "--frame", "0"), "by its second or by its frame, not by both"),
        (("--picture", "seen.gif"), "seen.gif has to end in .png"),
    ],
)
def test_what_cannot_be_done_is_one_line(edit, words, error):
    status, out, err = edit(*words)
    assert (status, out) == (2, "")
    assert error in err
    assert err.count("\n") == 1
    assert not Path("out.bvh").exists()


@pytest.mark.slow
def test_the_recording_of_the_page_is_this_walk(edit, tmp_path):
    page = Path(__file__).parents[2] / "docs" / "walk.bvh"
    ours = read_bvh(write_recording(tmp_path, "Mixamo", frames=33))
    theirs = read_bvh(page)
    assert theirs.joints == ours.joints
    assert theirs.tracks == pytest.approx(ours.tracks, abs=1e-6)


def test_a_recording_is_not_written_over(edit):
    status, _, err = edit("--frame", "1", out="walk.bvh")
    assert status == 2
    assert "walk.bvh would be written over" in err


def test_a_file_that_is_no_recording_is_refused(edit):
    Path("no.bvh").write_text("a,b\n1,2\n")
    status, _, err = edit("--frame", "0", file="no.bvh")
    assert status == 2
    assert "no.bvh" in err


def test_options_of_recordings_are_refused_for_other_files(edit):
    status, _, err = edit("--frame", "0", "--blend", "3", out="out.npz")
    assert status == 2
    assert "--blend, --least and --picture need a .bvh that is written as .bvh" in err
