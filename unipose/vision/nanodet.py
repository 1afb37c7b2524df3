"""NanoDet: where the people in a photograph are (RangiLyu 2020, Apache-2.0; taught on COCO)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.people import PersonInImage
from unipose.metrics.boxes import keep_apart
from unipose.vision.graph_model import GraphModel
from unipose.vision.network_files import network_file
from unipose.vision.turned_square import Pixels, TurnedSquare

INPUT_PX = 416
BINS = 11
"""An edge's distance is the mean over this many whole steps of the grid (Li et al. 2020)."""
MEAN, STD = np.array([(103.53, 116.28, 123.675), (57.375, 57.12, 58.395)], dtype=np.float32)
"""Of blue, green and red."""
MOST_OVERLAP = 0.6
"""Intersection over union from which two boxes are one person's."""
_LEVELS = (("Identity", "Identity_3"), ("Identity_1", "Identity_4"), ("Identity_2", "Identity_5"))
"""Classes and boxes for each grid."""


class NanoDet:
    """The detector: some 60 ms a picture on one core."""

    def __init__(self, *, least: float = 0.3) -> None:
        """Open the network, which has to be sure of somebody by `least` (0 to 1).

        Raises MissingFileError or WeightsError that say how to get it.
        """
        self.least = least
        self._network = GraphModel(network_file("nanodet"))

    def find(self, pixels: Pixels) -> list[PersonInImage]:
        """Return people with box and confidence, the surest first."""
        height, width = pixels.shape[:2]
        square = TurnedSquare(centre=(width / 2, height / 2), side=float(max(height, width)))
        seen = square.cut(pixels, INPUT_PX)[..., ::-1]
        image = (seen - MEAN) / STD
        outputs = self._network(
            torch.from_numpy(image).permute(2, 0, 1)[None], *(n for pair in _LEVELS for n in pair)
        )
        boxes, scores = [], []
        for classes, edges in zip(outputs[::2], outputs[1::2], strict=True):
            boxes.append(_boxes(edges[0]))
            scores.append(classes[0, :, 0])  # COCO's first class is "person"
        corners = square.to_picture(torch.cat(boxes).reshape(-1, 2).numpy()).reshape(-1, 4)
        corners = corners.clip(0, (width, height, width, height))
        sure, places = torch.cat(scores), torch.from_numpy(corners).float()
        return [
            PersonInImage(
                box=tuple(corners[at].tolist()), confidence=float(sure[at]), detector="NanoDet"
            )
            for at in keep_apart(places, sure, least=self.least, most_overlap=MOST_OVERLAP)
        ]


def _boxes(edges: Float[Tensor, "place bins"]) -> Float[Tensor, "place 4"]:
    """Return the boxes of a grid's places (left, top, right, bottom; 0 to 1)."""
    cells = round(len(edges) ** 0.5)
    ahead = edges.reshape(-1, 4, BINS).softmax(dim=-1) @ torch.arange(BINS, dtype=torch.float32)
    grid = torch.arange(cells) + 0.5
    y, x = torch.meshgrid(grid, grid, indexing="ij")
    middle = torch.stack([x.flatten(), y.flatten()], dim=1)
    return torch.cat([middle - ahead[:, :2], middle + ahead[:, 2:]], dim=1) / cells
