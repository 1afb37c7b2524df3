"""Pictures as the vision models want them: resized, cut to a square, normalised."""

from __future__ import annotations

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional as F

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Triple = tuple[float, float, float]


def normalised(
    pixels: Float[Tensor, "image 3 height width"], mean: Triple, std: Triple
) -> Float[Tensor, "image 3 height width"]:
    """Return pixels (0 to 255) with each colour's mean taken off, in standard deviations."""
    scale = pixels.new_tensor([1 / (255 * s) for s in std])[:, None, None]
    shift = pixels.new_tensor([m / s for m, s in zip(mean, std)])[:, None, None]
    return pixels * scale - shift


def resized_and_cut(
    picture: UInt8[Tensor, "height width 3"], side_px: int, *, mode: str
) -> Float[Tensor, "3 side side"]:
    """Return the middle square of a picture whose short side is made `side_px` (0 to 255).

    `mode` is bilinear or bicubic. Pixels are averaged where the picture shrinks, as Pillow does.
    """
    height, width = picture.shape[:2]
    short = min(height, width)
    size = (side_px * height // short, side_px * width // short)
    pixels = picture.movedim(2, 0)[None].to(torch.float32)
    pixels = F.interpolate(pixels, size, mode=mode, align_corners=False, antialias=True)
    top, left = round((size[0] - side_px) / 2), round((size[1] - side_px) / 2)
    return pixels[0, :, top : top + side_px, left : left + side_px].clamp(0, 255)
