"""The Frechet distance: by hand, beside scipy's matrix root, and as it must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from unipose.errors import ConfigError
from unipose.metrics import frechet_distance


def features(count: int, size: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixed = torch.randn(size, size, generator=generator).double()
    return torch.randn(count, size, generator=generator).double() @ mixed


def by_scipy(one: np.ndarray, other: np.ndarray) -> float:
    apart = one.mean(0) - other.mean(0)
    spread, other_spread = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = np.real(sqrtm(spread @ other_spread))
    return float(apart @ apart + np.trace(spread + other_spread - 2 * root))


def test_the_distance_agrees_with_scipy():
    one, other = features(300, 12, 0), features(200, 12, 1) + 0.5
    assert frechet_distance(one, other) == pytest.approx(by_scipy(one.numpy(), other.numpy()))


def test_two_numbers_per_set_are_what_one_works_out_by_hand():
    one, other = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [11.0]])
    # means 1 and 7, standard deviations sqrt(2) and sqrt(32): 36 + (sqrt(32) - sqrt(2))^2
    assert frechet_distance(one, other) == pytest.approx(36 + 18)


def test_a_set_is_no_distance_from_itself_in_any_order():
    one = features(100, 8, 2)
    assert frechet_distance(one, one.flip(0)) == pytest.approx(0.0, abs=1e-9)


def test_a_shift_adds_its_square():
    one = features(100, 8, 3)
    shift = torch.arange(8).double() / 10
    assert frechet_distance(one, one + shift) == pytest.approx(float(shift.square().sum()))


def test_the_distance_is_the_same_both_ways_with_fewer_features_than_dimensions():
    one, other = features(10, 40, 4), features(15, 40, 5)
    assert frechet_distance(one, other) == pytest.approx(frechet_distance(other, one))
    assert frechet_distance(one, one) == pytest.approx(0.0, abs=1e-6)


def test_one_feature_has_no_spread_and_is_refused():
    with pytest.raises(ConfigError, match="two or more"):
        frechet_distance(features(1, 4, 0), features(9, 4, 0))
