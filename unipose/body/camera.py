"""Cameras: a pinhole that stands still, and a calibrated one over time with a lens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

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


LensModel = Literal["opencv", "human36m"]
UNDISTORT_STEPS = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraTrack:
    """A calibrated camera over time: intrinsics, lens distortion and world pose of each frame.

    A point is at `rotation @ world + translation` in the camera's frame (x right, y down, z ahead).
    Pixels are counted as in `Camera`: (0, 0) is the picture's top left corner.

    Raises ConfigError for shapes that do not fit, rotations that are none, focal lengths that are
    not positive, numbers that are not finite, and a number of coefficients that the lens model does
    not have.
    """

    rotation: Float[Tensor, "frame 3 3"]
    translation: Float[Tensor, "frame 3"]
    """Metres."""
    focal_px: Float[Tensor, "frame 2"]
    """fx and fy."""
    centre_px: Float[Tensor, "frame 2"]
    """cx and cy."""
    distortion: Float[Tensor, "frame coefficient"] | None = None
    """In OpenCV's order: k1 k2 p1 p2 k3, and k4 k5 k6 of the rational model (Azure Kinect)."""
    lens: LensModel = "opencv"
    """"human36m" is that data set's own formula, whose tangential part is half of OpenCV's in x y.
    """

    def __post_init__(self) -> None:
        frames = len(self.rotation)
        shapes = {"rotation": (3, 3), "translation": (3,), "focal_px": (2,), "centre_px": (2,)}
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value.shape != (frames, *shape):
                raise ConfigError(f"expected {name} {(frames, *shape)}, got {tuple(value.shape)}")
            if not bool(torch.isfinite(value).all()):
                raise ConfigError(f"{name} holds NaN or infinite numbers")
        unit = torch.eye(3).to(self.rotation)
        off = (self.rotation @ self.rotation.mT - unit).abs().amax(dim=(1, 2))
        if bool(((off > 1e-3) | (torch.linalg.det(self.rotation) < 0)).any()):
            raise ConfigError("the camera's rotation is not a rotation")
        if not bool((self.focal_px > 0).all()):
            raise ConfigError(f"expected positive focal lengths, got {self.focal_px.tolist()}")
        counts = (5, 8) if self.lens == "opencv" else (5,)
        if self.distortion is not None and (
            self.distortion.ndim != 2
            or len(self.distortion) != frames
            or self.distortion.shape[1] not in counts
            or not bool(torch.isfinite(self.distortion).all())
        ):
            raise ConfigError(
                f"expected {' or '.join(map(str, counts))} finite distortion coefficients for each "
                f"of {frames} frames, got {tuple(self.distortion.shape)}"
            )

    def __len__(self) -> int:
        return len(self.rotation)

    @classmethod
    def from_matrices(
        cls,
        intrinsics: Float[Tensor, "*frame 3 3"],
        world_to_camera: Float[Tensor, "frame 4 4"],
        *,
        distortion: Float[Tensor, "*frame coefficient"] | None = None,
    ) -> CameraTrack:
        """Return the camera of a matrix K (one, or one a frame) and a 4 x 4 pose a frame.

        That is how 3DPW (`cam_intrinsics`, `cam_poses`), BEDLAM and EgoBody write them, the last
        with OpenCV's distortion.
        """
        frames = len(world_to_camera)
        matrices = intrinsics.expand(frames, 3, 3)
        return cls(
            rotation=world_to_camera[:, :3, :3],
            translation=world_to_camera[:, :3, 3],
            focal_px=torch.stack([matrices[:, 0, 0], matrices[:, 1, 1]], dim=1),
            centre_px=matrices[:, :2, 2],
            distortion=None if distortion is None else distortion.expand(frames, -1),
        )

    @classmethod
    def from_human36m(
        cls,
        *,
        rotation: Float[Tensor, "3 3"],
        position_mm: Float[Tensor, "3"],
        focal_px: Float[Tensor, "2"],
        centre_px: Float[Tensor, "2"],
        radial: Float[Tensor, "3"],
        tangential: Float[Tensor, "2"],
    ) -> CameraTrack:
        """Return one of Human3.6M's cameras: R (world - T), T in millimetres, lens k1-k3, p1-p2."""
        k1, k2, k3 = radial
        p1, p2 = tangential
        return cls(
            rotation=rotation[None],
            translation=-(rotation @ position_mm)[None] / 1000,
            focal_px=focal_px[None],
            centre_px=centre_px[None],
            distortion=torch.stack([k1, k2, p1, p2, k3])[None],
            lens="human36m",
        )

    def in_turned_world(self, turn: Float[Tensor, "3 3"]) -> CameraTrack:
        """Return the camera in the world that `turn` takes its own to."""
        return replace(self, rotation=self.rotation @ turn.to(self.rotation).mT)

    def pinhole(self, *, size_px: tuple[int, int], frame: int = 0) -> Camera:
        """Return one frame's camera of pictures of `size_px` (width, height), without its lens.

        A pinhole has one focal length: the geometric mean of the two (data sets' differ by 0.1 %).
        Raises ConfigError for a picture without pixels.
        """
        width, height = size_px
        if width < 1 or height < 1:
            raise ConfigError(f"expected a picture's size, got {width} x {height} pixels")
        rotation = self.rotation[frame]
        right, down = ((self.centre_px[frame] - torch.tensor(size_px) / 2) / height).tolist()
        return Camera(
            camera_from_world=rotation,
            position=-rotation.mT @ self.translation[frame],
            focal=float(self.focal_px[frame].prod().sqrt()) / height,
            centre=(right, down),
        )

    def to_camera(self, points: Float[Tensor, "frame point 3"]) -> Float[Tensor, "frame point 3"]:
        """Return world points in the camera's frame (metres)."""
        return points @ self.rotation.to(points).mT + self.translation.to(points)[:, None]

    def to_world(self, points: Float[Tensor, "frame point 3"]) -> Float[Tensor, "frame point 3"]:
        """Return points of the camera's frame in the world (metres): `to_camera` undone."""
        return (points - self.translation.to(points)[:, None]) @ self.rotation.to(points)

    def project(self, points: Float[Tensor, "frame point 3"]) -> Float[Tensor, "frame point 2"]:
        """Return the pixels of world points; NaN for points not ahead of the camera."""
        seen = self.to_camera(points)
        depth = torch.where(seen[..., 2:] > 0, seen[..., 2:], torch.nan)
        plane = self._distorted(seen[..., :2] / depth)
        return plane * self.focal_px.to(points)[:, None] + self.centre_px.to(points)[:, None]

    def rays(self, pixels: Float[Tensor, "frame point 2"]) -> Float[Tensor, "frame point 2"]:
        """Return x / z and y / z in the camera's frame of pixels: `project` undone.

        The lens is undone by fixed-point iterations, as OpenCV does.
        """
        seen = (pixels - self.centre_px.to(pixels)[:, None]) / self.focal_px.to(pixels)[:, None]
        plane = seen
        if self.distortion is not None:
            for _ in range(UNDISTORT_STEPS):
                plane = plane + (seen - self._distorted(plane))
        return plane

    def _distorted(self, plane: Float[Tensor, "frame point 2"]) -> Float[Tensor, "frame point 2"]:
        """Return where the lens moves points of the plane z = 1."""
        if self.distortion is None:
            return plane
        k1, k2, p1, p2, k3, *rational = self.distortion.to(plane).T[..., None, None].unbind(0)
        x, y = plane[..., :1], plane[..., 1:]
        r2 = x**2 + y**2
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        if rational:
            k4, k5, k6 = rational
            radial = radial / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        tangential = p1 * y + p2 * x
        if self.lens == "opencv":
            tangential = 2 * tangential
        return plane * (radial + tangential) + torch.cat([p2, p1], dim=-1) * r2
