"""Learn how usual poses are from motion capture: `python -m train.pose_prior --data FOLDER`.

Expectation maximisation of a mixture of Gaussians with full covariances over the turns of 21
joints, as SMPLify's prior was made of CMU's recordings (Bogo et al. 2016, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import roma
import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import trange

from data_builders.pose_pool import PoolConfig, PosePool
from train.program import generator_of, run_program
from unipose.contact.pose_prior import VALUES, WEIGHTS_FILE, MaxMixture, save_prior
from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class PosePriorTraining:
    """One training run."""

    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" learns made-up poses."""
    out: Path = WEIGHTS_FILE
    gaussians: int = 8
    poses: int = 16_000
    """Drawn from the training recordings, half of them mirrored."""
    held_out: int = 4_000
    """... and from those for validation."""
    fps: float = 5.0
    rounds: int = 40
    ridge: float = 3e-3
    """Added to the covariances' diagonals (radians^2): noise that no pose is measured below."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.gaussians < 1 or self.poses < 2 * self.gaussians or self.rounds < 1:
            raise ConfigError("expected a Gaussian, a round and two poses for each, or more")


Mixture = tuple[
    Float[Tensor, " gaussian"], Float[Tensor, "gaussian 63"], Float[Tensor, "gaussian 63 63"]
]

PRESETS = {
    "mini": PosePriorTraining(),
    "debug": PosePriorTraining(
        data=Path(), out=Path("runs/pose_prior.safetensors"), gaussians=2, poses=200, held_out=50,
        rounds=3,
    ),
}  # fmt: skip


def read_turns(config: PosePriorTraining, split: str, count: int) -> Float[Tensor, "pose 63"]:
    """Return rotation vectors of recorded poses, half of them mirrored."""
    if config.data == Path():
        pool = PosePool.random(count, seed=config.seed)
    else:
        pool = PosePool.read(config.data, split, fps=config.fps)
    drawn = pool.draw(count, generator_of(seed=config.seed, step=0), PoolConfig(mixed=0.0))
    return roma.rotmat_to_rotvec(drawn[:, 1 : 1 + VALUES // 3]).flatten(1)


def fit_mixture(
    turns: Float[Tensor, "pose 63"], *, gaussians: int, rounds: int, ridge: float, seed: int
) -> tuple[
    Float[Tensor, " gaussian"], Float[Tensor, "gaussian 63"], Float[Tensor, "gaussian 63 63"]
]:
    """Return weights, means and covariances; the same seed gives the same ones."""
    generator = torch.Generator().manual_seed(seed)
    turns = turns.double()
    floor = ridge * torch.eye(turns.shape[1], dtype=torch.float64)
    means = turns[torch.randperm(len(turns), generator=generator)[:gaussians]]
    covariances = (torch.cov(turns.T) + floor).expand(gaussians, -1, -1)
    weights = torch.full((gaussians,), 1 / gaussians, dtype=torch.float64)
    for _ in trange(rounds, desc="rounds"):
        logs = log_densities(turns, weights, means, covariances)
        shares = logs.softmax(dim=1)
        sums = shares.sum(0).clamp(min=1e-6)
        weights = sums / len(turns)
        means = (shares.T @ turns) / sums[:, None]
        away = turns[:, None] - means
        covariances = torch.einsum("pg,pgi,pgj->gij", shares, away, away) / sums[:, None, None]
        covariances = covariances + floor
    return weights, means, covariances


def log_densities(
    turns: Float[Tensor, "pose 63"],
    weights: Float[Tensor, " gaussian"],
    means: Float[Tensor, "gaussian 63"],
    covariances: Float[Tensor, "gaussian 63 63"],
) -> Float[Tensor, "pose gaussian"]:
    """Return the log of each Gaussian's weighted density, without the common constant."""
    factors = torch.linalg.cholesky(covariances)
    away = (turns[:, None] - means).permute(1, 2, 0)  # gaussian value pose
    squares = torch.linalg.solve_triangular(factors, away, upper=False).square().sum(1).T
    return weights.log() - factors.diagonal(dim1=1, dim2=2).log().sum(1) - squares / 2


def main(config: PosePriorTraining) -> None:
    """Fit the mixture and print how usual held-out poses, and disturbed ones, are to it."""
    turns = read_turns(config, "train", config.poses)
    found = fit_mixture(
        turns, gaussians=config.gaussians, rounds=config.rounds, ridge=config.ridge,
        seed=config.seed,
    )  # fmt: skip
    config.out.parent.mkdir(parents=True, exist_ok=True)
    save_prior(config.out, *found)
    prior = MaxMixture.load(config.out)
    held_out = read_turns(config, "val", config.held_out).float()
    noise = 0.3 * torch.randn(held_out.shape, generator=generator_of(seed=config.seed, step=1))
    for name, some in (("training", turns.float()), ("held out", held_out),
                       ("held out, disturbed by 0.3 rad", held_out + noise)):  # fmt: skip
        print(f"{name}: mean cost {float(prior(some).mean()):.1f}")


if __name__ == "__main__":
    run_program(main, PRESETS)
