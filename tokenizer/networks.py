"""From 22 joint rotations to a few latents and back: published convolutions, perceptrons."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

SIXD = 6


class ResidualBlock(nn.Module):
    """ReLU, dilated convolution over three, ReLU, convolution over one, plus the input."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.point = nn.Conv1d(width, width, 1)

    def forward(
        self, x: Float[Tensor, "batch width length"]
    ) -> Float[Tensor, "batch width length"]:
        """Return x plus its correction."""
        return x + self.point(functional.relu(self.wide(functional.relu(x))))


class ConvolutionEncoder(nn.Module):
    """Joints as a 1D signal, widened to four times the number of codes, then halved.

    UniPose supplement B.1 and its public code: 22 joints -> 40 -> 80 -> 160 -> 80 positions with
    512 channels, two residual blocks of dilation 3 and 1; 5.91 M weights at the published size.
    """

    def __init__(self, *, joints: int, positions: int, width: int, latent: int) -> None:
        super().__init__()
        self.first_length = positions // 2
        self.lift = nn.Conv1d(SIXD, width, 3, padding=1)
        self.spread = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in range(3))
        self.halve = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.blocks = nn.Sequential(ResidualBlock(width, 3), ResidualBlock(width, 1))
        self.project = nn.Conv1d(width, latent, 3, padding=1)

    def forward(
        self, sixd: Float[Tensor, "batch joint 6"]
    ) -> Float[Tensor, "batch position latent"]:
        """Return one latent per code position."""
        x = functional.relu(self.lift(sixd.mT))
        for i, convolution in enumerate(self.spread):
            x = functional.interpolate(x, size=self.first_length << i, mode="nearest")
            x = functional.relu(convolution(x))
        return self.project(self.blocks(self.halve(x))).mT


class ConvolutionDecoder(nn.Module):
    """Latents resized down to the joints in four steps (published: 80, 65, 51, 36, 22)."""

    def __init__(self, *, joints: int, positions: int, width: int, latent: int) -> None:
        super().__init__()
        self.lengths = [int(joints + (positions - joints) * i / 4) for i in (3, 2, 1, 0)]
        self.lift = nn.Conv1d(latent, width, 3, padding=1)
        self.shrink = nn.ModuleList(nn.Conv1d(width, width, 3, padding=1) for _ in self.lengths)
        self.blocks = nn.Sequential(ResidualBlock(width, 3), ResidualBlock(width, 1))
        self.mix = nn.Conv1d(width, width, 3, padding=1)
        self.project = nn.Conv1d(width, SIXD, 3, padding=1)

    def forward(
        self, latents: Float[Tensor, "batch position latent"]
    ) -> Float[Tensor, "batch joint 6"]:
        """Return 6D rotations, not yet orthonormal."""
        x = functional.relu(self.lift(latents.mT))
        for length, convolution in zip(self.lengths, self.shrink, strict=True):
            x = functional.relu(convolution(functional.interpolate(x, size=length, mode="nearest")))
        return self.project(functional.relu(self.mix(self.blocks(x)))).mT


class Perceptron(nn.Module):
    """A linear map plus a correction by `depth` hidden layers of `width` (GELU, layer norm).

    Coding a rotation is nearly linear; starting from the linear map alone (the correction's last
    layer begins at zero) reaches the same error in a fraction of the steps (docs/log.md).
    """

    def __init__(self, inputs: int, outputs: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs)
        layers: list[nn.Module] = []
        for i in range(depth):
            layers += [nn.Linear(width if i else inputs, width), nn.GELU(), nn.LayerNorm(width)]
        last = nn.Linear(width, outputs)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(*layers, last)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch outputs"]:
        """Return the outputs."""
        return self.linear(x) + self.correction(x)


class PartEncoder(nn.Module):
    """One perceptron per group of joints: a group's latents depend on its joints alone."""

    def __init__(
        self, groups: list[tuple[list[int], int]], *, width: int, depth: int, latent: int
    ) -> None:
        super().__init__()
        self.joints = [joints for joints, _ in groups]
        self.latent = latent
        self.parts = nn.ModuleList(
            Perceptron(SIXD * len(joints), positions * latent, width=width, depth=depth)
            for joints, positions in groups
        )

    def forward(
        self, sixd: Float[Tensor, "batch joint 6"]
    ) -> Float[Tensor, "batch position latent"]:
        """Return the latents of all groups, one group after the other."""
        parts = [
            part(sixd[:, joints].flatten(1)).unflatten(1, (-1, self.latent))
            for joints, part in zip(self.joints, self.parts, strict=True)
        ]
        return torch.cat(parts, dim=1)


class PartDecoder(nn.Module):
    """One perceptron per group of joints, from the group's latents to its rotations."""

    order: Tensor

    def __init__(
        self, groups: list[tuple[list[int], int]], *, width: int, depth: int, latent: int
    ) -> None:
        super().__init__()
        self.positions = [positions for _, positions in groups]
        self.parts = nn.ModuleList(
            Perceptron(positions * latent, SIXD * len(joints), width=width, depth=depth)
            for joints, positions in groups
        )
        spoken = torch.tensor([joint for joints, _ in groups for joint in joints])
        self.register_buffer("order", spoken.argsort(), persistent=False)

    def forward(
        self, latents: Float[Tensor, "batch position latent"]
    ) -> Float[Tensor, "batch joint 6"]:
        """Return 6D rotations, not yet orthonormal, in the order of the joints."""
        pieces = latents.split(self.positions, dim=1)
        parts = [
            part(piece.flatten(1)).unflatten(1, (-1, SIXD))
            for part, piece in zip(self.parts, pieces, strict=True)
        ]
        return torch.cat(parts, dim=1)[:, self.order]
