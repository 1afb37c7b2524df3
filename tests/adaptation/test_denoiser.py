"""The denoiser: MDNet's layout, films of any length, and what it learns from a film."""

from __future__ import annotations

from pathlib import Path

import pytest
import roma
import torch

from unipose.adaptation.denoiser import (
    DenoiserConfig,
    MotionDenoiser,
    adapt_denoiser,
    windows_of,
)
from unipose.errors import WeightsError


def test_the_default_has_the_published_layout():
    with torch.device("meta"):
        weights = MotionDenoiser().state_dict()
    assert sum(value.numel() for value in weights.values()) == 52_712
    assert weights["motion_mlp.mlps.3.fc0.fc.weight"].shape == (49, 49)
    assert weights["motion_mlp.mlps.0.norm0.alpha"].shape == (1, 144, 1)


@pytest.mark.parametrize(
    ("count", "length", "rows"),
    [
        (5, 4, [[0, 1, 2, 3], [1, 2, 3, 4]]),
        (5, 8, [[0, 1, 2, 3, 4, 3, 2, 1]]),
        (1, 3, [[0, 0, 0]]),
        (2, 5, [[0, 1, 0, 1, 0]]),
    ],
)
def test_windows_of_short_films_run_forth_and_back(count: int, length: int, rows: list[list[int]]):
    assert windows_of(count, length).tolist() == rows


@pytest.mark.parametrize("frames", [1, 4, 9, 20])
def test_a_film_of_any_length_comes_back_as_rotations(frames: int):
    torch.manual_seed(0)
    network = MotionDenoiser(DenoiserConfig(frames=9, blocks=1))
    rotations = roma.random_rotmat(frames * 24).view(frames, 24, 3, 3)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    found = adapt_denoiser(network, rotations, optimizer, torch.Generator().manual_seed(0))
    assert found.shape == rotations.shape
    assert torch.allclose(found @ found.mT, torch.eye(3).expand_as(found), atol=1e-4)


def test_it_learns_what_a_still_film_looks_like():
    torch.manual_seed(0)
    network = MotionDenoiser(DenoiserConfig(frames=9, blocks=1))
    still = roma.random_rotmat(24).view(1, 24, 3, 3)
    turns = torch.randn(20, 24, 3, generator=torch.Generator().manual_seed(1)) * 0.2
    noisy = still @ roma.rotvec_to_rotmat(turns)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(60):
        found = adapt_denoiser(network, noisy, optimizer, generator)

    def off(some: torch.Tensor) -> float:
        return float(roma.rotmat_geodesic_distance(some, still.expand_as(some)).mean())

    assert off(found) < 0.7 * off(noisy)


def test_a_published_checkpoint_loads_strictly(tmp_path: Path):
    theirs = MotionDenoiser()
    weights = {f"module.{name}": value for name, value in theirs.state_dict().items()}
    torch.save({"model": weights, "epoch": 3}, tmp_path / "md.pth.tar")
    ours = MotionDenoiser()
    ours.load_published(tmp_path / "md.pth.tar")
    assert torch.equal(ours.motion_fc_in.weight, theirs.motion_fc_in.weight)
    torch.save({"model": {"motion_fc_in.weight": torch.zeros(1)}}, tmp_path / "no.pth.tar")
    with pytest.raises(WeightsError, match="not those of this model"):
        ours.load_published(tmp_path / "no.pth.tar")
