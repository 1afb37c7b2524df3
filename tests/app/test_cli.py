"""The `unipose` command, from the command line to files and exit statuses, with a fake model.

One file: all words of the command are asked through one fixture, many tests ask several of them.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.assistant import FakeAssistant, SilentAssistant
from tests.fakes.speaker import FakeSpeaker
from tests.fakes.tiny_model import tiny_assistant
from unipose.app import cli, sources
from unipose.app.examples import example_pose
from unipose.app.wording import NOT_UNDERSTOOD, WELCOME
from unipose.errors import PoseQueryError
from unipose.files import open_pose, save_pose

AT_ONE_SECOND = math.pi / 2 + 30 / 59
"""How far the recording's joints are turned: AMASS is z up, so the root is turned upright."""


@pytest.fixture
def unipose(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command with its words and gives (status, out, err)."""
    monkeypatch.setattr(sources, "load_assistant", FakeAssistant.load)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unipose", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def squat(tmp_path: Path) -> str:
    return str(save_pose(example_pose("squat"), tmp_path / "squat.npz"))


@pytest.fixture
def recording(tmp_path: Path) -> str:
    turns = np.zeros((60, 72))
    turns[:, 50] = np.linspace(0, 1, 60)
    np.savez(tmp_path / "arm.npz", poses=turns, mocap_framerate=30.0)
    return str(tmp_path / "arm.npz")


def test_describe_prints_the_words_and_nothing_else(unipose, squat):
    status, out, err = unipose("describe", squat)
    assert (status, err) == (0, "")
    assert out.startswith("turned by ")
    assert out.count("\n") == 1


@pytest.mark.parametrize("words", [("describe",), ("compare", "squat.npz")])
def test_a_model_without_words_is_an_error(unipose, squat, monkeypatch, words: tuple[str, ...]):
    monkeypatch.setattr(sources, "load_assistant", SilentAssistant.load)
    status, out, err = unipose(*words, squat)
    assert (status, out) == (2, "")
    assert err.startswith("error: expected words about the pose, and the model said nothing")
    assert err.count("\n") == 1


def test_describe_takes_the_second_of_a_recording_that_was_asked_for(unipose, recording):
    _, out, err = unipose("describe", recording, "--at", "1", "--json")
    answer = json.loads(out)
    text = f"turned by {AT_ONE_SECOND:.2f}"
    assert answer == {
        "model": "fake", "file": recording, "at": 1.0, "frame": None, "text": text,
    }  # fmt: skip
    assert err == ""


def test_describe_without_a_second_says_which_pose_it_took(unipose, recording):
    status, _, err = unipose("describe", recording)
    assert status == 0
    assert "holds 60 poses; this is the first" in err


def test_compare_prints_one_json_object_with_both_files(unipose, squat, recording):
    _, out, _ = unipose("compare", squat, recording, "--at-b", "1", "--json")
    answer = json.loads(out)
    assert answer["files"] == [squat, recording]
    assert answer["text"].endswith(f"to {AT_ONE_SECOND:.2f}")


def test_generate_says_where_the_words_were_not_understood(unipose):
    for text in ("asdf qwerty", "человек стоит"):
        status, out, err = unipose("generate", text, "-o", "a.npz", "--seed", "3")
        assert (status, out, err) == (0, "a.npz\n", f"note: {NOT_UNDERSTOOD}\n")
        said = json.loads(unipose("generate", text, "-o", "a.npz", "--json")[1])
        assert said["understood"] is False
    status, out, err = unipose("generate", "someone waves", "-o", "a.npz", "--json")
    assert (json.loads(out)["understood"], err) == (True, "")


def test_generate_names_the_words_that_were_never_taught(unipose):
    text = "someone waves and wields a sword"
    _, out, err = unipose("generate", text, "-o", "a.npz", "--json")
    said = json.loads(out)
    assert (said["understood"], said["untaught"]) == (True, ["wields", "sword"])
    assert err.startswith('note: The pose model was never taught "wields" and "sword": ')


def test_generate_writes_the_same_pose_for_the_same_seed(unipose):
    unipose("generate", "someone waves", "-o", "a.npz", "--seed", "3")
    unipose("generate", "someone waves", "-o", "b.npz", "--seed", "3")
    assert np.array_equal(open_pose("a.npz").rotations, open_pose("b.npz").rotations)


def test_several_samples_stay_together_where_the_format_holds_them(unipose):
    status, out, _ = unipose("generate", "someone waves", "-o", "a.npz", "--samples", "3")
    assert (status, out) == (0, "a.npz\n")
    assert len(open_pose("a.npz")) == 3


def test_several_samples_get_a_file_each_where_the_format_holds_one(unipose):
    _, out, _ = unipose("generate", "someone waves", "-o", "a.obj", "--samples", "2", "--json")
    assert json.loads(out)["files"] == ["a-1.obj", "a-2.obj"]
    assert Path("a-2.obj").read_text().count("\nv ") > 6000


def test_edit_changes_the_pose_and_writes_it(unipose, squat):
    status, _, _ = unipose("edit", squat, "raise the left arm", "-o", "up.json")
    change = open_pose("up.json").axis_angle - example_pose("squat").axis_angle
    assert status == 0
    assert float(change.abs().max()) == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("ending", ["npz", "json", "npy", "bvh"])
def test_convert_keeps_the_pose_in_every_format_that_is_also_read(unipose, squat, ending):
    status, out, _ = unipose("convert", squat, f"again.{ending}")
    assert (status, out) == (0, f"again.{ending}\n")
    before, after = example_pose("squat").rotations, open_pose(f"again.{ending}").rotations
    assert float((before - after)[:, :22].abs().max()) < 0.02


@pytest.mark.slow
def test_compare_draws_both_and_what_moved(unipose, squat, recording):
    _, out, _ = unipose("compare", squat, recording, "--picture", "changes.png", "--json")
    assert json.loads(out)["picture"] == "changes.png"
    with Image.open("changes.png") as picture:
        assert picture.width > picture.height  # three panels in a row


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["describe", "nobody.npz"], "nobody.npz"),
        (["web", "--host", "0.0.0.0"], "--name mymachine.local"),
        (["convert", "nobody.npz", "x.bvh"], "nobody.npz"),
        (["describe", "photo.heic"], "save the photo as .jpg"),
        (["describe", "pose.xyz"], "Known are .npz, .json, .npy, .pkl, .pt, .bvh, .amc, .jpg"),
        (["describe", "tree pose"], "`unipose poses NAME -o FILE` writes it"),
        (["edit", "photo.bmp", "sit", "-o", "a.npz"], "is a photo"),
        (["describe", "photo.tiff"], "there is no such file"),
        (["describe", "esc\x1b[31m.npz"], "esc?[31m.npz"),
        (["describe", "line\nbreak.npz"], "line break.npz"),
    ],
)
def test_a_problem_is_one_line_with_status_2_and_no_traceback(unipose, words, problem):
    status, out, err = unipose(*words)
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert problem in err


@pytest.mark.parametrize(
    ("out", "problem"),
    [("nowhere/a.npz", "folder does not exist"), ("a.xyz", "unknown ending"), ("noend", "Known")],
)
def test_where_a_pose_goes_is_checked_before_a_model_is_loaded(
    unipose, squat, monkeypatch, out, problem
):
    monkeypatch.setattr(sources, "load_assistant", lambda *_, **__: pytest.fail("was loaded"))
    Image.new("RGB", (32, 32)).save("a.png")
    for words in (["generate", "sit"], ["edit", squat, "sit"], ["estimate", "a.png"]):
        status, said, err = unipose(*words, "-o", out)
        assert (status, said) == (2, "")
        assert problem in err


def test_a_seed_that_no_generator_takes_is_refused(unipose):
    assert unipose("generate", "sit", "-o", "a.npz", "--seed", str(10**30))[0] == 2
    with pytest.raises(PoseQueryError, match="at most 64 bits"):
        tiny_assistant().generate("sit", seed=10**30)


def test_a_folder_that_cannot_be_written_is_named(unipose, squat):
    status, _, err = unipose("convert", squat, "nowhere/x.npz")
    assert status == 2
    assert "nowhere/x.npz" in err


@pytest.mark.parametrize(
    "words",
    [
        ["generate", "someone waves"],
        ["generate", "someone waves", "-o", "a.npz", "--samples", "0"],
        ["generate", "someone waves", "-o", "a.npz", "--seed", "-1"],
        ["describe"],
        ["dance"],
        ["describe", "a.npz", "--at", "noon"],
    ],
)
def test_a_wrong_command_line_is_refused_with_status_2(unipose, words):
    status, out, err = unipose(*words)
    assert (status, out) == (2, "")
    assert "Usage:" in err


def test_version_is_that_of_the_package(unipose):
    for asked in ("version", "--version"):
        assert unipose(asked) == (0, "unipose 0.2.0\n", "")


def test_the_first_screen_says_what_to_type_and_how_to_leave():
    assert all(words in WELCOME for words in ("/pose squat", "raise the left arm", "/quit"))


@pytest.fixture
def photo(tmp_path: Path) -> str:
    Image.fromarray(np.full((30, 40, 3), 90, dtype=np.uint8)).save(tmp_path / "me.png")
    return str(tmp_path / "me.png")


def test_a_photo_is_described_and_two_are_compared(unipose, photo):
    assert unipose("describe", photo)[1] == "somebody in a picture of 40 x 30\n"
    assert unipose("compare", photo, photo)[1] == "from ndarray to ndarray\n"


def test_a_pose_is_read_off_a_photo_and_written(unipose, photo):
    status, out, _ = unipose("estimate", photo, "-o", "me.npz", "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["files"] == ["me.npz"]
    assert open_pose("me.npz").axis_angle[0, 16, 2] == pytest.approx(0.5)
    unipose("estimate", photo, "-o", "me.npz", "--box", "1", "2", "30", "28")
    assert open_pose("me.npz").axis_angle[0, 16, 2] == pytest.approx(0.25)
    _, out, _ = unipose("estimate", photo, "-o", "me.npz", "--who", "the person in red", "--json")
    assert json.loads(out)["who"] == "the person in red"


def test_a_place_before_the_camera_is_kept_with_numbers_and_left_out_of_scenes(unipose, photo):
    for name in ("me.npz", "me.json"):
        unipose("estimate", photo, "-o", name)
        pose = open_pose(name)
        assert pose.betas[0].tolist() == pytest.approx([0.5] * 10)
        assert pose.translation[0].tolist() == pytest.approx([0.0, -1.0, -40.0], abs=1e-5)
    unipose("estimate", photo, "-o", "me.obj")
    lines = Path("me.obj").read_text().splitlines()
    deep = [float(line.split()[3]) for line in lines if line.startswith("v ")]
    assert -1 < min(deep) < max(deep) < 1
    unipose("estimate", photo, "-o", "me.bvh")
    assert open_pose("me.bvh").translation[0].tolist() == pytest.approx([0.0] * 3, abs=0.1)


def test_a_photo_has_no_seconds(unipose, photo):
    status, _, err = unipose("describe", photo, "--at", "1")
    assert status == 2
    assert "has no seconds" in err


def test_the_embedded_model_reads_a_photo_with_its_own_eyes(photo, monkeypatch, capsys, tmp_path):
    out = tmp_path / "a.npz"
    for words in (["estimate", photo, "-o", str(out)], ["describe", photo]):
        monkeypatch.setattr(sys, "argv", ["unipose", *words, "--eyes", "own"])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        assert (left.value.code or 0, said.err) == (0, "")
        assert said.out.strip()
    assert len(open_pose(out)) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["describe", "SQUAT"],
        ["compare", "SQUAT", "SQUAT"],
        ["generate", "sit", "--out", "a.json"],
        ["edit", "SQUAT", "sit", "--out", "a.json"],
    ],
    ids=["describe", "compare", "generate", "edit"],
)
def test_the_model_computes_where_and_how_it_was_told(unipose, squat, monkeypatch, words):
    told = []
    load = sources.load_assistant
    monkeypatch.setattr(
        sources, "load_assistant", lambda folder, **how: told.append(how) or load(folder)
    )
    words = [squat if word == "SQUAT" else word for word in words]
    assert unipose(*words)[0] == 0
    assert unipose(*words, "--device", "cuda:1", "--dtype", "bfloat16")[0] == 0
    assert [(how["device"], how["dtype"]) for how in told] == [
        ("cpu", None),
        ("cuda:1", "bfloat16"),
    ]


def test_ask_answers_a_question_about_a_file(unipose, monkeypatch, squat):
    monkeypatch.setattr(sources, "load_assistant", lambda *_, **__: tiny_assistant())
    monkeypatch.setattr(
        sources, "load_speaker", lambda *_, **__: FakeSpeaker("> check bent left knee", "")
    )
    status, out, err = unipose("ask", squat, "is the left knee bent?", "--json")
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert said["text"] == "Yes: the left knee is bent by 110 degrees."
    assert said["value"] is True
    assert said["calls"] == ["> check bent left knee"]


def test_ask_without_a_file_says_how_to_ask(unipose):
    status, _, err = unipose("ask", "is the left knee bent?")
    assert status == 2
    assert "one or two files and then the question" in err


def test_a_file_that_is_not_there_is_told_before_any_model_is_loaded(unipose, monkeypatch):
    def load(*_: object, **__: object) -> None:
        raise AssertionError("loaded")

    monkeypatch.setattr(sources, "load_assistant", load)
    status, _, err = unipose("ask", "nobody.bvh", "is the left knee bent?")
    assert status == 2
    assert "nobody.bvh" in err


def test_a_body_that_is_not_there_is_named(unipose, squat):
    status, _, err = unipose("describe", squat, "--body", "none.npz")
    assert status == 2
    assert "none.npz" in err


def test_a_frame_is_the_pose_at_its_second(unipose, recording):
    by_frame = json.loads(unipose("describe", recording, "--frame", "30", "--json")[1])
    assert by_frame["text"] == f"turned by {AT_ONE_SECOND:.2f}"
    _, out, err = unipose("compare", recording, recording, "--at", "0", "--frame-b", "30")
    assert (out, err) == (f"from {math.pi / 2:.2f} to {AT_ONE_SECOND:.2f}\n", "")
    status, _, err = unipose("describe", recording, "--frame", "60")
    assert (status, "frames 0 to 59" in err) == (2, True)


def test_a_rate_that_the_file_does_not_know_can_be_told(unipose, tmp_path):
    np.savez(tmp_path / "a.npz", poses=np.zeros((40, 66)))
    status, _, err = unipose("convert", "a.npz", "a.glb")
    assert (status, "--fps N" in err) == (2, True)
    assert unipose("convert", "a.npz", "b.npz", "--fps", "20") == (0, "b.npz\n", "")
    assert open_pose("b.npz").fps == 20


def test_what_was_assumed_is_a_note_and_can_be_changed(unipose, tmp_path):
    lying = np.zeros((1, 72))
    lying[0, 0] = np.pi / 2
    np.savez(tmp_path / "a.npz", pose=lying)
    status, out, err = unipose("convert", "a.npz", "b.npz")
    assert (status, out) == (0, "b.npz\n")
    assert err.startswith("note: a.npz: does not say which way is up: read as y up")
    assert err.count("\n") == 1
    assert float(open_pose("b.npz").axis_angle[0, 0, 0]) == pytest.approx(np.pi / 2)
    assert unipose("convert", "a.npz", "b.npz", "--up", "z")[2] == ""
    assert float(open_pose("b.npz").axis_angle[0, 0, 0]) == pytest.approx(0, abs=1e-6)
    assert unipose("convert", "a.npz", "b.npz", "--up", "x")[0] == 2


def test_convert_writes_amass_s_layout(unipose, squat):
    assert unipose("convert", squat, "a.npz", "--layout", "amass", "--fps", "30")[0] == 0
    with np.load("a.npz") as arrays:
        assert arrays["poses"].shape == (1, 156)
        assert float(arrays["mocap_framerate"]) == 30
    back = open_pose("a.npz").rotations[:, :22]
    assert float((back - example_pose("squat").rotations[:, :22]).abs().max()) < 1e-5
    assert unipose("convert", squat, "a.json", "--layout", "amass")[0] == 2


@pytest.mark.parametrize("name", ["a.jfif", "a.bmp", "a.tif", "a.webp"])
def test_photos_of_every_ending_are_described(unipose, tmp_path, name):
    Image.fromarray(np.full((30, 40, 3), 90, dtype=np.uint8)).save(tmp_path / name)
    assert unipose("describe", name)[1] == "somebody in a picture of 40 x 30\n"


HEAVY = ("torch", "transformers", "unipose.files", "unipose.app.sources")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.npz", None),
        ("a.fbx", b"Kaydara FBX"),
        ("a.npz", b""),
        ("a.npz", b"no archive"),
        ("a.npy", b"no array"),
        ("a.json", b"<html>"),
        ("a.bvh", b"no motion"),
    ],
)
def test_a_bad_file_is_refused_before_anything_heavy_is_imported(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    program = (
        "import sys; from unipose.app.cli import main\n"
        f"sys.argv = ['unipose', 'describe', {name!r}]\n"
        "try: main()\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
    )  # fmt: skip
    assert (ran.returncode, ran.stdout) == (2, "[]\n")
    assert ran.stderr.startswith("error: ")
    assert name in ran.stderr


def test_named_poses_are_listed_told_and_written(unipose, tmp_path):
    code, listed, _ = unipose("poses")
    assert code == 0
    assert listed.splitlines()[0].startswith("dance: ")
    code, told, _ = unipose("poses", "standing upright")
    assert "standing with the arms at the sides" in told.splitlines()
    code, written, _ = unipose("poses", "lying on the back", "--out", str(tmp_path / "lying.npz"))
    assert code == 0
    assert len(open_pose(written.strip())) == 1
    code, _, wrong = unipose("poses", "standing uprigth")
    assert code == 2
    assert "near it: standing upright" in wrong
