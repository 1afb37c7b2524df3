"""From what keypoint networks see of people to posed bodies: a residual perceptron.

It takes COCO's 17 keypoints and BlazePose's 33 landmarks, places inside the person's crop, and
says what a mesh recovery network says of pixels: rotations, betas and a weak camera
(Martinez et al. 2017, with a body in place of joints). A person and their mirror image are both
looked at, so that neither side is favoured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokenizer.rotations import rotations_from_6d
from unipose.body.pose import OPEN_BODY
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError
from unipose.files.saved_network import load_weights, read_config, save_network
from unipose.vision.body_landmarks import BLAZE, COCO, LANDMARK_MIRROR, LANDMARKS
from unipose.vision.crops import SMALLEST_SCALE, Crops
from unipose.vision.keypoint_detector import DetectedPerson
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes

WEIGHTS_FOLDER = Path(__file__).parents[1] / "weights" / "landmark_lifter"
FURTHEST = 1.5
"""Sides of the crop, and metres: what is seen further away than this is taken to be here."""
_JOINTS, _BETAS, _CAMERA = len(SMPL.joints), 10, 3
_ANSWERS = [6 * _JOINTS, _BETAS, _CAMERA]
"""6D rotations, betas, weak camera (log of its scale, right, down)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenLandmarks:
    """The landmarks of a batch of people as the networks see them: COCO's 17, BlazePose's 33."""

    points: Float[Tensor, "person landmark 2"]
    """Pixels of the picture."""
    scores: Float[Tensor, "person landmark"]
    """0 to 1; 0 for one that is missing."""
    world: Float[Tensor, "person blaze 3"]
    """BlazePose's in metres from the middle of the hips: x right, y down, z away."""

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def of(cls, people: Sequence[DetectedPerson]) -> SeenLandmarks:
        """Return what was detected of these people."""
        if not people:
            return cls(
                points=torch.zeros(0, LANDMARKS, 2),
                scores=torch.zeros(0, LANDMARKS),
                world=torch.zeros(0, BLAZE, 3),
            )
        sets = [(person.body, person.landmarks.seen) for person in people]
        return cls(
            points=torch.cat([torch.cat([a.points, b.points], dim=1) for a, b in sets]),
            scores=torch.cat([torch.cat([a.scores, b.scores], dim=1) for a, b in sets]),
            world=torch.cat([person.landmarks.world.points for person in people]),
        )

    def in_crops(self, crops: Crops) -> CropLandmarks:
        """Return the same as it lies in the people's crops."""
        return CropLandmarks(
            points=crops.to_crop(self.points), scores=self.scores, world=self.world
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CropLandmarks:
    """The landmarks of a batch of people, each in their own crop."""

    points: Float[Tensor, "person landmark 2"]
    """In sides of the crop from its middle."""
    scores: Float[Tensor, "person landmark"]
    world: Float[Tensor, "person blaze 3"]

    def mirrored(self) -> CropLandmarks:
        """Return what would be seen of the crops in a mirror."""
        flip = self.points.new_tensor([-1.0, 1.0, 1.0])
        blaze = [i - COCO for i in LANDMARK_MIRROR[COCO:]]
        return replace(
            self,
            points=self.points[:, LANDMARK_MIRROR] * flip[:2],
            scores=self.scores[:, LANDMARK_MIRROR],
            world=self.world[:, blaze] * flip,
        )

    def numbers(self) -> Float[Tensor, "person number"]:
        """Return all of it as one row a person; what is missing is zero."""
        there = (self.scores > 0)[..., None]
        points = torch.where(there, self.points.clamp(-FURTHEST, FURTHEST), 0.0) * 2
        world = torch.where(there[:, COCO:], self.world.clamp(-FURTHEST, FURTHEST), 0.0) * 2
        columns = points, world, self.scores * 2 - 1, there[..., 0].float()
        return torch.cat([column.flatten(1) for column in columns], dim=1)


NUMBERS = 4 * LANDMARKS + 3 * BLAZE


UNKNOWNS = 3 * _JOINTS + _CAMERA
"""What may be wrong about an answer: a turn of each joint in its own frame (radians), and the weak
camera (log of its scale; right and down in metres)."""


class LifterErrors(nn.Module):
    """How far lifter and networks are off, measured when training ends: what a fit goes by."""

    precision: Float[Tensor, "unknown unknown"]
    """Inverse covariance of what is wrong about the lifter's answers."""
    offsets: Float[Tensor, "landmark 3"]
    """From the body's landmarks to what the networks mark, in the frame of their joint (metres)."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("precision", torch.eye(UNKNOWNS) * 25)
        self.register_buffer("offsets", torch.zeros(LANDMARKS, 3))


def logged(camera: Float[Tensor, "person 3"]) -> Float[Tensor, "person 3"]:
    """Return weak cameras with the logarithm of their scale."""
    return torch.cat([camera[:, :1].clamp(min=SMALLEST_SCALE).log(), camera[:, 1:]], dim=1)


@dataclass(frozen=True, kw_only=True)
class LandmarkLifterConfig:
    """Sizes."""

    width: int = 512
    blocks: int = 4
    dropout: float = 0.0
    """Share of a block's inner numbers left out in training."""
    body: str = OPEN_BODY
    """Whose betas it says."""

    def __post_init__(self) -> None:
        if min(self.width, self.blocks) < 1:
            raise ConfigError(f"expected sizes from 1, got {self.width} and {self.blocks}")


class LandmarkLifter(nn.Module):
    """The network."""

    def __init__(self, config: LandmarkLifterConfig) -> None:
        super().__init__()
        self.config = config
        self.enter = nn.Linear(NUMBERS, config.width)
        self.blocks = nn.ModuleList(
            [_ResidualLayers(config.width, config.dropout) for _ in range(config.blocks)]
        )
        self.norm = nn.LayerNorm(config.width)
        self.answer = nn.Linear(config.width, sum(_ANSWERS))
        self.errors = LifterErrors()
        nn.init.normal_(self.answer.weight, std=0.003)
        with torch.no_grad():
            upright = torch.eye(3)[:, :2].mT.flatten().repeat(_JOINTS)
            # somebody who stands before the camera and looks into it
            upright[:6] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))[:, :2].mT.flatten()
            self.answer.bias.copy_(torch.cat([upright, torch.zeros(_BETAS + _CAMERA)]))

    def forward(self, seen: CropLandmarks) -> RecoveredMeshes:
        """Return what the network says of each person in the axes of their crop's camera."""
        answer = self._say(seen.numbers())
        with torch.autocast(answer.device.type, enabled=False):
            return self._meshes(answer)

    @torch.no_grad()
    def lift(self, seen: CropLandmarks) -> RecoveredMeshes:
        """Return the mean of what it says of people and of their mirror images."""
        plain, mirrored = self._say(seen.numbers()), self._say(seen.mirrored().numbers())
        sixd, betas, camera = mirrored.split(_ANSWERS, dim=1)
        flip = sixd.new_tensor([1.0, -1.0, -1.0, -1.0, 1.0, 1.0])  # of the first two columns
        sixd = (sixd.unflatten(1, (_JOINTS, 6))[:, list(SMPL.mirror)] * flip).flatten(1)
        camera = camera * camera.new_tensor([1.0, -1.0, 1.0])
        return self._meshes((plain + torch.cat([sixd, betas, camera], dim=1)) / 2)

    def _say(self, numbers: Float[Tensor, "person number"]) -> Float[Tensor, "person answer"]:
        x = self.enter(numbers)
        for block in self.blocks:
            x = block(x)
        return self.answer(self.norm(x)).float()

    def _meshes(self, answer: Float[Tensor, "person answer"]) -> RecoveredMeshes:
        sixd, betas, camera = answer.split(_ANSWERS, dim=1)
        # a scale is a factor: half and twice are as far from one
        scale = camera[:, :1].clamp(-3, 3).exp()
        return RecoveredMeshes(
            rotations=rotations_from_6d(sixd.unflatten(1, (_JOINTS, 6))),
            betas=betas,
            camera=torch.cat([scale, camera[:, 1:]], dim=1),
            body=self.config.body,
        )

    def save_pretrained(self, folder: Path) -> None:
        """Write config and weights; those of layers in half precision (two bytes each)."""
        save_network(
            self, self.config, folder, dtype=torch.float16,
            unchanged=lambda name, weight: name.startswith("errors."),
        )  # fmt: skip

    @classmethod
    def from_pretrained(cls, folder: Path = WEIGHTS_FOLDER) -> LandmarkLifter:
        """Read what `save_pretrained` wrote; MissingFileError or WeightsError if it is not that."""
        config = read_config(
            folder, LandmarkLifterConfig, holds="landmark lifter",
            remedy="Train one: python -m train.landmark_lifter.",
        )  # fmt: skip
        return load_weights(cls(config), folder)


class _ResidualLayers(nn.Module):
    """Two layers beside a way around them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.first = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Linear(width, width)

    def forward(self, x: Float[Tensor, "person width"]) -> Float[Tensor, "person width"]:
        return x + self.second(self.dropout(F.gelu(self.first(self.norm(x)))))
