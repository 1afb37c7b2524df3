"""A pinhole camera: where it stands, where it looks, and which pixel a point falls on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    Camera frame: x to the RIGHT of the picture, y DOWN, z AHEAD (depth). Pixels are counted from
    the picture's top left corner; the centre of the first pixel is at (0.5, 0.5).
    """

    camera_from_world: Float[Tensor, "3 3"]
    """Rotation: rows are the camera's axes in the world."""
    position: Float[Tensor, "3"]
    """Where the camera stands in the world (metres)."""
    focal: float
    """Focal length, in heights of the picture."""
    centre: tuple[float, float] = (0.0, 0.0)
    """Principal point, right and down from the picture's middle, in heights of the picture."""

    def __post_init__(self) -> None:
        if not self.focal > 0:
            raise ConfigError(f"expected a positive focal length, got {self.focal}")

    @classmethod
    def look_at(
        cls,
        position: Float[Tensor, "3"],
        target: Float[Tensor, "3"],
        *,
        field_of_view: float = 0.5236,
    ) -> Camera:
        """Return the camera at `position` that has `target` in the middle, the world's up upward.

        `field_of_view` is the vertical angle (radians). Raises ConfigError if the two points are
        the same.
        """
        position, target = position.double(), target.double()
        ahead = target - position
        if float(ahead.norm()) < 1e-9:
            raise ConfigError("the camera stands on the point it should look at")
        ahead = ahead / ahead.norm()
        up = torch.tensor([0.0, 1.0, 0.0], dtype=ahead.dtype)
        if abs(float(ahead @ up)) > 0.9999:  # straight down or up: the picture's top is -z
            up = torch.tensor([0.0, 0.0, -1.0], dtype=ahead.dtype)
        right = torch.linalg.cross(ahead, up)
        right = right / right.norm()
        down = torch.linalg.cross(ahead, right)
        focal = 0.5 / float(torch.tan(torch.tensor(field_of_view / 2, dtype=ahead.dtype)))
        return cls(
            camera_from_world=torch.stack([right, down, ahead]), position=position, focal=focal
        )

    def to_camera(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3"]:
        """Return world points in the camera's frame (metres)."""
        turn = self.camera_from_world.to(points)
        return (points - self.position.to(points)) @ turn.mT

    def project(
        self, points: Float[Tensor, "*batch 3"], *, height_px: int, width_px: int
    ) -> Float[Tensor, "*batch 2"]:
        """Return the pixel (x right, y down) of world points; NaN for points not ahead."""
        seen = self.to_camera(points)
        depth = torch.where(seen[..., 2:] > 0, seen[..., 2:], torch.nan)
        middle = torch.tensor([width_px, height_px]).to(points) / 2
        offset = torch.tensor(self.centre).to(points) * height_px
        return seen[..., :2] / depth * (self.focal * height_px) + middle + offset

    def rays(
        self, *, height_px: int, width_px: int
    ) -> tuple[Float[Tensor, " width"], Float[Tensor, " height"]]:
        """Return x / z of each column's pixel centres and y / z of each row's."""
        columns = torch.arange(width_px, dtype=torch.float64) + 0.5 - width_px / 2
        rows = torch.arange(height_px, dtype=torch.float64) + 0.5 - height_px / 2
        focal_px = self.focal * height_px
        return columns / focal_px - self.centre[0] / self.focal, (
            rows / focal_px - self.centre[1] / self.focal
        )
