"""CSPNeXt-P5, the backbone of RTMPose and CIGPose (Lyu et al. 2022, RTMDet), as it is published.

Names of layers are those of mmpose's checkpoints: `stem.0.conv.weight`, `stage1.1.blocks.0.conv2.
depthwise_conv.bn.bias`. Of the stages' maps only the last one is used.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.wholebody.config import BLOCKS

CHANNELS = (64, 128, 256, 512, 1024)
"""Of the stem and the four stages, at size l."""
Map = Float[Tensor, "image channel row column"]
NewMap = Float[Tensor, "image new_channel new_row new_column"]


class ConvUnit(nn.Module):
    """Convolution without bias, batch norm, SiLU."""

    def __init__(
        self, ingoing: int, outgoing: int, kernel: int = 1, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            ingoing, outgoing, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.bn = nn.BatchNorm2d(outgoing)

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        return F.silu(self.bn(self.conv(maps)))


class DepthwiseUnit(nn.Module):
    """A 5x5 convolution of each channel, then one of all channels of each place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise_conv = ConvUnit(channels, channels, 5, groups=channels)
        self.pointwise_conv = ConvUnit(channels, channels)

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        return self.pointwise_conv(self.depthwise_conv(maps))


class CSPNeXtBlock(nn.Module):
    """A 3x3 and a depthwise 5x5 convolution, added to what came in where `residual`."""

    def __init__(self, channels: int, *, residual: bool) -> None:
        super().__init__()
        self.conv1 = ConvUnit(channels, channels, 3)
        self.conv2 = DepthwiseUnit(channels)
        self.residual = residual

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        new = self.conv2(self.conv1(maps))
        return new + maps if self.residual else new


class ChannelAttention(nn.Module):
    """Each channel times a number that hangs on the means of all channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Conv2d(channels, channels, 1)

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        return maps * F.hardsigmoid(self.fc(maps.mean(dim=(2, 3), keepdim=True)))


class CSPLayer(nn.Module):
    """Half of the channels through blocks, half around them."""

    def __init__(self, channels: int, blocks: int, *, residual: bool) -> None:
        super().__init__()
        half = channels // 2
        self.main_conv = ConvUnit(channels, half)
        self.short_conv = ConvUnit(channels, half)
        self.final_conv = ConvUnit(2 * half, channels)
        self.blocks = nn.Sequential(*(CSPNeXtBlock(half, residual=residual) for _ in range(blocks)))
        self.attention = ChannelAttention(2 * half)

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        both = torch.cat([self.blocks(self.main_conv(maps)), self.short_conv(maps)], dim=1)
        return self.final_conv(self.attention(both))


class SpatialPyramid(nn.Module):
    """The map beside its maxima over 5, 9 and 13 places (SPPBottleneck)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = ConvUnit(channels, half)
        self.conv2 = ConvUnit(4 * half, channels)

    def forward(self, maps: Map) -> NewMap:
        """Return the new map."""
        narrow = self.conv1(maps)
        pooled = [F.max_pool2d(narrow, side, 1, side // 2) for side in (5, 9, 13)]
        return self.conv2(torch.cat([narrow, *pooled], dim=1))


class CSPNeXt(nn.Module):
    """Stem and four stages, each of half the resolution; size m is deepen 0.67, widen 0.75."""

    def __init__(self, *, deepen: float, widen: float) -> None:
        super().__init__()
        first, *stages = (int(channels * widen) for channels in CHANNELS)
        half = int(CHANNELS[0] * widen // 2)
        self.stem = nn.Sequential(
            ConvUnit(3, half, 3, stride=2), ConvUnit(half, half, 3), ConvUnit(half, first, 3)
        )
        ingoing, last = first, len(stages) - 1
        self.stages = []
        for i, (outgoing, blocks) in enumerate(zip(stages, BLOCKS)):
            layers: list[nn.Module] = [ConvUnit(ingoing, outgoing, 3, stride=2)]
            if i == last:
                layers.append(SpatialPyramid(outgoing))
            count = max(round(blocks * deepen), 1)
            layers.append(CSPLayer(outgoing, count, residual=i != last))
            self.stages.append(f"stage{i + 1}")
            self.add_module(self.stages[-1], nn.Sequential(*layers))
            ingoing = outgoing
        self.channels = ingoing

    def forward(self, images: Float[Tensor, "image 3 height width"]) -> Map:
        """Return the last stage's map: a 32nd of the picture's rows and columns."""
        maps = self.stem(images)
        for name in self.stages:
            maps = getattr(self, name)(maps)
        return maps
