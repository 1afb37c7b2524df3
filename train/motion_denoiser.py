"""Teach the motion denoiser: `accelerate launch -m train.motion_denoiser --preset mini`.

CycleAdapt's pre-training of MDNet (Nam et al. 2023): windows of recorded motions with errors go in,
half of their frames hidden, and the recorded motion is to come out (L1). How large the published
errors are is not known; here each window has an error of its own size, up to `noise` radians.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import roma
import torch
from jaxtyping import Float
from torch import Tensor, nn

from data_builders.pose_pool import PosePool
from data_builders.studio.config import SPLITS
from data_builders.studio.motions import Motions
from tokenizer.rotations import rotations_from_6d, rotations_to_6d
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.adaptation.denoiser import JOINTS, DenoiserConfig, MotionDenoiser, draw_shown
from unipose.body.skeletons import SMPL
from unipose.retrieval.motion_text import FPS
from unipose.vision.mesh_recovery_protocol import LEVEL


@dataclass(frozen=True, kw_only=True)
class DenoiserTraining(RunSettings):
    """One training run."""

    network: DenoiserConfig = field(default_factory=DenoiserConfig)
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    out: Path = Path("runs/motion_denoiser")
    steps: int = 1500
    batch: int = 32
    peak_rate: float = 1e-3
    noise: float = 0.3
    """Largest spread of the errors of a window's poses (radians)."""
    tilt: float = 0.3
    """Spread of the camera's tilt (radians): a film's root is seen by its camera."""


PRESETS = {
    "mini": DenoiserTraining(save_every=500),
    "debug": DenoiserTraining(
        network=DenoiserConfig(frames=9, blocks=1), data=Path(),
        out=Path("runs/motion_denoiser_debug"), steps=4, batch=4, warmup=2, save_every=2,
        trackers=(),
    ),
}  # fmt: skip


class RecordedWindows:
    """Windows of all recordings of a split, seen by level or tilted cameras from any side."""

    def __init__(self, motions: Motions, length: int) -> None:
        takes = [torch.from_numpy(take.rotations).float() for take in motions.takes]
        self.rotations = torch.cat(takes)
        self.length = length
        first, starts, last = 0, [], []
        for take in takes:
            count = max(1, len(take) - length + 1)
            starts += range(first, first + count)
            first += len(take)
            last += [first - 1] * count
        self.starts, self.last = torch.tensor(starts), torch.tensor(last)

    def draw(
        self, count: int, generator: torch.Generator, *, tilt: float
    ) -> Float[Tensor, "window frame 24 3 3"]:
        """Return windows as a camera sees them, half of them in a mirror."""
        which = torch.randint(len(self.starts), (count,), generator=generator)
        at = self.starts[which, None] + torch.arange(self.length)
        found = self.rotations[torch.minimum(at, self.last[which, None])]
        flip = torch.tensor([-1.0, 1.0, 1.0])
        mirrored = found[:, :, list(SMPL.mirror)] * flip[:, None] * flip
        chosen = torch.rand(count, generator=generator) < 0.5
        found = torch.where(chosen[:, None, None, None, None], mirrored, found)
        yaw = (torch.rand(count, generator=generator) * 2 - 1) * torch.pi
        up = torch.tensor([0.0, 1.0, 0.0])
        tilts = torch.randn(count, 3, generator=generator) * tilt * torch.tensor([1.0, 0.0, 0.3])
        turn = roma.rotvec_to_rotmat(tilts) @ roma.rotvec_to_rotmat(yaw[:, None] * up)
        root = (LEVEL @ turn)[:, None] @ found[:, :, 0]
        return torch.cat([root[:, :, None], found[:, :, 1:]], dim=2)


def train_step(
    network: nn.Module,
    windows: Float[Tensor, "window frame 24 3 3"],
    generator: torch.Generator,
    *,
    noise: float,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the mean L1 distance of all frames, and that of the hidden ones."""
    count, length = windows.shape[:2]
    size = torch.rand(count, 1, 1, 1, generator=generator) * noise
    turns = torch.randn(count, length, JOINTS, 3, generator=generator) * size
    seen = windows @ roma.rotvec_to_rotmat(turns)
    shown = draw_shown(count, length, generator)
    wrong = (network(seen, shown) - rotations_to_6d(windows)).abs().mean((2, 3))
    return wrong.mean(), {"hidden": (wrong * ~shown).sum() / (~shown).sum()}


@torch.no_grad()
def validate(network: MotionDenoiser, windows: RecordedWindows, *, tilt: float) -> dict[str, float]:
    """Return the mean angles (degrees) that poses with errors of 0.2 radians are off.

    `noisy_deg` before and `denoised_deg` after, where half of the frames are hidden as in training.
    """
    generator = torch.Generator().manual_seed(0)
    truth = windows.draw(256, generator, tilt=tilt)
    turns = torch.randn(*truth.shape[:3], 3, generator=generator) * 0.2
    seen = truth @ roma.rotvec_to_rotmat(turns)
    shown = draw_shown(len(truth), windows.length, generator)
    said = rotations_from_6d(network(seen, shown))
    return {
        name: float(torch.rad2deg(roma.rotmat_geodesic_distance(some, truth)).mean())
        for name, some in (("noisy_deg", seen), ("denoised_deg", said))
    }


def main(config: DenoiserTraining) -> None:
    """Train, log, save; resumes by itself from what is there."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    torch.manual_seed(config.seed)
    run = RunFolder(config.out, config, accelerator)
    windows, val = (
        RecordedWindows(_motions(config, split), config.network.frames) for split in SPLITS[:2]
    )
    network = MotionDenoiser(config.network)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.0, fused=True)
    loop = StepLoop(
        accelerator, run, network, optimizer, config, name="motion denoiser", log_every=100
    )
    for step, generator in loop.steps():
        drawn = windows.draw(config.batch, generator, tilt=config.tilt).to(accelerator.device)
        loop.learn(step, *train_step(loop.trained, drawn, generator, noise=config.noise))
        if loop.saves(step):
            loop.save(step, validate(network, val, tilt=config.tilt))
    if loop.is_main:
        network.save_pretrained(config.out / "model")
        loop.end()


def _motions(config: DenoiserTraining, split: str) -> Motions:
    if config.data == Path():
        return Motions.from_pool(PosePool.random(80, seed=SPLITS.index(split)))
    return Motions.read(config.data, split, fps=FPS)


if __name__ == "__main__":
    run_program(main, PRESETS)
