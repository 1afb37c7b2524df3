"""`unipose keypoints --model cigpose|rtmpose`: weights, boxes, broken pictures, films."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from eval.golden_keypoints import checkpoint_of
from tests.fakes.checkpoints import save_mmengine
from tests.fakes.films import spoil_packets, write_film
from unipose.app import cli
from unipose.app.examples import example_pose
from unipose.body.pose import Pose
from unipose.files import save_pose
from unipose.files.keypoint_files import read_keypoint_file
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.network import WholeBodyNetwork

SMALL = WholeBodyConfig(
    keypoints="coco-17", width_px=64, height_px=64, deepen=0.167, widen=0.125, embedding=16,
    query=8, kernel=3,
)  # fmt: skip


@pytest.fixture
def unipose(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["unipose", "keypoints", *words])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return int(left.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def weights(tmp_path) -> str:
    """Return a checkpoint of a small RTMPose in the layout of the published ones."""
    torch.manual_seed(0)
    network = WholeBodyNetwork(SMALL)
    save_mmengine(tmp_path / "rtmpose.pth", checkpoint_of(network, causal=False), archive=False)
    return "rtmpose.pth"


def write_photo(name: str) -> None:
    random = np.random.default_rng(0)
    Image.fromarray(random.integers(0, 256, (60, 80, 3), dtype=np.uint8)).save(name)


@pytest.mark.slow
def test_a_published_checkpoint_looks_at_whole_pictures(unipose, weights):
    write_photo("a.png")
    status, out, err = unipose(
        "a.png", "-o", "k.json", "--model", "rtmpose", "--weights", weights, "--boxes", "whole",
        "--picture", "seen.png", "--json",
    )  # fmt: skip
    assert (status, err) == (0, "")
    said = json.loads(out)
    assert (said["people"], said["keypoint_set"]) == (1, "coco-17")
    (image,) = read_keypoint_file("k.json")
    assert image.people[0].box == (0, 0, 80, 60)
    assert len(image.people[0].keypoints.keypoint_set) == 17
    assert Path("seen.png").is_file()


@pytest.mark.slow
def test_a_folder_goes_on_after_a_broken_picture_and_a_box_outside(unipose, weights):
    Path("photos").mkdir()
    for name in ("a", "b"):
        write_photo(f"photos/{name}.png")
    Path("photos/c.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    row = {"category_id": 1, "keypoints": [0] * 51, "score": 1}
    boxes = [
        row | {"image_id": "a.png", "bbox": [10, 10, 30, 40]},
        row | {"image_id": "b.png", "bbox": [500, 10, 30, 40]},
    ]
    Path("boxes.json").write_text(json.dumps(boxes))
    status, out, err = unipose(
        "photos", "-o", "k.json", "--model", "rtmpose", "--weights", weights, "--boxes",
        "boxes.json", "--json",
    )  # fmt: skip
    assert status == 0
    said = json.loads(out)
    assert (said["pictures"], len(said["failed"])) == (1, 2)
    assert "lies outside of the picture" in err
    assert "c.jpg" in err


@pytest.mark.slow
def test_a_film_is_looked_at_and_keypoints_go_by_name(unipose, weights):
    rotations = torch.cat([example_pose(name).rotations for name in ("step", "squat")])
    save_pose(Pose(rotations=rotations, fps=2.0), "film.gif")
    status, out, _ = unipose(
        "film.gif", "-o", "k.json", "--model", "rtmpose", "--weights", weights, "--boxes", "whole",
        "--set", "openpose25", "--no-flip",
    )  # fmt: skip
    assert (status, out) == (0, "k.json: people 2, pictures 2\n")
    first = read_keypoint_file("k.json", of="openpose-25")[0].people[0].keypoints
    assert not first.present[0, first.keypoint_set.index["left_big_toe"]]


@pytest.mark.slow
def test_a_film_goes_on_after_a_broken_frame_and_says_which(unipose, weights):
    film = write_film(Path("film.avi"), codec="mjpeg", layout="yuvj420p", key_every=1, count=6)
    spoil_packets(film, [2, 4])
    status, _, err = unipose(
        "film.avi", "-o", "k.json", "--model", "rtmpose", "--weights", weights, "--boxes",
        "whole", "--no-flip",
    )  # fmt: skip
    assert status == 0
    assert [f"frame {n} is broken and left out" in err for n in (1, 2, 4)] == [False, True, True]
    assert [image.image for image in read_keypoint_file("k.json")] == ["0", "1", "3", "5"]


@pytest.mark.slow
def test_the_network_that_comes_along_needs_no_weights(unipose):
    write_photo("a.png")
    status, out, _ = unipose("a.png", "-o", "k.json", "--model", "rtmpose", "--boxes", "whole")
    assert (status, out) == (0, "k.json: people 1, pictures 1\n")
    assert len(json.loads(Path("k.json").read_text())[0]["keypoints"]) == 133 * 3


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--model", "cigpose"), "name a published checkpoint"),
        (("--weights", "x.pth"), "for --model cigpose or rtmpose"),
        (("--model", "cigpose", "--weights", "x.pth"), "there is no such file of weights"),
        (("--model", "rtmpose", "--set", "coco18"), "there is no keypoint set 'coco18'"),
    ],
)
def test_what_does_not_fit_together_is_named(unipose, words, problem):
    write_photo("a.png")
    status, _, err = unipose("a.png", "-o", "k.json", "--boxes", "whole", *words)
    assert status == 2
    assert problem in err
    assert not Path("k.json").exists()


@pytest.mark.slow
def test_weights_of_the_other_model_are_named(unipose, weights):
    write_photo("a.png")
    status, _, err = unipose(
        "a.png", "-o", "k.json", "--model", "cigpose", "--weights", weights, "--boxes", "whole"
    )
    assert status == 2
    assert "holds a RTMPose. Say --model rtmpose" in err
