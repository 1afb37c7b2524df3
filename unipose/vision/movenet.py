"""MoveNet Thunder: COCO's 17 keypoints of the person in a square (Google 2021, Apache-2.0)."""

from __future__ import annotations

import numpy as np
import torch

from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.vision.graph_model import GraphModel
from unipose.vision.network_files import network_file
from unipose.vision.turned_square import Pixels, TurnedSquare

INPUT_PX = 256


class MoveNet:
    """The network: some 60 ms a person on one core. Of several people it takes the middle one."""

    def __init__(self) -> None:
        """Open the network. Raises MissingFileError or WeightsError that say how to get it."""
        self._network = GraphModel(network_file("movenet-thunder"))

    def look(self, pixels: Pixels, square: TurnedSquare) -> Keypoints:
        """Return the keypoints (pixels of the picture) and scores of the person in a square."""
        image = torch.from_numpy(square.cut(pixels, INPUT_PX).astype(np.int32))
        (found,) = self._network(image[None], "Identity")
        rows = found.reshape(17, 3).numpy()  # down, right, score
        points = torch.from_numpy(square.to_picture(rows[:, 1::-1]))
        return Keypoints.of(COCO_17, points[None], scores=torch.from_numpy(rows[:, 2].copy())[None])
