"""Measures of contacts on numbers that can be worked out by hand."""

from __future__ import annotations

import pytest
import torch

from unipose.metrics.contact import RADII_M, correct_contacts, joint_pa_mpjpe, table_scores


def test_people_are_aligned_together_and_not_each_on_their_own():
    truth = torch.randn(1, 2, 14, 3, generator=torch.Generator().manual_seed(0))
    turned = 2 * truth[..., [1, 2, 0]] + 1.0  # one similarity for both
    assert float(joint_pa_mpjpe(turned, truth)) == pytest.approx(0.0, abs=1e-5)
    slipped = truth.clone()
    slipped[:, 1, :, 2] += 1.0  # each alone is perfect
    assert float(joint_pa_mpjpe(slipped, truth)) > 0.1


def test_contacts_are_right_below_a_radius():
    found = correct_contacts(torch.tensor([0.0, 0.12, 2.0]), (0.0, 0.05, 0.15))
    assert found.tolist() == pytest.approx([0.0, 1 / 3, 2 / 3])
    assert len(RADII_M) == 20
    assert RADII_M[-1] == pytest.approx(0.95)


def test_tables_are_scored_by_pairs_that_may_mean_several():
    hand_back = frozenset({("hand", "back")})
    shoulder = frozenset({("hand", "shoulder (back)"), ("hand", "shoulder (front)")})
    front = frozenset({("hand", "shoulder (front)")})
    precision, recall, f1 = table_scores([[hand_back, shoulder], []], [[front], [hand_back]])
    assert (precision, recall, f1) == pytest.approx((0.5, 0.5, 0.5))
    assert table_scores([[]], [[]]) == pytest.approx((0.0, 0.0, 0.0))
