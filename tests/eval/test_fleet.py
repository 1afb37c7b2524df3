from __future__ import annotations

import numpy as np
import pytest

from eval.fleet import FleetOptions, StepCost, draw_arrivals, fewest_replicas, simulate
from unipose.errors import ConfigError


def test_two_throughputs_say_what_a_step_costs():
    cost = StepCost.of(0.5, 4.0, 16)
    assert cost.seconds(1) * cost.steps == pytest.approx(2.0)
    assert cost.seconds(16) * cost.steps == pytest.approx(16 / 4.0)


@pytest.mark.slow
def test_one_at_a_time_waits_as_long_as_queueing_theory_says():
    """M/D/1: the mean wait is load / (2 (1 - load)) service times (Pollaczek and Khinchine)."""
    cost = StepCost(shared=0.05, row=0.0, steps=1)
    arrivals = draw_arrivals(14.0, 60_000, burst=1.0, seed=1)
    took, busy = simulate(arrivals, 1, cost, rows=1)
    assert busy == pytest.approx(0.7, rel=0.02)
    wait = busy / (2 * (1 - busy)) * 0.05
    assert took.mean() - 0.05 == pytest.approx(wait, rel=0.05)


def test_every_request_is_answered_and_no_sooner_than_alone():
    cost = StepCost.of(1.0, 5.0, 8)
    took, _ = simulate(np.linspace(0, 10, 100), 3, cost, rows=8)
    assert len(took) == 100
    assert took.min() >= cost.seconds(1) * cost.steps - 1e-9


def test_batches_carry_what_one_at_a_time_cannot():
    arrivals = draw_arrivals(3.0, 600, burst=1.0, seed=0)
    batched, _ = simulate(arrivals, 1, StepCost.of(1.0, 5.0, 16), rows=16)
    alone, _ = simulate(arrivals, 1, StepCost.of(1.0, 1.0, 1), rows=1)
    assert np.quantile(batched, 0.99) < 20
    assert np.quantile(alone, 0.99) > 100


def test_one_replica_less_is_too_few():
    options = FleetOptions(
        per_s=20.0, one_per_s=1.0, batched_per_s=5.0, rows=16, p99_s=5.0, requests=600
    )
    replicas, took, _ = fewest_replicas(options)
    assert np.quantile(took, 0.99) <= 5
    cost = StepCost.of(1.0, 5.0, 16)
    arrivals = draw_arrivals(20.0, 600, burst=1.0, seed=0)
    fewer, _ = simulate(arrivals, replicas - 1, cost, rows=16)
    assert np.quantile(fewer[60:], 0.99) > 5


def test_what_no_fleet_can_do_is_said():
    with pytest.raises(ConfigError, match="one request alone takes"):
        fewest_replicas(FleetOptions(per_s=1.0, one_per_s=0.1, batched_per_s=0.5, p99_s=1.0))
    with pytest.raises(ConfigError, match="between 1 and 16 times"):
        FleetOptions(per_s=1.0, one_per_s=1.0, batched_per_s=50.0)
