"""Keypoints of people in boxes: crops in batches, both ways round, and back into the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unipose.body.keypoints import LEAST_SCORE, Keypoints
from unipose.body.people import Box, PersonInImage
from unipose.errors import PoseQueryError
from unipose.files.photo import Pixels
from unipose.metrics.keypoints import keep_different
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.crops import AffineCrops, moved_by
from unipose.wholebody.keypoint_head import Columns, KeypointLogits, Rows
from unipose.wholebody.network import WholeBodyNetwork, normalised_crops
from unipose.wholebody.simcc import decode_simcc

BATCH = 16
"""Crops that are looked at together."""
SAME_OKS = 0.9
"""Object keypoint similarity above which two boxes hold the same person (mmpose)."""
Crops = UInt8[np.ndarray, "person height width 3"]


@runtime_checkable
class KeypointEngine(Protocol):
    """What runs a network."""

    config: WholeBodyConfig
    """Of the input's size and of the keypoints, at least."""

    def __call__(self, images: Float[Tensor, "person 3 height width"]) -> tuple[Columns, Rows]:
        """Return the logits of normalised crops (RGB)."""
        ...


@runtime_checkable
class KeypointNetwork(Protocol):
    """A module from normalised crops to logits; `WholeBodyNetwork` is one."""

    config: WholeBodyConfig

    def __call__(self, images: Float[Tensor, "person 3 height width"]) -> KeypointLogits:
        """Return the logits."""
        ...


class TorchEngine:
    """Runs a network with torch."""

    def __init__(
        self,
        network: KeypointNetwork,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`dtype` bfloat16 or float16: in which matrices are multiplied (autocast)."""
        # channels last is what convolutions on a CPU and on tensor cores are made for
        assert isinstance(network, nn.Module)
        self.network = network
        self.network.eval().to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.config, self.device, self.dtype = network.config, device, dtype

    @torch.inference_mode()
    def __call__(self, images: Float[Tensor, "person 3 height width"]) -> tuple[Columns, Rows]:
        """Return the logits of normalised crops."""
        images = images.to(self.device, memory_format=torch.channels_last)
        kind = torch.device(self.device).type
        with torch.autocast(kind, self.dtype, enabled=self.dtype != torch.float32):
            said = self.network(images)
        return said.x.float().cpu(), said.y.float().cpu()


class WholeBodyEstimator:
    """Looks at people in boxes."""

    def __init__(
        self, engine: KeypointEngine, *, flip_test: bool = True, batch: int = BATCH
    ) -> None:
        """`flip_test`: the mean of the crop and its mirror image, at twice the time."""
        self.engine, self.flip_test, self.batch = engine, flip_test, batch
        self._mirror = list(engine.config.keypoint_set.mirror)

    @classmethod
    def from_pretrained(cls, folder: Path, *, flip_test: bool = True) -> WholeBodyEstimator:
        """Return a network's folder, run with torch; raises as `WholeBodyNetwork`."""
        return cls(TorchEngine(WholeBodyNetwork.from_pretrained(folder)), flip_test=flip_test)

    def look(self, pixels: Pixels, boxes: Sequence[Box]) -> Keypoints:
        """Return the keypoints in each box (left, top, right, bottom) of a picture (RGB), as rows.

        A keypoint whose score is 0 or less is missing. Raises PoseQueryError for a box without an
        area, or one that lies outside of the picture.
        """
        check_boxes(boxes, (pixels.shape[1], pixels.shape[0]))
        config = self.engine.config
        crops = AffineCrops.around(boxes, config.size)
        found = self.look_at_crops(crops.cut(pixels, averaged=config.averaged))
        points = moved_by(found.points.numpy().astype(np.float64), crops.to_picture())
        return Keypoints.of(
            config.keypoint_set,
            torch.from_numpy(points).float(),
            found.scores,
            present=found.present,
        )

    def look_at_crops(self, crops: Crops) -> Keypoints:
        """Return the keypoints of crops, in pixels of the crops."""
        count = len(self.engine.config.keypoint_set)
        parts = [self._batch(crops[i : i + self.batch]) for i in range(0, len(crops), self.batch)]
        points = torch.cat([torch.zeros(0, count, 2), *(places for places, _ in parts)])
        scores = torch.cat([torch.zeros(0, count), *(some for _, some in parts)])
        return Keypoints.of(self.engine.config.keypoint_set, points, scores, present=scores > 0)

    def find(
        self, pixels: Pixels, people: Sequence[PersonInImage], *, different: bool = True
    ) -> list[PersonInImage]:
        """Return people with keypoints; somebody `different` from all surer ones, if so asked.

        Their confidence becomes that of the box times the mean score of the keypoints that are
        seen: what COCO's detections are ranked by.
        """
        boxes = [person.box for person in people if person.box is not None]
        if len(boxes) < len(people):
            raise PoseQueryError("expected a box for each person who is looked at")
        keypoints = self.look(pixels, boxes)
        found = [
            replace(
                person,
                keypoints=keypoints[i],
                confidence=person.confidence * instance_score(keypoints.scores[i]),
            )
            for i, person in enumerate(people)
        ]
        if not different or len(found) < 2:
            return found
        areas = AffineCrops.around(boxes, self.engine.config.size).scale.prod(axis=1)
        kept = keep_different(
            keypoints.points,
            torch.tensor([one.confidence for one in found]),
            area_px=torch.from_numpy(areas).float(),
            sigmas=self.engine.config.keypoint_set.sigmas,
            most=SAME_OKS,
        )
        return [found[i] for i in kept]

    def _batch(self, crops: Crops) -> tuple[Float[Tensor, "p k 2"], Float[Tensor, "p k"]]:
        images = normalised_crops(crops)
        if not self.flip_test:
            return decode_simcc(*self.engine(images))
        x, y = self.engine(torch.cat([images, images.flip(3)]))
        count = len(crops)
        order = self._mirror
        # column c of the crop is w - 1 - c of its mirror image, so bins come back one too far
        back = x[count:, order].flip(2)
        back = torch.cat([back[..., 1:], x[:count, :, -1:]], dim=2)
        return decode_simcc((x[:count] + back) / 2, (y[:count] + y[count:, order]) / 2)


def instance_score(scores: Float[Tensor, " keypoint"]) -> float:
    """Return the mean score of those keypoints that are seen, 0 if there are none."""
    seen = scores > LEAST_SCORE
    return float(scores[seen].mean()) if bool(seen.any()) else 0.0


def check_boxes(boxes: Sequence[Box], size_px: tuple[int, int]) -> None:
    """Raise PoseQueryError for a box that lies outside of a picture of this width and height."""
    width, height = size_px
    for number, (left, top, right, bottom) in enumerate(boxes):
        if left >= width or top >= height or right <= 0 or bottom <= 0:
            raise PoseQueryError(
                f"the box {(left, top, right, bottom)} of person {number} lies outside of the "
                f"picture ({width} x {height} pixels); expected left, top, right, bottom"
            )
