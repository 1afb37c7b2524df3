"""HMR's regressor on a ResNet-50 with group norms: the network of BOA, DynaBOA and CycleAdapt.

Names and shapes of all weights are those of their checkpoints: SPIN's (Kolotouros et al. 2019) with
every batch norm a norm over 4 groups, so that a batch of one can be learned from. All of it adapts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tokenizer.rotations import rotations_from_6d
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.vision.mesh_recovery_protocol import LEVEL, RecoveredMeshes
from unipose.vision.pixels import IMAGENET_MEAN, IMAGENET_STD

GROUPS = 4
DEPTHS = (3, 4, 6, 3)
POSE, BETAS, CAMERA = 24 * 6, 10, 3
ITERATIONS = 3
HIDDEN = 1024


class ResNetRecovery(nn.Module):
    """Crops of 224 px in, posed SMPL bodies out: a `MeshRecovery` of 27 M weights."""

    mean, std = IMAGENET_MEAN, IMAGENET_STD
    image_px = 224
    init_pose: Float[Tensor, "1 144"]
    init_shape: Float[Tensor, "1 10"]
    init_cam: Float[Tensor, "1 3"]

    def __init__(
        self, *, body: str = "smpl", camera_places: Literal["pelvis", "origin"] = "origin"
    ) -> None:
        super().__init__()
        self.body = body
        self.camera_places: Literal["pelvis", "origin"] = camera_places
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.GroupNorm(GROUPS, 64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        width = 64
        for number, depth in enumerate(DEPTHS):
            inner = 64 * 2**number
            blocks = []
            for i in range(depth):
                blocks.append(_Bottleneck(width, inner, stride=2 if i == 0 and number else 1))
                width = 4 * inner
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        self.fc1 = nn.Linear(width + POSE + BETAS + CAMERA, HIDDEN)
        self.fc2 = nn.Linear(HIDDEN, HIDDEN)
        self.drop = nn.Dropout()
        self.decpose = nn.Linear(HIDDEN, POSE)
        self.decshape = nn.Linear(HIDDEN, BETAS)
        self.deccam = nn.Linear(HIDDEN, CAMERA)
        for layer in (self.decpose, self.decshape, self.deccam):
            nn.init.xavier_uniform_(layer.weight, gain=0.01)
        facing = torch.eye(3).repeat(24, 1, 1)
        facing[0] = LEVEL
        self.register_buffer("init_pose", facing[:, :, :2].flatten()[None])
        self.register_buffer("init_shape", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.tensor([[0.9, 0.0, 0.0]]))

    def forward(self, crops: Float[Tensor, "person 3 side side"]) -> RecoveredMeshes:
        """Return pose, shape and camera of the person in each normalised crop."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(crops))))
        for number in range(len(DEPTHS)):
            x = getattr(self, f"layer{number + 1}")(x)
        features = x.mean((2, 3))
        people = len(crops)
        pose, shape, camera = (
            mean.expand(people, -1) for mean in (self.init_pose, self.init_shape, self.init_cam)
        )
        for _ in range(ITERATIONS):
            hidden = self.drop(self.fc1(torch.cat([features, pose, shape, camera], dim=1)))
            hidden = self.drop(self.fc2(hidden))
            pose = pose + self.decpose(hidden)
            shape = shape + self.decshape(hidden)
            camera = camera + self.deccam(hidden)
        # the published numbers are the 3 x 2 matrices row by row
        sixd = pose.unflatten(1, (24, 3, 2)).mT.flatten(2)
        return RecoveredMeshes(
            rotations=rotations_from_6d(sixd),
            betas=shape,
            camera=camera,
            body=self.body,
            camera_places=self.camera_places,
        )

    def adaptable_parameters(self) -> list[nn.Parameter]:
        """Return all weights, as CycleAdapt adapts them."""
        return list(self.parameters())

    def load_published(self, path: str | Path) -> None:
        """Load a checkpoint of BOA, DynaBOA or CycleAdapt, strictly; nothing in it is executed.

        Of CycleAdapt's own checkpoints, which hold two networks and the licensed body, it is
        `hmr_net.*`. Raises WeightsError as `load_strictly` does.
        """
        path = Path(path)
        weights = {
            name.removeprefix("module."): value for name, value in read_checkpoint(path).items()
        }
        own = {
            name.removeprefix("hmr_net."): value
            for name, value in weights.items()
            if name.startswith("hmr_net.")
        }
        load_strictly(self, own or weights, path)


class _Bottleneck(nn.Module):
    def __init__(self, width: int, inner: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, inner, 1, bias=False)
        self.bn1 = nn.GroupNorm(GROUPS, inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.GroupNorm(GROUPS, inner)
        self.conv3 = nn.Conv2d(inner, 4 * inner, 1, bias=False)
        self.bn3 = nn.GroupNorm(GROUPS, 4 * inner)
        self.downsample = None
        if stride > 1 or width != 4 * inner:
            self.downsample = nn.Sequential(
                nn.Conv2d(width, 4 * inner, 1, stride=stride, bias=False),
                nn.GroupNorm(GROUPS, 4 * inner),
            )

    def forward(
        self, x: Float[Tensor, "person channel row column"]
    ) -> Float[Tensor, "person wider row2 column2"]:
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        shortcut = x if self.downsample is None else self.downsample(x)
        return torch.relu(self.bn3(self.conv3(y)) + shortcut)
