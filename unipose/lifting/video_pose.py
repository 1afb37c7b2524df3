"""VideoPose3D: dilated convolutions over the frames' keypoints (Pavllo et al. 2019).

Weights have the names of the published checkpoints (`model_pos`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError, LiftingError
from unipose.lifting.task_net import SaidRows, SeenRows


@dataclass(frozen=True, kw_only=True)
class VideoPoseConfig:
    """The published network of 243 frames; `widths` (1, 1, 1, 1, 1) is that of one frame."""

    joints: int = 17
    widths: tuple[int, ...] = (3, 3, 3, 3, 3)
    """Of the filters, frames; the network sees as many frames as their product."""
    width: int = 1024
    dropout: float = 0.25

    def __post_init__(self) -> None:
        if not self.widths or any(width < 1 or width % 2 == 0 for width in self.widths):
            raise ConfigError(f"expected odd filter widths, got {self.widths}")


class VideoPose(nn.Module):
    """From `frames` frames to the joints of the middle one; from more, to those of all inner ones.

    The way around a block takes the frames in the middle of its filters.
    """

    def __init__(self, config: VideoPoseConfig) -> None:
        super().__init__()
        self.config = config
        self.frames = prod(config.widths)
        first, *others = config.widths
        width = config.width
        self.expand_conv = nn.Conv1d(2 * config.joints, width, first, bias=False)
        self.expand_bn = nn.BatchNorm1d(width)
        self.drop = nn.Dropout(config.dropout)
        self.layers_conv, self.layers_bn = nn.ModuleList(), nn.ModuleList()
        dilation = first
        for filter_width in others:
            self.layers_conv.append(
                nn.Conv1d(width, width, filter_width, dilation=dilation, bias=False)
            )
            self.layers_conv.append(nn.Conv1d(width, width, 1, bias=False))
            self.layers_bn.extend([nn.BatchNorm1d(width), nn.BatchNorm1d(width)])
            dilation *= filter_width
        self.shrink = nn.Conv1d(width, 3 * config.joints, 1)

    def forward(self, seen: SeenRows) -> SaidRows:
        """Return the joints of the middle frame (of all but the outer ones of a longer row).

        One window is computed with strides in place of dilations: the same numbers, of which none
        is thrown away. Raises LiftingError for fewer frames than `frames`.
        """
        if seen.shape[1] < self.frames:
            raise LiftingError(
                f"the network looks at {self.frames} frames, got {seen.shape[1]}; repeat the first "
                "and the last one"
            )
        one = seen.shape[1] == self.frames
        x = seen.flatten(2).mT
        stride = self.config.widths[0] if one else 1
        x = self._act(self.expand_bn, F.conv1d(x, self.expand_conv.weight, stride=stride))
        for i, width in enumerate(self.config.widths[1:]):
            conv = self.layers_conv[2 * i]
            assert isinstance(conv, nn.Conv1d)
            if one:
                around = x[:, :, width // 2 :: width]
                y = F.conv1d(x, conv.weight, stride=width)
            else:
                margin = conv.dilation[0] * (width // 2)
                around = x[:, :, margin : x.shape[2] - margin]
                y = conv(x)
            y = self._act(self.layers_bn[2 * i], y)
            y = self._act(self.layers_bn[2 * i + 1], self.layers_conv[2 * i + 1](y))
            x = around + y
        return self.shrink(x).mT.unflatten(2, (-1, 3))

    def _act(
        self, norm: nn.Module, x: Float[Tensor, "row width frame"]
    ) -> Float[Tensor, "row width frame"]:
        return self.drop(F.relu(norm(x)))
