"""A space in which motions and texts of the same meaning lie close: TMR on SMPL's rotations.

Both sides end in a unit vector, and the cosine of two of them says how well a motion fits a text
(Petrovich et al., TMR, ICCV 2023; semantics-aware adaptation, equation 3). Motions go in as the
local rotations of SMPL's first 22 joints, so that gradients reach a mesh recovery network directly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from tokenizer.rotations import rotations_to_6d
from unipose.body.facing import without_yaw
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError
from unipose.files.saved_network import load_weights, read_config, save_network

SEGMENT_FRAMES = 60
"""Frames of a segment, at 30 per second: those of MotionCLIP and of the published adaptation."""
FPS = 30.0
EMBEDDED_SPACE = Path(__file__).parents[1] / "weights" / "motion_text"
"""The motion-text model that comes along."""


@runtime_checkable
class MotionSpace(Protocol):
    """What alignment asks of a space of motions and texts: ours, or MotionCLIP's."""

    def encode_motion(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"] | None = None,
    ) -> Float[Tensor, "motion feature"]:
        """Return a unit vector for each motion, differentiable in the rotations."""
        ...


@dataclass(frozen=True, kw_only=True)
class MotionTextConfig:
    """Sizes; the defaults are TMR's, with one token for each frame."""

    encoder: Literal["transformer", "statistics"] = "transformer"
    """Of motions: ACTOR's, or a perceptron over what each joint does on the whole."""
    latent: int = 256
    depth: int = 6
    heads: int = 4
    feed_forward: int = 1024
    dropout: float = 0.1
    frames_per_token: int = 1
    """So many frames are one token of the motion encoder."""
    text_width: int = 576
    """Of the frozen features that texts come in as (SmolLM2-135M's hidden states)."""
    text_layer: int = 16
    """Which hidden states of the language model (`BaseModelText`)."""
    text_hidden: int = 256
    text_source: Literal["base", "clip"] = "base"
    """Read by nothing; saved configurations have it."""

    def __post_init__(self) -> None:
        if self.latent % self.heads or self.latent % 2:
            raise ConfigError(f"{self.heads} heads do not share out a width of {self.latent}")
        if min(self.depth, self.frames_per_token) < 1:
            raise ConfigError(f"expected at least one layer and one frame a token, got {self}")


class MotionEncoder(nn.Module):
    """A motion as a normal distribution (ACTOR's encoder, Petrovich et al. 2021)."""

    def __init__(self, config: MotionTextConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.frames_per_token * POSED_JOINTS * 6, config.latent)
        self.queries = nn.Parameter(torch.randn(2, config.latent) * 0.02)
        layer = nn.TransformerEncoderLayer(
            config.latent, config.heads, config.feed_forward, config.dropout, "gelu",
            batch_first=True,
        )  # fmt: skip
        self.layers = nn.TransformerEncoder(layer, config.depth, enable_nested_tensor=False)

    def forward(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"],
    ) -> tuple[Float[Tensor, "motion feature"], Float[Tensor, "motion feature"]]:
        """Return mean and log variance; frames that are not `present` count for nothing."""
        each = self.config.frames_per_token
        frames = rotations_to_6d(rotations).flatten(2) * present[:, :, None]
        missing = -frames.shape[1] % each
        frames = F.pad(frames, (0, 0, 0, missing)).unflatten(1, (-1, each))
        there = F.pad(present, (0, missing)).unflatten(1, (-1, each)).any(2)
        tokens = self.embed(frames.flatten(2))
        tokens = torch.cat([self.queries.expand(len(tokens), -1, -1), tokens], dim=1)
        tokens = tokens + position_code(tokens.shape[1], tokens)
        there = F.pad(there, (2, 0), value=True)
        answers = self.layers(tokens, src_key_padding_mask=~there)
        return answers[:, 0], answers[:, 1]


class StatisticsEncoder(nn.Module):
    """A motion by what each of its joints does on the whole: mean, spread and speed.

    From half an hour of recordings a transformer learns to tell actions apart by signs of which the
    gradient moves no limb to where it belongs. These numbers change smoothly with the poses, and
    moving them moves the posture and how far and how fast limbs swing.
    """

    mean: Float[Tensor, " number"]
    std: Float[Tensor, " number"]

    def __init__(self, config: MotionTextConfig) -> None:
        super().__init__()
        numbers = 3 * POSED_JOINTS * 6
        self.register_buffer("mean", torch.zeros(numbers))
        self.register_buffer("std", torch.ones(numbers))
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(numbers, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, 2 * config.latent),
        )

    def standardise(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"],
    ) -> None:
        """Take mean and spread of each number from these motions."""
        numbers = motion_statistics(rotations, present)
        self.mean.copy_(numbers.mean(0))
        self.std.copy_(numbers.std(0).clamp(min=0.02))

    def forward(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"],
    ) -> tuple[Float[Tensor, "motion feature"], Float[Tensor, "motion feature"]]:
        """Return mean and log variance; frames that are not `present` count for nothing."""
        numbers = (motion_statistics(rotations, present) - self.mean) / self.std
        mean, spread = self.layers(numbers).chunk(2, dim=-1)
        return mean, spread


