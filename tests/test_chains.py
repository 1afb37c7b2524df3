"""Chains of stages: each is one command, whose files the next stage reads as they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_builders import example_files
from data_builders.example_files import RECORDINGS, ExampleConfig, moving_between
from data_builders.posecodes.scores import score_statements
from data_builders.readers.amass import split_of
from data_builders.readers.registry import open_source
from data_builders.readers.source import Drops
from tests.docs_commands import DOCS, commands, compared, printed, renewed
from tests.fakes.films import write_film
from train.your_own import PRESETS, YourOwnConfig, main
from unipose.app.examples import example_pose
from unipose.body.body import load_body
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, MissingFileError, SourceError
from unipose.files import open_pose
from unipose.files.keypoint_files import read_keypoint_file
from unipose.files.smpl_parameters import on_body
from unipose.posecodes.named_poses import NamedPoses
from unipose.vision.network_files import network_file


@pytest.fixture
def networks() -> None:
    try:
        network_file("nanodet")
    except MissingFileError:
        pytest.skip("the networks for photographs are not here")


@pytest.fixture(scope="module")
def amass(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    example_files.main(ExampleConfig(folder=folder, only=("amass",)))
    return folder / "AMASS"


def test_the_example_recordings_are_of_all_three_splits_of_amass():
    assert {split_of(path) for path in RECORDINGS} == {"train", "val", "test"}


def test_a_movement_passes_through_the_poses_it_is_named_after():
    named = NamedPoses.load()
    moved = moving_between(("standing upright", "squat", "chair pose"), named, fps=10.0)
    assert (len(moved), moved.fps) == (13, 10.0)
    for row, name in ((0, "standing upright"), (6, "squat"), (12, "chair pose")):
        assert torch.allclose(moved.rotations[row], named.centre(name).rotations[0], atol=1e-4)
    walk = moving_between(example_files.WALK, named)
    assert walk.translation is not None
    assert float(walk.translation[-1, 2]) == pytest.approx(0.3 * 7)


@pytest.mark.slow
def test_the_example_folder_is_read_as_amass_with_feet_on_the_floor(amass: Path):
    records = list(open_source(f"amass={amass}?only=CMU/01/*&fps=10", Drops()))
    assert len(records) == 43
    body = load_body()
    for record in records[::14]:
        lowest = float(body.mesh(on_body(record.pose, body)).vertices[..., 1].min())
        assert lowest == pytest.approx(0.0, abs=0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("networks")
def test_a_photograph_s_files_are_read_by_the_next_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    page = list(commands("photo_to_refined_pose.md"))
    for command, _ in page[:2]:
        printed(command)
    (scene,) = read_keypoint_file("out/photo-keypoints.json")
    assert [one.keypoints.keypoint_set.name for one in scene.people if one.keypoints] == ["coco-17"]
    report = json.loads(Path("out/photo.json").read_text())
    again = json.loads(
        printed(f"{page[1][0]} --json")  # finished: nothing is made again, only answered
    )
    assert (again["kept"], again["refined"]) == (1, [])
    assert [one["question"] for one in again["answers"]] == [
        "is the left hand above the head?", "how far is the left elbow bent?",
    ]  # fmt: skip
    assert report["samples"] == 5
    seen = np.asarray(Image.open("out/photo-contacts.png")).astype(int)
    assert (seen[..., 0] - seen[..., 1:].max(-1) > 60).sum() > 20  # what touches is red


@pytest.mark.slow
@pytest.mark.usefixtures("networks")
def test_a_photo_of_ten_pixels_shows_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (10, 10), (90, 120, 30)).save("tiny.png")
    assert printed("unipose refine tiny.png -o out --people 1") == (
        "error: tiny.png: shows nobody, expected 1. --people N says how many."
    )


@pytest.mark.slow
@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize("command", ["adapt {} -o out --overlay over.mp4", "track {} -o out.npz"])
def test_a_film_with_nobody_is_refused_and_leaves_no_files(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    write_film(tmp_path / "empty.mp4", count=12)
    said = printed(f"unipose {command.format('empty.mp4')}")
    assert said.startswith("error: empty.mp4: shows nobody")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.mp4"]


@pytest.mark.slow
@pytest.mark.usefixtures("networks")
def test_a_film_s_files_are_read_by_the_next_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    example_files.main(ExampleConfig(folder=Path(), only=("film",), side_px=224))
    first = json.loads(printed("unipose adapt walk.mp4 -o out --ask self --json"))
    again = json.loads(
        printed(
            "unipose adapt walk.mp4 -o again --keypoints out/keypoints.json "
            "--labels out/labels.json --json"
        )
    )
    assert again["keypoints"] == "from a file"
    for one, other in zip(first["people"], again["people"], strict=True):
        assert other["actions"] == one["actions"]
        assert other["frames"] == one["frames"] > 20
    lifted = printed("unipose lift out/keypoints.json -o lifted.npz --film --fps 15")
    assert lifted == "lifted.npz"
    assert len(open_pose("lifted.npz")) == len(open_pose("out/person-1-after.npz"))


@pytest.mark.slow
def test_keypoints_without_a_number_are_missing_and_both_people_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    example_files.main(ExampleConfig(folder=Path(), only=("keypoints",), side_px=96))
    content = json.loads(Path("people.json").read_text())
    content["people"][1]["pose_keypoints_2d"][12:14] = [float("nan")] * 2
    Path("people.json").write_text(json.dumps(content))
    said = json.loads(printed("unipose lift people.json -o people.npz --describe --json"))
    assert said["poses"] == len(said["texts"]) == 2
    content["people"][1]["pose_keypoints_2d"][12:] = [float("nan")] * 63
    Path("people.json").write_text(json.dumps(content))
    *lines, note = printed("unipose lift people.json -o one.npz --describe").splitlines()
    assert lines == ["one.npz", f"people, person 1: {said['texts'][0]}"]
    assert re.match(r"note: people.json: person 2 of people is left out: has \d of", note), note


def with_a_broken_file(amass: Path, folder: Path) -> Path:
    """Return a folder like `amass` in which one recording was cut short."""
    for file in amass.rglob("*.npz"):
        target = folder / file.relative_to(amass)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    whole = (amass / "KIT/4/kneel01_poses.npz").read_bytes()
    (folder / "KIT/4/kneel01_poses.npz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.mark.slow
def test_a_broken_recording_is_told_of_and_the_others_are_learned(
    amass: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = with_a_broken_file(amass, tmp_path / "AMASS")
    debug = PRESETS["debug"]
    config = YourOwnConfig(
        recordings=folder, out=tmp_path / "own", pictures=debug.pictures, workers=1,
        held_out_pictures=debug.held_out_pictures, studio=debug.studio, codes=debug.codes,
        language=debug.language, chat=False,
    )  # fmt: skip
    assert main(config) == 0
    first = capsys.readouterr()
    assert "kneel01_poses.npz" in first.out
    assert "kneel01_poses.npz" in first.err  # the tokenizer's training says it, too
    weights = config.model / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert main(config) == 0  # all is done already
    assert weights.stat().st_mtime_ns == before
    assert "imagescript-a" in capsys.readouterr().out


@pytest.mark.slow
def test_recordings_without_validation_are_refused_before_any_work(tmp_path: Path, amass: Path):
    folder = tmp_path / "AMASS"
    (folder / "CMU").mkdir(parents=True)
    file = amass / "CMU/86/86_02_poses.npz"
    (folder / "CMU" / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ConfigError, match=r"no recording of the split 'val'.*HumanEva"):
        main(YourOwnConfig(recordings=folder, out=tmp_path / "own"))
    with pytest.raises(SourceError):
        main(YourOwnConfig(recordings=tmp_path / "nothing", out=tmp_path / "own"))
    assert not (tmp_path / "own").exists()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_amass_becomes_a_model_that_talks_about_poses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    page = "amass_to_chat.md"
    text = renewed(page)
    assert compared(text) == compared((DOCS / page).read_text(encoding="utf-8"))
    lines = text.splitlines()
    said = lines[lines.index("Read pose 1: the example 'squat'. /show draws it.") + 1]
    pose = face_front(example_pose("squat").rotations[:, :POSED_JOINTS])
    joints = forward_kinematics(pose, load_body().rest_joints).numpy()
    score = score_statements([said], joints, np.ones(1, dtype=bool))
    assert score.votes >= 2  # statements that can be read; so small a model is seldom right
    assert not re.search(r"^\[\d{4}-|WARNING", text, re.M)  # of libraries
    assert "Neither: both are equal within 5 degrees." in lines
