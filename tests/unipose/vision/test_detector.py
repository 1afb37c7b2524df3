"""People found by a detector that its user names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from tests.fakes.assistant import FakeAssistant
from tests.fakes.detectors import write_yolos
from tests.fakes.tiny_eyes import seeing_assistant
from unipose.app import cli, sources
from unipose.errors import ConfigError, PoseQueryError, WeightsError
from unipose.files import open_pose
from unipose.vision.detector import PeopleDetector

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

PIXELS = np.full((60, 90, 3), 90, dtype=np.uint8)
RIGHT, LEFT = (0.75, 0.5, 0.3, 0.8), (0.25, 0.5, 0.2, 0.5)


@pytest.fixture(scope="module")
def yolos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_yolos(tmp_path_factory.mktemp("yolos"), [RIGHT, LEFT])


def test_people_are_found_from_left_to_right_and_dogs_are_not(yolos: Path):
    left, right = PeopleDetector.load(yolos).find(PIXELS)
    assert left == pytest.approx((13.5, 15, 31.5, 45), abs=0.5)
    assert right == pytest.approx((54, 6, 81, 54), abs=0.5)
    assert PeopleDetector.load(yolos).find(PIXELS, least=1.0) == []


def test_a_box_ends_with_the_picture(tmp_path: Path):
    (box,) = PeopleDetector.load(write_yolos(tmp_path, [(0.9, 0.5, 0.6, 0.9)])).find(PIXELS)
    assert box[2] == 90


def test_what_is_no_detector_or_knows_no_people_is_refused(tmp_path: Path):
    with pytest.raises(WeightsError, match="holds no object detector"):
        PeopleDetector.load(tmp_path / "nowhere")
    damaged = write_yolos(tmp_path / "damaged", [LEFT])
    file = damaged / "model.safetensors"
    weights = load_file(file)
    del weights["bbox_predictor.layers.2.weight"]
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks 1 weights .* 'bbox_predictor.layers.2.weight'"):
        PeopleDetector.load(damaged)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="holds no object detector"):
        PeopleDetector.load(damaged)
    cars = write_yolos(tmp_path / "cars", [LEFT], names={0: "car", 1: "bus"})
    with pytest.raises(ConfigError, match=r"does not know people; .* it has car, bus"):
        PeopleDetector.load(cars)


def test_everybody_in_a_photo_is_estimated_from_the_command_line(
    yolos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(sources, "load_assistant", FakeAssistant.load)
    photo, out = tmp_path / "two.png", tmp_path / "two.npz"
    Image.fromarray(PIXELS).save(photo)

    def status(*words: str) -> int:
        line = ["unipose", "estimate", str(photo), "-o", str(out), *words]
        monkeypatch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0)

    assert status("--detector", str(yolos), "--json") == 0
    told = capsys.readouterr()
    assert told.err == ""
    said = json.loads(told.out)
    assert len(said["boxes"]) == 2
    assert len(open_pose(out)) == 2
    assert status("--detector", str(yolos), "--who", "the person on the left") == 2
    assert "leave out --box and --who" in capsys.readouterr().err


def test_a_picture_without_people_has_no_poses():
    with pytest.raises(PoseQueryError, match="nobody was found"):
        seeing_assistant().estimate_people(PIXELS, [])
