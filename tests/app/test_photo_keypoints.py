"""`unipose keypoints` on pictures of the body, whose joints are known, and on what is none."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.fakes.photo_networks import fetched
from unipose.app import cli
from unipose.app.conversation import Conversation
from unipose.app.examples import example_pose
from unipose.assistant import UniPose
from unipose.body.body import load_body
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.files import open_pose, save_pose
from unipose.files.film import open_film
from unipose.files.keypoint_files import read_keypoint_file
from unipose.render.drawing import draw_pose


@pytest.fixture(scope="session")
def networks():
    fetched("nanodet")


@pytest.fixture
def unipose(monkeypatch, capsys, tmp_path):
    """Return a function that runs the command with its words and gives (status, out, err)."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unipose", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="session")
def stepping():
    """Return the picture of a stepping body, seen from its front: its left is on the right."""
    return draw_pose(example_pose("step"), load_body(), size=320, view="front")


def test_somebody_is_found_with_left_and_right(unipose, networks, stepping, tmp_path):
    Image.fromarray(stepping).save("step.png")
    status, out, _ = unipose("keypoints", "step.png", "-o", "step.json", "--picture", "seen.png")
    assert (status, out) == (0, "step.json: people 1, pictures 1\n")
    (image,) = read_keypoint_file(tmp_path / "step.json")
    (person,) = image.people
    keypoints = person.keypoints
    assert keypoints.keypoint_set.name == "coco-17"
    assert keypoints.point("left_wrist")[0, 0] > keypoints.point("right_wrist")[0, 0] + 50
    for side in ("left", "right"):
        heights = [
            float(keypoints.point(f"{side}_{joint}")[0, 1])
            for joint in ("shoulder", "elbow", "hip", "knee", "ankle")
        ]
        assert heights == sorted(heights)
    with Image.open("seen.png") as drawn:
        seen = np.asarray(drawn)
    assert seen.shape == stepping.shape
    assert (seen != stepping).any()


@pytest.mark.slow
def test_hands_and_face_are_looked_for_where_the_set_has_them(unipose, networks, stepping):
    Image.fromarray(stepping).save("step.png")
    assert unipose("keypoints", "step.png", "-o", "w.json", "--set", "wholebody133")[0] == 0
    (person,) = json.loads(Path("w.json").read_text())
    assert len(person["keypoints"]) == 133 * 3
    assert unipose("keypoints", "step.png", "-o", "o.json", "--set", "openpose25")[0] == 0
    assert json.loads(Path("o.json").read_text())["people"]


def test_a_folder_goes_on_after_a_broken_photo_and_says_so(unipose, networks, stepping, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.fromarray(stepping).save(folder / "b.png")
    (folder / "a.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    Image.new("RGB", (64, 48)).save(folder / "c.png")
    (folder / "notes.txt").write_text("no photo")
    status, out, err = unipose(
        "keypoints", "photos", "-o", "all.json", "--json", "--picture", "drawn"
    )
    assert status == 0
    said = json.loads(out)
    assert (said["people"], said["pictures"], len(said["failed"])) == (1, 2, 1)
    assert "a.jpg" in err
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["b.png", "c.png"]


@pytest.mark.slow
def test_photos_of_one_name_have_a_picture_each(unipose, networks, stepping, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(stepping).save(tmp_path / "photos" / "a.png")
    assert unipose("keypoints", "photos", "-o", "k.json", "--picture", "one")[0] == 0
    Image.fromarray(stepping).save(tmp_path / "photos" / "a.jpg")
    assert unipose("keypoints", "photos", "-o", "k.json", "--picture", "two")[0] == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["a.png"]
    assert sorted(p.name for p in (tmp_path / "two").iterdir()) == ["a.jpg.png", "a.png.png"]


def test_boxes_of_a_file_say_where_people_are(unipose, networks, stepping):
    Image.fromarray(stepping).save("step.png")
    height, width = stepping.shape[:2]
    row = {"image_id": "step.png", "category_id": 1, "keypoints": [0] * 51, "score": 1,
           "bbox": [0, 0, width, height]}  # fmt: skip
    Path("boxes.json").write_text(json.dumps([row, row]))
    status, out, _ = unipose("keypoints", "step.png", "-o", "k.json", "--boxes", "boxes.json")
    assert (status, out) == (0, "k.json: people 2, pictures 1\n")


@pytest.mark.slow
def test_a_film_is_looked_at_frame_by_frame(unipose, networks, tmp_path):
    step, squat = (example_pose(name).rotations for name in ("step", "squat"))
    moving = Pose(rotations=torch.cat([step] * 3 + [squat] * 3), fps=6.0)
    save_pose(moving, tmp_path / "film.mp4")
    status, out, _ = unipose("keypoints", "film.mp4", "-o", "film.json", "--picture", "seen.mp4")
    assert (status, out) == (0, "film.json: people 6, pictures 6\n")
    images = read_keypoint_file(tmp_path / "film.json")
    assert [image.image for image in images] == ["0", "1", "2", "3", "4", "5"]
    hips = [float(image.people[0].keypoints.point("left_hip")[0, 1]) for image in images]
    assert hips[3] > hips[2] + 10, "who squats has the hips lower"
    assert open_film(tmp_path / "seen.mp4").count == 6


def test_nobody_is_said(unipose, networks):
    Image.new("RGB", (200, 100), (90, 160, 90)).save("lawn.png")
    assert unipose("keypoints", "lawn.png", "-o", "k.json")[:2] == (0, "nobody was found\n")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("missing.jpg",), "there is no such file"),
        (("empty",), "holds no photo"),
        (("ok.png", "--set", "coco18"), "there is no keypoint set 'coco18'"),
        (("ok.png", "--boxes", "ok.png", "--detector", "detr"), "leave out --detector"),
        (("film.mp4", "--boxes", "ok.png"), "for photos, not for a film"),
        (("film.mp4",), "there is no such file"),
        (("ok.png", "--picture", "seen.mp4"), "has to end in"),
        (("ok.png", "--picture", "ok.png"), "would be written over"),
        (("ok.png", "--picture", "no/seen.png"), "does not exist"),
    ],
)
def test_bad_input_is_named_before_anything_is_loaded(unipose, tmp_path, words, problem):
    (tmp_path / "empty").mkdir()
    Image.new("RGB", (8, 8)).save("ok.png")
    status, _, err = unipose("keypoints", *words, "-o", "k.json")
    assert status == 2
    assert problem in err
    assert not (tmp_path / "k.json").exists()


