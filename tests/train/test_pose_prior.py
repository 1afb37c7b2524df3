"""The pose prior is learnt by expectation maximisation and tells usual from unusual poses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from train.pose_prior import PRESETS, PosePriorTraining, fit_mixture, log_densities, main
from unipose.contact.pose_prior import VALUES, MaxMixture
from unipose.errors import ConfigError


def test_each_round_makes_the_poses_more_likely():
    generator = torch.Generator().manual_seed(0)
    turns = (0.1 * torch.randn(400, VALUES, generator=generator)).double()
    turns[:100] += 1.0
    likely = []
    for rounds in (1, 3, 9):
        found = fit_mixture(turns, gaussians=2, rounds=rounds, ridge=1e-3, seed=1)
        likely.append(float(log_densities(turns, *found).logsumexp(1).mean()))
        assert float(found[0].sum()) == pytest.approx(1.0)
    assert likely == sorted(likely)
    assert likely[2] > likely[0] + 0.1


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
