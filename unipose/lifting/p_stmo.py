"""P-STMO: a pre-trained encoder of frames, then strides to the middle one (Shan et al. 2022).

Pre-training takes most frames and a few joints away and asks for all keypoints ("masked pose
modelling"); the encoder it leaves is where lifting starts. The published code never applies the
encoders' last norm, and its layer norms divide by the unbiased deviation; neither is repeated.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from unipose.errors import ConfigError, LiftingError
from unipose.lifting.task_net import SaidRows, SeenRows


@dataclass(frozen=True, kw_only=True)
class PStmoConfig:
    """The published small network of 81 frames (MPI-INF-3DHP)."""

    joints: int = 17
    strides: tuple[int, ...] = (3, 3, 3, 3)
    """Of the strided layers; their product is the number of frames."""
    width: int = 256
    inner: int = 512
    layers: int = 3
    heads: int = 8
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.width % self.heads or not self.strides or any(s < 1 for s in self.strides):
            raise ConfigError(f"expected a width that {self.heads} heads share, got {self}")

    @property
    def frames(self) -> int:
        """How many frames it looks at."""
        return prod(self.strides)


class FrameEncoder(nn.Module):
    """Keypoints of each frame through a perceptron, then attention over the frames."""

    def __init__(self, config: PStmoConfig) -> None:
        super().__init__()
        width, inner = config.width, 2 * config.width
        self.enter = nn.Sequential(
            *_frame_layer(2 * config.joints, inner, config.dropout),
            _FrameStage(inner, config.dropout),
            nn.Conv1d(inner, width, 1),
        )
        self.places = nn.Parameter(torch.randn(1, config.frames, width))
        self.layers = nn.ModuleList([_Layer(config, stride=1) for _ in range(config.layers)])

    def forward(
        self,
        seen: Float[Tensor, "row frame joint 2"],
        kept: Bool[Tensor, " frame"] | None = None,
    ) -> Float[Tensor, "row kept_frame width"]:
        """Return features of all frames, or of those that are kept."""
        x = self.enter(seen.flatten(2).mT).mT + self.places[:, : seen.shape[1]]
        if kept is not None:
            x = x[:, kept]
        for layer in self.layers:
            x = layer(x)
        return x


class PStmo(nn.Module):
    """The lifter: it says the middle frame; all frames too, to learn from (`every_frame`)."""

    def __init__(self, config: PStmoConfig) -> None:
        super().__init__()
        self.config, self.frames = config, config.frames
        self.encoder = FrameEncoder(config)
        self.every = _head(config.width, 3 * config.joints)
        self.strided = nn.ModuleList([_Layer(config, stride=stride) for stride in config.strides])
        # as published: before all strided layers but the last one, each as long as the input
        self.strided_places = nn.ParameterList(
            [torch.randn(1, config.frames, config.width) for _ in config.strides[:-1]]
        )
        self.middle = _head(config.width, 3 * config.joints)

    def forward(self, seen: SeenRows) -> SaidRows:
        """Return the middle frame's joints. Raises LiftingError for another number of frames."""
        return self._say_middle(self._encoded(seen))

    def both(
        self, seen: SeenRows
    ) -> tuple[Float[Tensor, "row 1 joint 3"], Float[Tensor, "row frame joint 3"]]:
        """Return the joints of the middle frame, and of every frame, which training asks for."""
        x = self._encoded(seen)
        return self._say_middle(x), _poses(self.every(x.mT))

    def _encoded(self, seen: SeenRows) -> Float[Tensor, "row frame width"]:
        if seen.shape[1] != self.frames:
            raise LiftingError(
                f"the network looks at {self.frames} frames, got {seen.shape[1]}; repeat the first "
                "and the last one"
            )
        return self.encoder(seen)

    def _say_middle(self, x: Float[Tensor, "row frame width"]) -> SaidRows:
        for number, layer in enumerate(self.strided):
            if number < len(self.strided_places):
                x = x + self.strided_places[number][:, : x.shape[1]]
            x = layer(x)
        return _poses(self.middle(x.mT))


