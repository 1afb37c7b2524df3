"""People found by ONNX files in the layouts in which YOLOX and RTMDet are exported."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from unipose.app import cli
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.metrics.boxes import keep_apart
from unipose.wholebody.onnx_detector import (
    MEAN,
    STD,
    OnnxPersonDetector,
    decode_yolox,
    first_channels,
    letterboxed,
)

SIDE = 64
"""Pixels of the little detectors' input."""


class FocusedYolox(nn.Module):
    """YOLOX's export: a person, 16 x 32 pixels, around each bright place of stride 8."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(12, 1, 1)
        nn.init.constant_(self.stem.weight, 1 / 12)
        nn.init.constant_(self.stem.bias, 0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (1, 84, 5 + 2)."""
        corners = [images[..., top::2, left::2] for left in (0, 1) for top in (0, 1)]
        light = F.avg_pool2d(self.stem(torch.cat(corners, 1)), 4).flatten(1)  # 8 x 8 places
        sure = torch.sigmoid(light - 230)[..., None]
        edges = torch.tensor([0.5, 0.5, np.log(2.0), np.log(4.0)], dtype=torch.float32)
        fine = torch.cat([edges.expand(1, 64, 4), sure, torch.ones(1, 64, 1), 0 * sure], 2)
        return torch.cat([fine, torch.zeros(1, 20, 7)], 1)


class CutRtmdet(nn.Module):
    """RTMDet's export by mmdeploy: as sure as the picture is light, of a person and a dog."""

    def __init__(self, *, nms_inside: bool) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 1, 1, bias=False)
        nn.init.constant_(self.stem.weight, 1 / 3)
        self.nms_inside = nms_inside

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return `dets` and `labels`, or boxes and scores."""
        sure = torch.sigmoid(self.stem(images).mean((1, 2, 3))).reshape(1, 1, 1)
        boxes = torch.tensor([[[8.0, 4.0, 24.0, 40.0], [9.0, 4.0, 25.0, 40.0]]])
        if self.nms_inside:
            dets = torch.cat([boxes, sure.expand(1, 2, 1)], 2)
            return dets, torch.tensor([[0, 16]]) + 0 * sure.long().flatten(1)
        return boxes, torch.cat([sure, 0 * sure], 2).expand(1, 2, 2)


def exported(net: nn.Module, path: Path, names: list[str]) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces its newer exporter, which needs more
        torch.onnx.export(
            net.eval(), (torch.zeros(1, 3, SIDE, SIDE),), path, input_names=["images"],
            output_names=names, opset_version=17, dynamo=False,
        )  # fmt: skip
    return path


@pytest.fixture
def yolox(tmp_path: Path) -> Path:
    return exported(FocusedYolox(), tmp_path / "yolox.onnx", ["output"])


@pytest.mark.slow
def test_yolox_finds_somebody_in_the_pictures_own_pixels(yolox: Path):
    pixels = np.zeros((96, 128, 3), dtype=np.uint8)
    pixels[48:64, 64:80] = 255  # place (4, 3) of 8 pixels each, in a picture twice the input's size
    detector = OnnxPersonDetector(yolox)
    assert first_channels(yolox) == 12
    (person,) = detector.find(pixels)
    middle = (4.5 * 16, 3.5 * 16)
    assert person.box == pytest.approx((middle[0] - 16, middle[1] - 32, middle[0] + 16, 96 - 8))
    assert person.confidence > 0.99
    assert person.detector == "yolox"
    assert detector.find(np.zeros((96, 128, 3), dtype=np.uint8)) == []


@pytest.mark.slow
@pytest.mark.parametrize("nms_inside", [True, False])
def test_rtmdet_sees_blue_first_and_normalised_and_says_whom(tmp_path: Path, nms_inside: bool):
    names = ["dets", "labels"] if nms_inside else ["boxes", "scores"]
    path = exported(CutRtmdet(nms_inside=nms_inside), tmp_path / "rtmdet.onnx", names)
    pixels = np.empty((SIDE, SIDE, 3), dtype=np.uint8)
    pixels[:] = (10, 150, 240)
    (person,) = OnnxPersonDetector(path).find(pixels)
    logit = ((np.array([240, 150, 10]) - MEAN) / STD).mean()
    assert person.confidence == pytest.approx(1 / (1 + np.exp(-logit)), rel=1e-4)
    assert person.box == (8, 4, 24, 40)
    assert OnnxPersonDetector(path, least=0.9).find(pixels) == []


def test_places_become_boxes_of_the_input():
    said = np.zeros((84, 6), dtype=np.float32)
    said[3 + 5 * 8] = [0.5, 0.5, np.log(2), np.log(4), 0.5, 0.8]
    said[64 + 1] = [0, 0, 0, 0, 1, 1]  # the second place of stride 16
    boxes, scores = decode_yolox(said, (SIDE, SIDE))
    assert boxes[3 + 5 * 8].tolist() == pytest.approx([20, 28, 36, 60])
    assert boxes[65].tolist() == [8, -8, 24, 8]
    assert float(scores[3 + 5 * 8]) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="84 places, its input has 336"):
        decode_yolox(said, (2 * SIDE, 2 * SIDE))


def test_a_picture_lies_at_the_top_left_of_grey():
    padded, ratio = letterboxed(np.full((20, 80, 3), 7, dtype=np.uint8), (40, 40))
    assert (padded.shape, ratio) == ((40, 40, 3), 0.5)
    assert {7} == set(padded[:10].flatten().tolist())
    assert {114} == set(padded[10:].flatten().tolist())


def test_of_overlapping_boxes_the_surer_one_is_kept():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 11, 10], [20, 0, 30, 10], [5, 5, 5, 9]])
    scores = torch.tensor([0.5, 0.9, 0.4, 1.0])
    assert keep_apart(boxes, scores, least=0.3, most_overlap=0.5) == [1, 2]
    assert keep_apart(boxes, scores, least=0.45, most_overlap=0.9) == [1, 0]


@pytest.mark.slow
def test_another_network_or_a_damaged_file_is_named(tmp_path: Path, yolox: Path):
    with pytest.raises(MissingFileError, match="there is no such ONNX file"):
        OnnxPersonDetector(tmp_path / "none.onnx")
    with pytest.raises(ConfigError, match="between 0 and 1"):
        OnnxPersonDetector(yolox, least=30.0)
    (tmp_path / "damaged.onnx").write_bytes(yolox.read_bytes()[:200])
    with pytest.raises(WeightsError, match="cannot be opened by onnxruntime"):
        OnnxPersonDetector(tmp_path / "damaged.onnx")
    path = exported(nn.Conv2d(3, 2, 1), tmp_path / "other.onnx", ["output"])
    with pytest.raises(WeightsError, match="no detector of people as YOLOX and RTMDet"):
        OnnxPersonDetector(path)


@pytest.mark.slow
def test_the_command_takes_its_boxes(tmp_path: Path, yolox: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pixels = np.zeros((96, 128, 3), dtype=np.uint8)
    pixels[48:64, 64:80] = 255
    Image.fromarray(pixels).save("a.png")
    words = ["a.png", "-o", "k.json", "--model", "rtmpose", "--boxes", str(yolox), "--json"]
    monkeypatch.setattr(sys, "argv", ["unipose", "keypoints", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code in (0, None)
    assert json.loads(capsys.readouterr().out)["people"] == 1
    (person,) = json.loads(Path("k.json").read_text())
    assert person["bbox"] == pytest.approx([56, 24, 32, 64])
