"""Detectors of people as ONNX files: YOLOX and RTMDet as they are exported, with or without NMS.

What a file answers tells which export it is (all boxes in pixels of the network's input):

- one output (1, place, 5 + class), YOLOX's own: middles from the places of three grids, logarithms
  of sizes, how sure it is that there is something, and of what;
- `dets` (1, box, 5) and `labels` (1, box), mmdeploy's with NMS inside: left, top, right, bottom,
  score;
- boxes (1, place, 4) and scores (1, place, class): the same without NMS.

Class 0 is a person, as in COCO and HumanArt. Pictures are scaled to fit, blue first, onto grey;
RTMDet takes them normalised, YOLOX (whose first convolution sees each pixel's four neighbours as 12
channels) as they are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image

from unipose.body.people import PersonInImage
from unipose.errors import ConfigError, WeightsError
from unipose.files.photo import Pixels
from unipose.metrics.boxes import keep_apart
from unipose.wholebody.onnx_files import extra_package, onnx_errors, open_session

STRIDES = (8, 16, 32)
"""Pixels from place to place of YOLOX's three grids."""
GREY = 114
USUAL_PX = 640
"""Of the input's sides, where a file leaves them open."""
FOCUS_CHANNELS = 12
MEAN, STD = np.array([(103.53, 116.28, 123.675), (57.375, 57.12, 58.395)], dtype=np.float32)
"""Of blue, green and red, for RTMDet."""
MOST_OVERLAP = 0.45
"""Intersection over union from which two boxes are one person's, where NMS is not inside."""
Answers = list[np.ndarray]


class OnnxPersonDetector:
    """Finds people with onnxruntime."""

    def __init__(self, path: Path, *, least: float = 0.3, threads: int = 0) -> None:
        """Open a detector that has to be sure of a box by `least` (0 to 1).

        Raises ConfigError if onnx or onnxruntime is not installed or `least` is no share,
        MissingFileError, or WeightsError if the file is damaged or no such detector.
        """
        if not 0 <= least <= 1:
            raise ConfigError(f"a box's score lies between 0 and 1, got {least}")
        self.path, self.least = path, least
        self._session = open_session(path, threads=threads)
        try:
            (given,) = self._session.get_inputs()
            _, channels, height, width = given.shape
            self.size = _side(width), _side(height)
            if channels != 3:
                raise ValueError(f"its input is {given.shape}")
            self._input = given.name
            self._normalised = first_channels(path) != FOCUS_CHANNELS
            self._boxes(np.full((self.size[1], self.size[0], 3), GREY, dtype=np.uint8))
        except (*onnx_errors(), TypeError) as error:
            raise WeightsError(
                path, f"is no detector of people as YOLOX and RTMDet are exported ({error})."
            ) from error

    def find(self, pixels: Pixels) -> list[PersonInImage]:
        """Return people (of a picture, RGB) with box and confidence, the surest first."""
        height, width = pixels.shape[:2]
        padded, ratio = letterboxed(pixels, self.size)
        boxes, scores, apart = self._boxes(padded)
        corners = torch.from_numpy((boxes / ratio).clip(0, (width, height, width, height)))
        most = 1.0 if apart else MOST_OVERLAP
        kept = keep_apart(
            corners.float(), torch.from_numpy(scores), least=self.least, most_overlap=most
        )
        return [
            PersonInImage(
                box=tuple(corners[at].tolist()), confidence=float(scores[at]),
                detector=self.path.stem,
            )
            for at in kept
        ]  # fmt: skip

    def _boxes(
        self, padded: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[np.ndarray, "box 4"], Float[np.ndarray, " box"], bool]:
        """Return boxes (pixels of the input), how sure they are, and whether NMS is done."""
        image = padded[..., ::-1].astype(np.float32)
        if self._normalised:
            image = (image - MEAN) / STD
        answers = self._session.run(None, {self._input: image.transpose(2, 0, 1)[None].copy()})
        first = answers[0]
        if first.ndim == 3 and len(answers) == 1 and first.shape[2] > 5:
            return *decode_yolox(first[0], self.size), False
        if first.ndim == 3 and first.shape[2] == 5:
            people = answers[1][0] == 0 if len(answers) > 1 else np.full(len(first[0]), True)
            return first[0, people, :4], first[0, people, 4], True
        if first.ndim == 3 and first.shape[2] == 4 and len(answers) > 1:
            return first[0], answers[1][0, :, 0], False
        raise ValueError(f"its outputs are {[answer.shape for answer in answers]}")


def _side(given: object) -> int:
    return given if isinstance(given, int) else USUAL_PX


def letterboxed(
    pixels: Pixels, size: tuple[int, int]
) -> tuple[UInt8[np.ndarray, "input_height input_width 3"], float]:
    """Return a picture scaled to fit at the top left of grey, and the scale.

    Pixels are looked up without averaging, as these detectors have learned from.
    """
    height, width = pixels.shape[:2]
    ratio = min(size[0] / width, size[1] / height)
    inner = max(1, int(width * ratio)), max(1, int(height * ratio))
    padded = np.full((size[1], size[0], 3), GREY, dtype=np.uint8)
    scaled = Image.fromarray(pixels).transform(
        inner, Image.Transform.EXTENT, (0, 0, width, height), Image.Resampling.BILINEAR
    )
    padded[: inner[1], : inner[0]] = np.asarray(scaled)
    return padded, ratio


def decode_yolox(
    places: Float[np.ndarray, "place answer"], size: tuple[int, int]
) -> tuple[Float[np.ndarray, "place 4"], Float[np.ndarray, " place"]]:
    """Return YOLOX's boxes (Ge et al. 2021) and scores of class 0 from what it says of its grids.

    At place (3, 5) of stride 8, (0.5, 0.5, log 2, log 4, ...) is a box around pixel (28, 44), 16
    wide and 32 high. Raises ValueError for another number of places than the input has.
    """
    grids, strides = [], []
    for stride in STRIDES:
        y, x = np.mgrid[: size[1] // stride, : size[0] // stride]
        grids.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((x.size, 1), stride))
    grid, stride = np.concatenate(grids), np.concatenate(strides)
    if len(places) != len(grid):
        raise ValueError(f"it answers {len(places)} places, its input has {len(grid)}")
    middle = (places[:, :2] + grid) * stride
    half = np.exp(places[:, 2:4].clip(max=20)) * stride / 2
    boxes = np.concatenate([middle - half, middle + half], axis=1)
    return boxes.astype(np.float32), places[:, 4] * places[:, 5]


def first_channels(path: Path) -> int:
    """Return how many channels the first convolution of an ONNX file takes; 0 without any.

    Raises ConfigError if the package onnx is not installed.
    """
    graph: Any = extra_package("onnx").load_model(path, load_external_data=False).graph
    shapes = {weight.name: list(weight.dims) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in shapes:
            return int(shapes[node.input[1]][1])
    return 0