def motion_statistics(
    rotations: Float[Tensor, "motion frame 22 3 3"], present: Bool[Tensor, "motion frame"]
) -> Float[Tensor, "motion number"]:
    """Return mean and spread of each 6D number over time, and the spread of its change a frame.

    The change is counted ten times, so that all three are about as large. A motion of one frame has
    no spread and no change.
    """
    frames = rotations_to_6d(rotations).flatten(2)
    there = present[:, :, None].to(frames)
    count = there.sum(1).clamp(min=1)
    mean = (frames * there).sum(1) / count
    spread = ((frames - mean[:, None]).square() * there).sum(1) / count
    both = there[:, 1:] * there[:, :-1]
    change = (frames.diff(dim=1).square() * both).sum(1) / both.sum(1).clamp(min=1)
    return torch.cat([mean, (spread + 1e-6).sqrt(), 10 * (change + 1e-8).sqrt()], dim=1)


class TextHead(nn.Module):
    """From the frozen features of a text to a normal distribution in the motions' space."""

    mean: Float[Tensor, " width"]
    std: Float[Tensor, " width"]

    def __init__(self, config: MotionTextConfig) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(config.text_width))
        self.register_buffer("std", torch.ones(config.text_width))
        self.layers = nn.Sequential(
            nn.Dropout(config.dropout),
            nn.Linear(config.text_width, config.text_hidden),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.text_hidden, 2 * config.latent),
        )

    def standardise(self, texts: Float[Tensor, "text width"]) -> None:
        """Take mean and spread of each feature from these texts: raw states are all alike."""
        self.mean.copy_(texts.mean(0))
        self.std.copy_(texts.std(0).clamp(min=1e-4))

    def normalised(self, features: Float[Tensor, "text width"]) -> Float[Tensor, "text width"]:
        """Return features with mean 0 and spread 1 over the training texts."""
        return (features - self.mean) / self.std

    def forward(
        self, features: Float[Tensor, "text width"]
    ) -> tuple[Float[Tensor, "text feature"], Float[Tensor, "text feature"]]:
        """Return mean and log variance."""
        mean, spread = self.layers(self.normalised(features)).chunk(2, dim=-1)
        return mean, spread


class MotionTextModel(nn.Module):
    """Both encoders: a `MotionSpace` whose texts come in as frozen features."""

    def __init__(self, config: MotionTextConfig) -> None:
        super().__init__()
        self.config = config
        kinds = {"transformer": MotionEncoder, "statistics": StatisticsEncoder}
        self.motion = kinds[config.encoder](config)
        self.text = TextHead(config)

    def encode_motion(
        self,
        rotations: Float[Tensor, "motion frame 22 3 3"],
        present: Bool[Tensor, "motion frame"] | None = None,
    ) -> Float[Tensor, "motion feature"]:
        """Return a unit vector for each motion; all frames count without `present`."""
        if present is None:
            present = torch.ones(rotations.shape[:2], dtype=torch.bool, device=rotations.device)
        return F.normalize(self.motion(rotations, present)[0], dim=-1)

    def encode_text(self, features: Float[Tensor, "text width"]) -> Float[Tensor, "text feature"]:
        """Return a unit vector for each text's frozen features."""
        return F.normalize(self.text(features)[0], dim=-1)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors."""
        save_network(self, self.config, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> MotionTextModel:
        """Load what `save_pretrained` wrote, in single precision and frozen.

        Raises MissingFileError or WeightsError.
        """
        config = read_config(folder, MotionTextConfig, holds="motion-text model")
        return load_weights(cls(config), folder).requires_grad_(requires_grad=False)


def facing_motion(motion: Float[Tensor, "frame _ 3 3"]) -> Float[Tensor, "frame 22 3 3"]:
    """Return a motion (world y up) turned to face +z when it begins, as recorded ones were."""
    root = motion[:, 0]
    front = without_yaw(root[:1])[0] @ root[0].mT
    return torch.cat([(front @ root)[:, None], motion[:, 1:POSED_JOINTS]], dim=1)


def position_code(length: int, like: Float[Tensor, "*any width"]) -> Float[Tensor, "length width"]:
    """Return the sinusoidal code of so many places (Vaswani et al. 2017)."""
    width = like.shape[-1]
    rates = torch.exp(torch.arange(0, width, 2, device=like.device) * (-math.log(10_000.0) / width))
    angles = torch.arange(length, device=like.device)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(like)