def test_without_the_networks_it_is_said_how_to_get_them(unipose, tmp_path, monkeypatch):
    monkeypatch.setenv("UNIPOSE_CACHE", str(tmp_path / "nothing"))
    Image.new("RGB", (8, 8)).save("ok.png")
    status, _, err = unipose("keypoints", "ok.png", "-o", "k.json")
    assert status == 2
    assert "make setup" in err


@pytest.mark.slow
def test_a_body_is_read_off_a_picture_and_talked_about(unipose, networks, stepping):
    Image.fromarray(stepping).save("step.png")
    status, out, err = unipose(
        "estimate", "step.png", "-o", "me.npz", "--eyes", "photo", "--picture", "seen.png", "--json"
    )
    assert (status, err) == (0, "")
    assert json.loads(out)["eyes"] == "photo"
    with Image.open("seen.png") as seen:
        assert seen.size == (2 * stepping.shape[1], stepping.shape[0])
    pose, true = open_pose("me.npz"), example_pose("step")
    body = load_body()
    joints = [body.joints(one.rotations) for one in (pose, true)]
    apart = (joints[0] - joints[1] - (joints[0] - joints[1])[:, :1]).norm(dim=-1)
    assert float(apart.mean()) < 0.2
    assert float(apart[:, SMPL.indices("left_elbow", "right_elbow", "head")].max()) < 0.25
    assert unipose("describe", "step.png")[0] == 0
    assert unipose("compare", "step.png", "me.npz")[0] == 0


@pytest.mark.slow
def test_a_moment_of_a_film_is_talked_about(unipose, networks, tmp_path):
    rotations = torch.cat([example_pose(name).rotations for name in ("step", "squat")])
    save_pose(Pose(rotations=rotations, fps=1.0), tmp_path / "film.gif")
    said = [unipose("describe", "film.gif", "--at", at, "--eyes", "photo")[1] for at in "01"]
    assert "squat" in said[1] or "bent" in said[1]
    assert said[0] != said[1]
    status, _, err = unipose("describe", "film.gif", "--at", "9")
    assert (status, "has no frame at 9 s" in err) == (2, True)
    status, _, err = unipose("generate", "x", "-o", "y.npz", "--model", "film.gif")
    assert status == 2
    status, _, err = unipose("edit", "film.gif", "sit", "-o", "y.npz")
    assert "unipose track" in err


def test_nobody_is_made_up_where_nobody_is(unipose, networks):
    Image.new("RGB", (200, 100), (90, 160, 90)).save("lawn.png")
    for words in (("estimate", "lawn.png", "-o", "me.npz"), ("describe", "lawn.png")):
        status, _, err = unipose(*words)
        assert status == 2
        assert "nobody was found" in err


@pytest.mark.slow
def test_somebody_is_followed_through_a_film(unipose, networks, tmp_path):
    step, squat = (example_pose(name).rotations for name in ("step", "squat"))
    moving = Pose(rotations=torch.cat([step] * 4 + [squat] * 4), fps=8.0)
    save_pose(moving, tmp_path / "film.mp4")
    status, out, _ = unipose("track", "film.mp4", "-o", "me.npz", "--overlay", "over.mp4", "--json")
    assert status == 0
    (motion,) = json.loads(out)["motions"]
    assert (motion["person"], motion["start_s"], motion["end_s"]) == (1, 0.0, 1.0)
    poses = open_pose("me.npz")
    assert (len(poses), poses.fps) == (8, 8.0)
    hips = load_body().joints(poses.rotations)
    legs = (hips[:, 1] - hips[:, 7]).norm(dim=-1)  # left hip to left ankle
    assert float(legs[:3].mean()) > float(legs[-3:].mean()) + 0.1, "a squat brings them together"
    assert open_film(tmp_path / "over.mp4").count == 8
    assert unipose("track", "lawn.gif", "-o", "x.npz")[0] == 2


@pytest.mark.slow
def test_the_chat_shows_what_it_understood_of_a_photo(networks, stepping, tmp_path):
    Image.fromarray(stepping).save(tmp_path / "step.png")
    chat = Conversation(lambda: UniPose.load(eyes="photo"))
    reply = chat.reply(f"/pose {tmp_path / 'step.png'}")
    assert reply.text.startswith("Read pose 1: the person in")
    (picture,) = reply.pictures
    with Image.open(picture) as seen:
        assert seen.size == (2 * stepping.shape[1], stepping.shape[0])
