"""The motion denoiser: poses in windows of 49 frames are said anew from those around them.

MDNet of CycleAdapt (Nam et al., ICCV 2023): perceptrons over time between two linear layers, with
the names and shapes of its weights, so that a published checkpoint loads. At test time it learns
from the film's own poses while half of each window's frames are hidden.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from unipose.files.checkpoints import load_strictly, read_checkpoint
from unipose.files.saved_network import load_weights, read_config, save_network

JOINTS = 24


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """Sizes; the defaults are MDNet's."""

    frames: int = 49
    blocks: int = 4


class MotionDenoiser(nn.Module):
    """Windows of poses in, the same windows without what does not fit."""

    def __init__(self, config: DenoiserConfig | None = None) -> None:
        super().__init__()
        self.config = config or DenoiserConfig()
        width = JOINTS * 6
        self.motion_fc_in = nn.Linear(width, width)
        self.motion_mlp = _OverTime(self.config, width)
        self.motion_fc_out = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.motion_fc_out.weight, gain=1e-8)
        nn.init.zeros_(self.motion_fc_out.bias)

    def forward(
        self,
        rotations: Float[Tensor, "window frame 24 3 3"],
        shown: Bool[Tensor, "window frame"],
    ) -> Float[Tensor, "window frame 24 6"]:
        """Return the poses as 6D numbers; frames that are not `shown` are hidden from it."""
        hidden = self.motion_fc_in(_interleaved(rotations) * shown[:, :, None])
        answer = self.motion_fc_out(self.motion_mlp(hidden.mT).mT)
        return answer.unflatten(2, (JOINTS, 3, 2)).mT.flatten(-2)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors."""
        save_network(self, self.config, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> MotionDenoiser:
        """Load what `save_pretrained` wrote. Raises MissingFileError or WeightsError."""
        config = read_config(folder, DenoiserConfig, holds="motion denoiser")
        return load_weights(cls(config), folder)

    def load_published(self, path: str | Path) -> None:
        """Load CycleAdapt's MDNet, strictly; nothing in the file is executed."""
        path = Path(path)
        weights = read_checkpoint(path)
        plain = {name.removeprefix("module."): value for name, value in weights.items()}
        load_strictly(self, plain, path)


class _OverTime(nn.Module):
    def __init__(self, config: DenoiserConfig, width: int) -> None:
        super().__init__()
        self.mlps = nn.Sequential(*(_TimeBlock(config.frames, width) for _ in range(config.blocks)))

    def forward(
        self, x: Float[Tensor, "window width frame"]
    ) -> Float[Tensor, "window width frame"]:
        return self.mlps(x)


class _TimeBlock(nn.Module):
    def __init__(self, frames: int, width: int) -> None:
        super().__init__()
        self.fc0 = _Time(frames)
        self.norm0 = _ChannelNorm(width)

    def forward(
        self, x: Float[Tensor, "window width frame"]
    ) -> Float[Tensor, "window width frame"]:
        return x + self.norm0(self.fc0(x))


class _Time(nn.Module):
    def __init__(self, frames: int) -> None:
        super().__init__()
        self.fc = nn.Linear(frames, frames)
        nn.init.xavier_uniform_(self.fc.weight, gain=1e-8)
        nn.init.zeros_(self.fc.bias)

    def forward(
        self, x: Float[Tensor, "window width frame"]
    ) -> Float[Tensor, "window width frame"]:
        return self.fc(x)


class _ChannelNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(1, width, 1))
        self.beta = nn.Parameter(torch.zeros(1, width, 1))

    def forward(
        self, x: Float[Tensor, "window width frame"]
    ) -> Float[Tensor, "window width frame"]:
        apart = x - x.mean(dim=1, keepdim=True)
        spread = (apart.square().mean(dim=1, keepdim=True) + 1e-5).sqrt()
        return apart / spread * self.alpha + self.beta


def _interleaved(
    rotations: Float[Tensor, "window frame 24 3 3"],
) -> Float[Tensor, "window frame 144"]:
    """Return 6D numbers row by row of the 3 x 2 matrix, as the published networks have them."""
    return rotations[..., :2].flatten(2)


def windows_of(count: int, length: int) -> Int[Tensor, "window length"]:
    """Return the frames of each window, one starting at each frame.

    A film that is shorter than a window runs forth and back in its one window. Of 5 frames, in
    windows of 4: 0 1 2 3, 1 2 3 4; in a window of 8: 0 1 2 3 4 3 2 1.
    """
    steps = torch.arange(length)
    if count >= length:
        return torch.arange(count - length + 1)[:, None] + steps
    if count == 1:
        return torch.zeros(1, length, dtype=torch.long)
    turn = 2 * (count - 1)
    return (count - 1 - (steps % turn - (count - 1)).abs())[None]


def draw_shown(count: int, length: int, generator: torch.Generator) -> Bool[Tensor, "window frame"]:
    """Return which frames are shown: not the middle one, nor as many others as make it a half."""
    drawn = torch.rand(count, length, generator=generator)
    drawn[:, length // 2] = -1.0
    return drawn.argsort(1).argsort(1) > length // 2


def adapt_denoiser(
    network: MotionDenoiser,
    rotations: Float[Tensor, "frame 24 3 3"],
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
    *,
    batch: int = 32,
) -> Float[Tensor, "frame 24 3 3"]:
    """Let the denoiser learn from a film's own poses once, and return them denoised.

    In each window the middle frame and 24 others (of 49) are hidden, and only those are learned
    (L1). What it says in the same passes, averaged over the windows that hold a frame, is returned
    without a gradient.
    """
    length = network.config.frames
    windows = windows_of(len(rotations), length).to(rotations.device)
    total = rotations.new_zeros(len(rotations), JOINTS, 6)
    counts = rotations.new_zeros(len(rotations))
    for some in torch.randperm(len(windows), generator=generator).split(batch):
        frames = windows[some.to(windows.device)]
        shown = draw_shown(len(frames), length, generator).to(rotations.device)
        truth = rotations[frames]
        said = network(truth, shown)
        wrong = (said - rotations_to_6d(truth)).abs().mean((2, 3))
        loss = (wrong * ~shown).sum() / (~shown).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total.index_add_(0, frames.flatten(), said.detach().flatten(0, 1))
        counts.index_add_(0, frames.flatten(), counts.new_ones(frames.numel()))
    return rotations_from_6d(total / counts[:, None, None])