class MaskedPoseModel(nn.Module):
    """Pre-training: all keypoints from a few frames, in which some joints are a learned point."""

    def __init__(
        self,
        config: PStmoConfig,
        *,
        frames_away: float = 0.7,
        joints_away: int = 2,
        decoder: PStmoConfig | None = None,
    ) -> None:
        """Take the published shares of MPI-INF-3DHP (Human3.6M: 0.8 and 7)."""
        super().__init__()
        decoder = decoder or PStmoConfig(
            joints=config.joints, strides=config.strides, width=config.width // 2,
            inner=config.inner // 2, layers=2, heads=config.heads, dropout=config.dropout,
        )  # fmt: skip
        self.config, self.frames_away, self.joints_away = config, frames_away, joints_away
        self.encoder = FrameEncoder(config)
        self.joint_away = nn.Parameter(torch.randn(2))
        self.frame_away = nn.Parameter(torch.randn(1, 1, decoder.width))
        self.narrow = nn.Sequential(
            nn.LayerNorm(config.width), nn.Linear(config.width, decoder.width)
        )
        self.places = nn.Parameter(torch.randn(1, config.frames, decoder.width))
        self.decoder = nn.ModuleList([_Layer(decoder, stride=1) for _ in range(decoder.layers)])
        self.answer = _head(decoder.width, 2 * config.joints)

    def loss(self, seen: SeenRows, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean distance of all keypoints of all frames from what is made of the rest."""
        frames = seen.shape[1]
        kept = torch.rand(frames, generator=generator).argsort() >= int(self.frames_away * frames)
        gone = torch.rand(*seen.shape[:3], generator=generator).argsort(-1) < self.joints_away
        hidden = torch.where(gone[..., None], self.joint_away, seen)
        x = self.narrow(self.encoder(hidden, kept))
        whole = self.frame_away.expand(len(seen), frames, -1).clone()
        whole[:, kept] = x
        x = whole + self.places[:, :frames]
        for layer in self.decoder:
            x = layer(x)
        said = rearrange(self.answer(x.mT), "row (joint xy) frame -> row frame joint xy", xy=2)
        return (said - seen).norm(dim=-1).mean()


def _poses(answer: Float[Tensor, "row number frame"]) -> SaidRows:
    return rearrange(answer, "row (joint xyz) frame -> row frame joint xyz", xyz=3)


def _head(width: int, numbers: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm1d(width), nn.Conv1d(width, numbers, 1))


def _frame_layer(numbers: int, width: int, dropout: float) -> list[nn.Module]:
    return [
        nn.Conv1d(numbers, width, 1), nn.BatchNorm1d(width), nn.LeakyReLU(0.2), nn.Dropout(dropout),
    ]  # fmt: skip


class _FrameStage(nn.Module):
    """Two layers on each frame beside a way around them."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_frame_layer(width, width, dropout), *_frame_layer(width, width, dropout)
        )

    def forward(self, x: Float[Tensor, "row width frame"]) -> Float[Tensor, "row width frame"]:
        return x + self.layers(x)


class _Layer(nn.Module):
    """Attention, then two layers of which the second may stride over frames; norms come first."""

    def __init__(self, config: PStmoConfig, *, stride: int) -> None:
        super().__init__()
        self.heads, self.stride = config.heads, stride
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.mix = nn.Linear(config.width, config.width)
        self.inner = nn.Conv1d(config.width, config.inner, 1)
        # layers that keep all frames look at one frame at a time
        size = 3 if stride > 1 else 1
        self.outer = nn.Conv1d(config.inner, config.width, size, stride=stride, padding=size // 2)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "row frame width"]) -> Float[Tensor, "row less width"]:
        q, k, v = rearrange(
            self.qkv(self.norm1(x)), "row frame (three head part) -> three row head frame part",
            three=3, head=self.heads,
        )  # fmt: skip
        mixed = F.scaled_dot_product_attention(
            q, k, v, dropout_p=self.dropout.p if self.training else 0.0
        )
        mixed = rearrange(mixed, "row head frame part -> row frame (head part)")
        x = x + self.dropout(self.mix(mixed))
        y = self.outer(self.dropout(F.relu(self.inner(self.norm2(x).mT)))).mT
        return x[:, :: self.stride] + self.dropout(y)
