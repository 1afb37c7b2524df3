"""2D keypoints of any detector to 3D joints, by a lifter that `train.lifter` taught.

A detector's picture is of any size and its camera unknown, so keypoints are counted from the middle
of the person, in sizes of the person (`on_person`); a lifter says joints from the root, seen along
the line from the camera to the person.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from unipose.body.keypoint_sets import KeypointSet, keypoint_set
from unipose.body.keypoints import Keypoints
from unipose.errors import LiftingError
from unipose.lifting.lifting_data import SeenFrames
from unipose.lifting.lifting_scores import lift_all
from unipose.lifting.saved_lifter import LifterConfig, load_lifter
from unipose.lifting.screen import check_seen

PERSON = 1.6
"""Size of a person (the longer side of the box of the keypoints) in units of the screen."""


def on_person(points: Float[Tensor, "frame joint 2"]) -> Float[Tensor, "frame joint 2"]:
    """Return keypoints (pixels) from the middle of their box, the box's longer side being PERSON.

    Raises LiftingError for a frame whose keypoints are all at one place.
    """
    low, high = points.amin(dim=1, keepdim=True), points.amax(dim=1, keepdim=True)
    size = (high - low).amax(dim=-1, keepdim=True)
    if bool((size <= 0).any()):
        frame = int((size <= 0).nonzero()[0, 0])
        raise LiftingError(f"frame {frame} has all keypoints at one place: that is no person")
    return (points - (low + high) / 2) * (PERSON / size)


class KeypointLifter:
    """A trained lifter on people as detectors find them."""

    def __init__(self, net: nn.Module, config: LifterConfig) -> None:
        self.net, self.config = net.eval(), config

    @classmethod
    def from_pretrained(cls, folder: Path) -> KeypointLifter:
        """Read a folder that `train.lifter` wrote; MissingFileError or WeightsError."""
        return cls(*load_lifter(folder))

    @property
    def keypoint_set(self) -> KeypointSet:
        """Return which joints it reads and says."""
        return keypoint_set(self.config.keypoints)

    def lift(self, seen: Keypoints) -> Float[Tensor, "frame joint 3"]:
        """Return the joints of each row (metres from the middle of the hips, or the pelvis).

        Axes of the camera: x right, y down, z ahead. Rows are frames of one film for a lifter of
        films. A person and their mirror image are both looked at. Keypoints of other sets are
        mapped by name; LiftingError names the first frame in which one is missing.
        """
        if not len(seen):
            return torch.zeros(0, len(self.keypoint_set), 3)
        mapped = seen.mapped_to(self.keypoint_set)
        lacking = (~mapped.present).nonzero()
        if len(lacking):
            frame, joint = lacking[0].tolist()
            raise LiftingError(
                f"frame {frame} has no {self.keypoint_set.names[joint]}: {seen.keypoint_set.name} "
                f"has to hold, or the detector to find, all of {self.keypoint_set.name}; leave out "
                f"such frames ({len(lacking[:, 0].unique())} of {len(seen)})"
            )
        points = on_person(mapped.points[..., :2].float())
        check_seen(points, len(self.keypoint_set))
        mirror, flip = list(self.keypoint_set.mirror), torch.tensor([-1.0, 1.0, 1.0])
        plain = self._say(points)
        mirrored = self._say(points[:, mirror] * flip[:2])[:, mirror] * flip
        return (plain + mirrored) / 2

    def _say(self, points: Float[Tensor, "frame joint 2"]) -> Float[Tensor, "frame joint 3"]:
        sequence = torch.zeros(len(points), dtype=torch.long)
        return lift_all(self.net, SeenFrames(seen=points, sequence=sequence))
