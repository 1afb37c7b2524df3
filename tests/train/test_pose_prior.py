"""The pose prior is learnt by expectation maximisation and tells usual from unusual poses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from train.pose_prior import PRESETS, PosePriorTraining, fit_mixture, main
from unipose.contact.pose_prior import VALUES, MaxMixture
from unipose.errors import ConfigError


def test_two_clusters_are_found():
    generator = torch.Generator().manual_seed(0)
    turns = 0.1 * torch.randn(400, VALUES, generator=generator)
    turns[:100] += 1.0
    weights, means, covariances = fit_mixture(turns, gaussians=2, rounds=25, ridge=1e-3, seed=1)
    order = weights.argsort()
    assert weights[order].tolist() == pytest.approx([0.25, 0.75], abs=0.02)
    assert means[order].mean(1).tolist() == pytest.approx([1.0, 0.0], abs=0.03)
    assert covariances.diagonal(dim1=1, dim2=2).mean(1).tolist() == pytest.approx(
        [0.011] * 2, abs=2e-3
    )
    prior = MaxMixture(weights, means, covariances)
    assert float(prior(turns).mean()) < float(prior(turns + 0.5).mean()) / 10


@pytest.mark.slow
def test_the_program_writes_a_prior_that_is_read(tmp_path, capsys):
    config = replace(PRESETS["debug"], out=tmp_path / "prior.safetensors")
    main(config)
    prior = MaxMixture.load(config.out)
    assert prior.means.shape == (2, VALUES)
    assert "held out, disturbed by 0.3 rad" in capsys.readouterr().out


def test_too_few_poses_are_refused():
    with pytest.raises(ConfigError, match="two poses for each"):
        PosePriorTraining(poses=3)
