"""The Pose-ViT: the vision transformer of ViTPose, HMR 2.0 and TokenHMR, laid out as theirs.

It sees a square crop around one person (or a whole picture, as UniPose feeds it) and gives a map
of features: which limb is where. The paper's is ViT-H/16; a small one is the same class with other
numbers, and may look through a few convolutions first.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError
from unipose.files.checkpoints import load_strictly, part_of, read_checkpoint
from unipose.vision.pixels import IMAGENET_MEAN, IMAGENET_STD, normalised, resized_and_cut


@dataclass(frozen=True, kw_only=True)
class PoseViTConfig:
    """Sizes; the defaults are the published ViT-H/16 (630.9 M weights)."""

    image_px: int = 256
    """Side of the square picture."""
    dropped_px: int = 32
    """Columns left out on each side: people are taller than wide."""
    patch_px: int = 16
    padding_px: int = 2
    """Of the patch convolution (ViTPose pads by 2 and keeps the same number of patches)."""
    width: int = 1280
    depth: int = 32
    heads: int = 16
    feed_forward: int = 5120
    skipped: float = 0.0
    """Stochastic depth in training: the last block's chance to be skipped (published: 0.55)."""
    stem: tuple[tuple[int, int, int], ...] = ()
    """Convolutions before the patches: (times smaller, channels, residual blocks) of each stage;
    () is the published layout."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"{self.heads} heads do not divide a width of {self.width}")
        kept = self.image_px - 2 * self.dropped_px
        if kept < self.patch_px or self.image_px % self.patch_px or kept % self.patch_px:
            raise ConfigError(
                f"patches of {self.patch_px} px do not tile {self.image_px} x {kept} px"
            )
        if self.patch_px % self.stem_px:
            raise ConfigError(
                f"a stem that makes {self.stem_px} px one does not divide patches of "
                f"{self.patch_px} px"
            )
        if not 0 <= self.skipped < 1:
            raise ConfigError(f"expected skipped from 0 to below 1, got {self.skipped}")

    @property
    def stem_px(self) -> int:
        """Pixels per side of what the stem makes one."""
        return math.prod(smaller for smaller, _, _ in self.stem)

    @property
    def rows(self) -> int:
        """Rows of the map of features."""
        return self.image_px // self.patch_px

    @property
    def columns(self) -> int:
        """Columns of the map of features."""
        return (self.image_px - 2 * self.dropped_px) // self.patch_px


PAPER_POSE_VIT = PoseViTConfig(skipped=0.55)
"""ViT-H/16 of HMR 2.0 and TokenHMR: a map of 16 x 12 x 1280."""


class PoseViT(nn.Module):
    """A vision transformer without class token; its parameters are named as ViTPose names them."""

    def __init__(self, config: PoseViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = nn.Sequential()
        channels = 3
        for smaller, wider, blocks in config.stem:
            self.stem.append(_Smaller(channels, wider, smaller))
            self.stem.extend(_Residual(wider) for _ in range(blocks))
            channels = wider
        self.patch_embed = _Patches(config, channels)
        # row 0 is the place of the class token of MAE's pre-training; it is added everywhere
        self.pos_embed = nn.Parameter(
            torch.zeros(1, 1 + config.rows * config.columns, config.width)
        )
        chances = [config.skipped * i / max(1, config.depth - 1) for i in range(config.depth)]
        self.blocks = nn.ModuleList(_Block(config, chance) for chance in chances)
        self.last_norm = nn.LayerNorm(config.width, eps=1e-6)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(
        self, crops: Float[Tensor, "image 3 height width"]
    ) -> Float[Tensor, "image channel row column"]:
        """Return the map of features of normalised square crops (see `prepare`).

        Raises ConfigError if the crops have another size than the config's.
        """
        side, cut = self.config.image_px, self.config.dropped_px
        if crops.shape[1:] != (3, side, side):
            raise ConfigError(
                f"expected crops (image, 3, {side}, {side}), got {tuple(crops.shape)}"
            )
        seen = crops[..., cut : side - cut]
        patches = self.patch_embed.proj(self.stem(seen)).flatten(2).mT  # image patch channel
        patches = patches + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            patches = block(patches)
        return self.last_norm(patches).mT.unflatten(2, (self.config.rows, self.config.columns))

    def prepare(self, pictures: list[UInt8[Tensor, "_ _ 3"]]) -> Float[Tensor, "image 3 side side"]:
        """Return whole pictures as UniPose hands them over: short side resized, middle cut out."""
        side = self.config.image_px
        if not pictures:
            return torch.zeros(0, 3, side, side)
        cut = [resized_and_cut(picture, side, mode="bilinear") for picture in pictures]
        return normalised(torch.stack(cut), IMAGENET_MEAN, IMAGENET_STD)

    def load_published(self, path: str | Path) -> None:
        """Load the `backbone.*` weights of an HMR 2.0 or TokenHMR checkpoint, all of them.

        Nothing in the file is executed. Raises WeightsError: no checkpoint, or weights that are
        missing, too many, or of another shape.
        """
        path = Path(path)
        load_strictly(self, part_of(read_checkpoint(path, ("backbone.",)), "backbone."), path)


def on_square_grid(
    features: Float[Tensor, "image channel row column"], side: int
) -> Float[Tensor, "image patch channel"]:
    """Return the map on a grid of `side` x `side` patches, row by row (UniPose: 24 x 24).

    The columns that were dropped come back as zeros (12 -> 16, two on each side); then bilinear,
    corners on corners.
    """
    rows, columns = features.shape[2:]
    missing = max(0, rows - columns)
    square = F.pad(features, (missing // 2, missing - missing // 2))
    return F.interpolate(square, (side, side), mode="bilinear", align_corners=True).flatten(2).mT


class _Patches(nn.Module):
    def __init__(self, config: PoseViTConfig, channels: int) -> None:
        super().__init__()
        size = config.patch_px // config.stem_px
        self.proj = nn.Conv2d(
            channels,
            config.width,
            size,
            stride=size,
            padding=0 if config.stem else config.padding_px,
        )


class _Block(nn.Module):
    """Pre-norm attention and perceptron; whole blocks are skipped at random in training."""

    def __init__(self, config: PoseViTConfig, skipped: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = _Attention(config.width, config.heads)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        first = nn.Linear(config.width, config.feed_forward)
        last = nn.Linear(config.feed_forward, config.width)
        self.mlp = nn.Sequential(OrderedDict(fc1=first, gelu=nn.GELU(), fc2=last))
        self.skipped = skipped

    def forward(
        self, x: Float[Tensor, "image patch channel"]
    ) -> Float[Tensor, "image patch channel"]:
        x = x + self._sometimes(self.attn(self.norm1(x)))
        return x + self._sometimes(self.mlp(self.norm2(x)))

    def _sometimes(
        self, x: Float[Tensor, "image patch channel"]
    ) -> Float[Tensor, "image patch channel"]:
        if not (self.training and self.skipped):
            return x
        kept = torch.rand(len(x), 1, 1, device=x.device) >= self.skipped
        return x * kept / (1 - self.skipped)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(
        self, x: Float[Tensor, "image patch channel"]
    ) -> Float[Tensor, "image patch channel"]:
        # image patch (qkv head channel) -> qkv image head patch channel
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        # torch's fused attention learns six times slower than this on a CPU in bfloat16
        scores = (q * q.shape[-1] ** -0.5) @ k.mT
        return self.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2))


class _Smaller(nn.Sequential):
    """A convolution with a stride and its normalisation; neighbours overlap."""

    def __init__(self, channels: int, wider: int, times: int) -> None:
        super().__init__(
            nn.Conv2d(channels, wider, 2 * times - 1, stride=times, padding=times - 1, bias=False),
            nn.BatchNorm2d(wider),
            nn.ReLU(inplace=True),
        )


class _Residual(nn.Module):
    """Two convolutions beside a way past them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(
        self, x: Float[Tensor, "image channel row column"]
    ) -> Float[Tensor, "image channel row column"]:
        return F.relu(x + self.inner(x))
