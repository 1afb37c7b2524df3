"""Square crops around people: from a box to pixels, and from a crop's camera to the picture's.

A crop is its middle and its side, in pixels of the picture. Places inside a crop are counted in
sides from its middle: (-0.5, -0.5) is its top left corner, whatever its resolution.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

from unipose.errors import ConfigError

SCALE = 1.2
"""A crop's side, in sides of the square that just holds the person."""
LONG_LENS = 5000 / 256
"""HMR's focal length, in sides of the picture that is looked at (5000 px for 256)."""
SMALLEST_SCALE = 0.05
"""A weak camera's scale from which a crop's side spans 40 m: less is no person any more."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Crops:
    """One square per person, anywhere in (or beyond) its picture."""

    centre: Float[Tensor, "person 2"]
    """In pixels of the picture: x right, y down; the middle of the first pixel is (0.5, 0.5)."""
    side: Float[Tensor, " person"]

    def __len__(self) -> int:
        return len(self.side)

    def to(self, device: torch.device | str) -> Crops:
        """Return the crops on a device."""
        return Crops(centre=self.centre.to(device), side=self.side.to(device))

    @classmethod
    def around(
        cls, boxes: Float[Tensor, "person 4"], *, scale: float = SCALE, aspect: float = 0.75
    ) -> Crops:
        """Return the crops of boxes (left, top, right, bottom).

        The box fits into the middle `aspect` of the columns, which is what a Pose-ViT looks at.
        Raises ConfigError for a box without an area.
        """
        size = boxes[:, 2:] - boxes[:, :2]
        if not bool((size > 0).all()):
            raise ConfigError(f"expected boxes (left, top, right, bottom), got {boxes.tolist()}")
        side = torch.maximum(size[:, 1], size[:, 0] / aspect) * scale
        return cls(centre=(boxes[:, :2] + boxes[:, 2:]) / 2, side=side)

    @classmethod
    def whole(cls, height_px: int, width_px: int) -> Crops:
        """Return the middle square of a picture, as UniPose takes pictures without a box."""
        return cls(
            centre=torch.tensor([[width_px / 2, height_px / 2]]),
            side=torch.tensor([float(min(height_px, width_px))]),
        )

    def to_crop(self, points: Float[Tensor, "person point 2"]) -> Float[Tensor, "person point 2"]:
        """Return pixels of the picture as places in the crop (sides from its middle)."""
        return (points - self.centre[:, None]) / self.side[:, None, None]

    def to_picture(
        self, points: Float[Tensor, "person point 2"]
    ) -> Float[Tensor, "person point 2"]:
        """Return places in the crop as pixels of the picture."""
        return points * self.side[:, None, None] + self.centre[:, None]

    def cut(
        self, picture: UInt8[Tensor, "height width 3"], side_px: int
    ) -> Float[Tensor, "person 3 side side"]:
        """Return the crops' pixels (0 to 255; black beyond the picture), resampled once.

        Where a crop shrinks, squares of whole pixels are averaged first, so that none is skipped.
        """
        cuts = [torch.zeros(0, 3, side_px, side_px)]
        for centre, side in zip(self.centre, self.side):
            pixels = picture.movedim(2, 0)[None].to(torch.float32)
            shrink = max(1, int(float(side) / side_px))
            if shrink > 1:
                height, width = (-(-n // shrink) * shrink for n in pixels.shape[2:])
                # a margin that fills up the last square; its pixels repeat the edge
                missing = (0, width - pixels.shape[3], 0, height - pixels.shape[2])
                pixels = F.avg_pool2d(F.pad(pixels, missing, mode="replicate"), shrink)
            cuts.append(
                resample(pixels, (centre / shrink)[None], (side / shrink)[None], side_px, side_px)
            )
        return torch.cat(cuts)

    def turns(
        self, focal_px: Float[Tensor, " person"], principal_px: Float[Tensor, "person 2"]
    ) -> Float[Tensor, "person 3 3"]:
        """Return the rotation from each crop's camera, which looks at its middle, to the picture's.

        A person at the edge of a picture is seen from the side by the picture's camera; a crop
        does not know where it was cut out. root_in_picture = turn @ root_in_crop.
        """
        across = (self.centre - principal_px) / focal_px[:, None]
        ray = F.normalize(torch.cat([across, torch.ones_like(across[:, :1])], dim=1), dim=1)
        # the smallest turn that takes (0, 0, 1) to the ray: 1 + [v] + [v]^2 / (1 + cos)
        x, y, z = ray.unbind(1)
        rows = [
            torch.stack([1 - x * x / (1 + z), -x * y / (1 + z), x], dim=1),
            torch.stack([-x * y / (1 + z), 1 - y * y / (1 + z), y], dim=1),
            torch.stack([-x, -y, z], dim=1),
        ]
        return torch.stack(rows, dim=1)

    def translation(
        self,
        camera: Float[Tensor, "person 3"],
        focal_px: Float[Tensor, " person"],
        principal_px: Float[Tensor, "person 2"],
    ) -> Float[Tensor, "person 3"]:
        """Return where the picture's camera sees what the crop's weak camera places (metres).

        `camera` is (scale s, right, down) as in HMR: s is 2 / (metres that a crop's side spans), so
        depth = 2 focal / (side s), and right and down gain 2 (centre - principal) / (side s). That
        is `cam_crop_to_full` of CLIFF (Li et al. 2022) and of HMR 2.0's published code.
        """
        scale = camera[:, 0].clamp(min=SMALLEST_SCALE)
        depth = 2 * focal_px / (self.side * scale)
        offset = 2 * (self.centre - principal_px) / (self.side * scale)[:, None]
        return torch.cat([camera[:, 1:] + offset, depth[:, None]], dim=1)

    def weak_camera(
        self,
        translation: Float[Tensor, "person 3"],
        focal_px: Float[Tensor, " person"],
        principal_px: Float[Tensor, "person 2"],
    ) -> Float[Tensor, "person 3"]:
        """Return the weak camera of a place before the picture's camera: `translation` undone."""
        scale = 2 * focal_px / (self.side * translation[:, 2])
        offset = 2 * (self.centre - principal_px) / (self.side * scale)[:, None]
        return torch.cat([scale[:, None], translation[:, :2] - offset], dim=1)


def resample(
    pixels: Float[Tensor, "image channel height width"],
    centre: Float[Tensor, "image 2"],
    side: Float[Tensor, " image"],
    height_px: int,
    width_px: int,
    *,
    beyond: str = "zeros",
    mode: str = "bilinear",
) -> Float[Tensor, "image channel rows columns"]:
    """Return a rectangle of each picture, `height_px` spanning `side` pixels.

    `centre` is in pixels of the picture (the middle of the first one is 0.5). `beyond` says what
    lies outside a picture and `mode` what lies between pixels, as in torch's grid_sample.
    """
    height, width = pixels.shape[2:]
    step = side / height_px
    x = (torch.arange(width_px, device=pixels.device) + 0.5 - width_px / 2) * step[:, None]
    y = (torch.arange(height_px, device=pixels.device) + 0.5 - height_px / 2) * step[:, None]
    x = (x + centre[:, :1]) * (2 / width) - 1  # image column
    y = (y + centre[:, 1:]) * (2 / height) - 1  # image row
    grid = torch.stack(
        [x[:, None].expand(-1, height_px, -1), y[:, :, None].expand(-1, -1, width_px)], dim=-1
    )
    return F.grid_sample(pixels, grid, mode=mode, padding_mode=beyond, align_corners=False)


def project(
    points: Float[Tensor, "person point 3"],
    camera: Float[Tensor, "person 3"],
    *,
    focal: float = LONG_LENS,
) -> Float[Tensor, "person point 2"]:
    """Return where points fall in their crop (sides from its middle).

    `points` are metres in the crop camera's axes (x right, y down, z ahead); `camera` is the weak
    camera; `focal` is HMR's long lens, in sides of the crop.
    """
    scale = camera[:, 0].clamp(min=SMALLEST_SCALE)
    place = torch.cat([camera[:, 1:], (2 * focal / scale)[:, None]], dim=1)
    seen = points + place[:, None]
    return seen[..., :2] / seen[..., 2:].clamp(min=0.1) * focal
