"""How long keypoint networks take: random weights, torch and onnxruntime, beside a public runner.

What is compared takes turns within one run, and the lowest quarter of the times counts (the 25th
percentile), so that whatever else the machine does meets all of them alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time
from typing import Literal

import numpy as np
import torch

from unipose.body.people import Box
from unipose.files.photo import Pixels
from unipose.metrics.keypoint_precision import (
    KeypointDetections,
    KeypointTruth,
    evaluate_whole_body,
)
from unipose.wholebody.config import published
from unipose.wholebody.estimator import KeypointEngine, TorchEngine, WholeBodyEstimator
from unipose.wholebody.network import WholeBodyNetwork

CROWD = 16
"""People at once, beside one."""
PICTURE_PX = (480, 640)
RTMPOSE, CIGPOSE = "rtmpose-m-wholebody-256x192", "cigpose-m-wholebody-256x192"


Look = Callable[[Sequence[Box]], object]
"""From boxes to keypoints, in the one picture."""
Clock = Literal["wall", "cpu"]
"""What counts as time; "cpu" is that of this process alone, where others use the machine."""
_CLOCKS = {"wall": perf_counter, "cpu": process_time}


def time_in_turns(
    looks: dict[str, Look], boxes: Sequence[Box], *, repeats: int, clock: Clock
) -> dict[str, float]:
    """Return the 25th percentile of each one's milliseconds, every second call of a turn timed.

    The call before it warms up: threads of onnxruntime spin on for a while, and took half of the
    processor from whoever came next.
    """
    now = _CLOCKS[clock]
    times: dict[str, list[float]] = {name: [] for name in looks}
    for _ in range(repeats):
        for name, look in looks.items():
            look(boxes)
            start = now()
            look(boxes)
            times[name].append(1000 * (now() - start))
    return {name: float(np.percentile(some, 25)) for name, some in times.items()}


def network_speeds(*, repeats: int, clock: Clock) -> dict[str, float]:
    """Return milliseconds a person, from a picture and boxes to keypoints, nothing mirrored.

    `torch_ms_N` and `torch_bf16_ms_N` of RTMPose-m with 133 keypoints (256 x 192) for N people at
    once; `cigpose_adds_N` is what CIGPose's head adds, as a share; `onnx_ms_N` where onnxruntime is
    installed, `rtmlib_ms_N` beside it where rtmlib is.
    """
    plain, causal = (WholeBodyNetwork(published(name)).eval() for name in (RTMPOSE, CIGPOSE))
    pixels = np.random.default_rng(0).integers(0, 256, (*PICTURE_PX, 3), dtype=np.uint8)
    looks = {
        "torch": _look(TorchEngine(plain), pixels),
        "cigpose": _look(TorchEngine(causal), pixels),
        "torch_bf16": _look(TorchEngine(plain, dtype=torch.bfloat16), pixels),
    }
    found: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        if find_spec("onnx") and find_spec("onnxruntime"):
            looks |= _onnx_looks(plain, Path(folder) / "network.onnx", pixels)
        for count in (1, CROWD):
            times = time_in_turns(looks, boxes_of(count), repeats=repeats, clock=clock)
            found |= {f"{name}_ms_{count}": times[name] / count for name in times}
            found[f"cigpose_adds_{count}"] = times["cigpose"] / times["torch"] - 1
    return found


def _look(engine: KeypointEngine, pixels: Pixels) -> Look:
    return partial(WholeBodyEstimator(engine, flip_test=False).look, pixels)


def _onnx_looks(network: WholeBodyNetwork, path: Path, pixels: Pixels) -> dict[str, Look]:
    """Return our runner of the exported network, and the public one's where it is installed."""
    from unipose.wholebody.onnx_files import OnnxEngine, export_onnx

    found = {"onnx": _look(OnnxEngine(export_onnx(network, path)), pixels)}
    if find_spec("rtmlib"):
        from importlib import import_module

        size = network.config.size
        theirs = import_module("rtmlib").RTMPose(str(path), model_input_size=size, device="cpu")
        found["rtmlib"] = partial(theirs, pixels)
    return found


def boxes_of(count: int) -> list[Box]:
    """Return boxes of people side by side in a picture of PICTURE_PX."""
    return [(20.0 + 30 * i, 60.0, 140.0 + 30 * i, 420.0) for i in range(count)]


def evaluation_seconds(*, images: int = 5000, seed: int = 0, clock: Clock = "wall") -> float:
    """Return how long the six runs of COCO-WholeBody take on a made-up set of this size.

    2 people and 20 detections an image, as many as COCO's validation set has.
    """
    random = np.random.default_rng(seed)
    people = 2 * images
    points = random.uniform(50, 400, (people, 133, 2))
    truth = KeypointTruth(
        image=np.repeat(np.arange(images), 2),
        points=points,
        marks=np.full((people, 133), 2.0),
        boxes=np.tile([50.0, 50.0, 350.0, 350.0], (people, 1)),
        area=np.full(people, 20000.0),
        crowd=np.zeros(people, dtype=bool),
    )
    rows = np.repeat(np.arange(people), 10)
    found = KeypointDetections(
        image=truth.image[rows],
        points=points[rows] + random.normal(0, 4, (len(rows), 133, 2)),
        scores=np.ones((len(rows), 133)),
        confidence=random.random(len(rows)),
    )
    sigmas = published(RTMPOSE).keypoint_set.sigmas
    start = _CLOCKS[clock]()
    evaluate_whole_body(truth, found, sigmas)
    return _CLOCKS[clock]() - start
