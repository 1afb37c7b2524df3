"""What any mesh recovery network offers: crops in; rotations, shape and a weak camera out.

HMR 2.0's head behind a Pose-ViT (`unipose.vision.mesh_recovery`) is one such network; a user's
HMR 2.0, TokenHMR or CycleAdapt fits with a few lines around it. How its answers become people in
the whole picture is said here, once for all networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.people import Box, PersonInImage
from unipose.body.pose import OPEN_BODY, Pose
from unipose.errors import ConfigError
from unipose.files.smpl_parameters import rest_pelvis
from unipose.vision.crops import LONG_LENS, Crops
from unipose.vision.pixels import Triple, normalised

LEVEL = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
"""From a level camera's axes (x right, y down, z ahead) to the viewer's (x right, y up, z towards
the viewer), and back."""


@runtime_checkable
class MeshRecovery(Protocol):
    """A network that says which posed body each crop shows."""

    @property
    def image_px(self) -> int:
        """Side of the square crops that it takes (pixels)."""
        ...

    @property
    def mean(self) -> Triple:
        """Mean of each colour of its training pictures (red, green, blue; 0 to 1)."""
        ...

    @property
    def std(self) -> Triple:
        """Standard deviation of each colour (0 to 1)."""
        ...

    def __call__(self, crops: Float[Tensor, "person 3 side side"]) -> RecoveredMeshes:
        """Return the person in each normalised crop; none for no crops."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """Return all weights; the first one is on the device that crops are moved to."""
        ...

    def adaptable_parameters(self) -> Sequence[nn.Parameter]:
        """Return the weights that may change at test time; all others stay as they are."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class RecoveredMeshes:
    """What a network says of a batch of people, each seen by the camera of their own crop."""

    rotations: Float[Tensor, "person 24 3 3"]
    """Local; the root's world has the axes of the crop's camera: x right, y down, z ahead."""
    betas: Float[Tensor, "person 10"]
    camera: Float[Tensor, "person 3"]
    """Weak camera (scale, right, down): see `Crops.translation`."""
    body: str = OPEN_BODY
    """Whose betas these are."""
    camera_places: Literal["pelvis", "origin"] = "pelvis"
    """What the weak camera places: the pelvis, or the origin of the body's zero pose as it does in
    networks that were taught with SMPL's own translation (HMR 2.0, TokenHMR, CycleAdapt)."""

    def __len__(self) -> int:
        return len(self.rotations)

    def to(self, device: torch.device | str) -> RecoveredMeshes:
        """Return the same on a device."""
        return replace(
            self,
            rotations=self.rotations.to(device),
            betas=self.betas.to(device),
            camera=self.camera.to(device),
        )

    def mirrored(self) -> RecoveredMeshes:
        """Return what is to be said of the crops in a mirror."""
        return replace(
            self,
            rotations=Pose(rotations=self.rotations).mirrored().rotations,
            camera=self.camera * self.camera.new_tensor([1.0, -1.0, 1.0]),
        )

    def pose(self, turns: Float[Tensor, "person 3 3"] | None = None) -> Pose:
        """Return rotations and shapes as poses in the viewer's axes, their place left open.

        `turns` lead from each crop's camera to the picture's (`Crops.turns`); without them every
        person is taken to stand in the middle of the picture. Somebody who looks into the camera
        faces +z.
        """
        root = self.rotations[:, 0] if turns is None else turns @ self.rotations[:, 0]
        root = LEVEL.to(root) @ root
        rotations = torch.cat([root[:, None], self.rotations[:, 1:]], dim=1)
        return Pose(rotations=rotations.float(), betas=self.betas.float(), body=self.body)

    def posed_as(self, pose: Pose) -> RecoveredMeshes:
        """Return the same shapes and cameras with the rotations of `pose`: `pose()` undone."""
        root = LEVEL.to(pose.rotations) @ pose.rotations[:, 0]
        return replace(self, rotations=torch.cat([root[:, None], pose.rotations[:, 1:]], dim=1))

    def in_picture(
        self,
        crops: Crops,
        size_px: tuple[int, int],
        *,
        focal_px: float | None = None,
        body: Body | None = None,
    ) -> tuple[Pose, Camera]:
        """Return the people with their places before the picture's camera, and that camera.

        `size_px` is width and height of the picture. The world has the viewer's axes (x right, y
        up, z towards the viewer; metres), and the camera stands at its origin and looks along -z:
        somebody three metres away has their pelvis at z = -3.

        A weak camera tells depth only in focal lengths. Without `focal_px` the picture is taken to
        come through HMR's long lens (HMR 2.0's demo: 5000 / 256 of the longer side), which puts
        people tens of metres away, where every crop is seen from the same direction: the root stays
        as the crop shows it. With `focal_px` (pixels) the place is a real one, as far as the
        network knows people's sizes, and the root is turned by where the crop lies (`Crops.turns`).

        `body` is the body whose betas these are. Without it the open body is loaded; a licensed
        family's pelvis is then taken to be its mean body's, which is off by a centimetre or two.
        Raises ConfigError if `focal_px` is not positive, PoseError for another body.
        """
        width, height = size_px
        long_lens = LONG_LENS * max(size_px)
        focal = long_lens if focal_px is None else focal_px
        camera = Camera(camera_from_world=LEVEL, position=torch.zeros(3), focal=focal / height)
        crops = crops.to(self.camera.device)
        focals = self.camera.new_full((len(self),), focal)
        middle = self.camera.new_tensor([[width / 2, height / 2]]).expand(len(self), 2)
        turns = None if focal_px is None else crops.turns(focals, middle)
        pose = self.pose(turns)
        rest = rest_pelvis(pose, body).expand(len(self), 3)
        pelvis = crops.translation(self.camera, focals, middle)
        if self.camera_places == "origin":
            pelvis = pelvis + (rest if turns is None else (turns @ rest[:, :, None])[:, :, 0])
        # a posed body has its pelvis at rest + translation, whatever way it is turned
        return replace(pose, translation=(pelvis @ LEVEL.to(pelvis) - rest).float()), camera

    def people(
        self,
        crops: Crops,
        size_px: tuple[int, int],
        *,
        boxes: Sequence[Box] | None = None,
        focal_px: float | None = None,
        body: Body | None = None,
        detector: str = "",
    ) -> tuple[PersonInImage, ...]:
        """Return each of the people with their box, pose and camera (see `in_picture`).

        `boxes` (left, top, right, bottom) are those that the crops were cut around; without them
        the crops' edges stand for them.
        """
        pose, camera = self.in_picture(crops, size_px, focal_px=focal_px, body=body)
        if boxes is None:
            half = crops.side[:, None] / 2
            edges = torch.cat([crops.centre - half, crops.centre + half], dim=1).tolist()
            boxes = [(left, top, right, bottom) for left, top, right, bottom in edges]
        if len(boxes) != len(self):
            raise ConfigError(f"expected {len(self)} boxes, got {len(boxes)}")
        return tuple(
            PersonInImage(box=box, pose=pose[i], camera=camera, detector=detector)
            for i, box in enumerate(boxes)
        )


@torch.no_grad()
def recover_meshes(
    network: MeshRecovery, picture: UInt8[Tensor, "height width 3"], crops: Crops
) -> RecoveredMeshes:
    """Return what a network says of the people in these crops of a picture (RGB).

    Raises ConfigError if it answers for another number of people.
    """
    pixels = normalised(crops.cut(picture, network.image_px), network.mean, network.std)
    found = network(pixels.to(next(network.parameters())))
    if len(found) != len(crops):
        raise ConfigError(f"the network was shown {len(crops)} crops and answered {len(found)}")
    return found
