"""BlazePose: 33 landmarks of a person, in the picture and in metres (Bazarevsky et al. 2020).

The network looks at a square that is turned with the body: hips in the middle, shoulders above
them. Of the three sizes this is "full" (Apache-2.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin

import numpy as np
import torch

from unipose.body.keypoint_sets import BLAZEPOSE_33
from unipose.body.keypoints import Keypoints
from unipose.vision.graph_model import GraphModel
from unipose.vision.network_files import network_file
from unipose.vision.turned_square import Pixels, TurnedSquare

INPUT_PX = 256
CIRCLE_SCALE = 1.25
"""The square's half side in radii of the circle around the body."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyLandmarks:
    """One person as the network sees them in one square."""

    seen: Keypoints
    """One row of pixels of the picture; scores: how likely each is inside and not covered."""
    world: Keypoints
    """The same landmarks in metres from the middle of the hips: x right, y down, z away from the
    camera. Depth is the weak axis."""
    presence: float
    """How likely there is a person in the square (0 to 1)."""


class BlazePose:
    """The network: some 30 ms a person on one core."""

    def __init__(self) -> None:
        """Open the network. Raises MissingFileError or WeightsError that say how to get it."""
        self._network = GraphModel(network_file("blazepose-full"))

    def look(self, pixels: Pixels, square: TurnedSquare) -> BodyLandmarks:
        """Return the landmarks of the person in a square."""
        image = torch.from_numpy(square.cut(pixels, INPUT_PX).astype(np.float32) / 255)
        rows, world, presence = self._network(image[None], "Identity_2", "Identity_4", "Identity_3")
        rows, world = rows.reshape(39, 5), world.reshape(39, 3)[:33].clone()
        points = square.to_picture(rows[:, :2].numpy() / INPUT_PX)
        # the network speaks in the square's axes
        c, s = cos(square.angle), sin(square.angle)
        world[:, :2] = world[:, :2] @ torch.tensor([[c, s], [-s, c]])
        scores = rows[None, :33, 3:5].sigmoid().amin(dim=2)
        return BodyLandmarks(
            seen=Keypoints.of(BLAZEPOSE_33, torch.from_numpy(points)[None, :33], scores=scores),
            world=Keypoints.of(BLAZEPOSE_33, world[None], scores=scores),
            presence=float(presence),
        )
