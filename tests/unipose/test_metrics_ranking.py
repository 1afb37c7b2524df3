"""Recall and R-precision: by hand, by another implementation, at chance, and with ties."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from unipose.errors import ConfigError
from unipose.metrics import r_precision, recall
from unipose.metrics.ranking import hits


def points(count: int, seed: int, size: int = 16) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, size, generator=generator).double(), dim=-1)


def test_recall_of_a_small_table_is_what_one_counts_by_hand():
    scores = torch.tensor(
        [
            [0.9, 0.1, 0.2, 0.0],  # pose 0 finds its text first
            [0.8, 0.7, 0.1, 0.0],  # pose 1 second
            [0.3, 0.5, 0.2, 0.4],  # pose 2 last
            [0.1, 0.2, 0.3, 0.6],  # pose 3 first
        ]
    )
    found = recall(scores, ranks=(1, 2, 3))
    assert found.gallery == 4
    assert {k: found.pose_to_text[k] for k in (1, 2, 3)} == {1: 0.5, 2: 0.75, 3: 0.75}
    # columns: texts 0, 1 and 3 find theirs first; text 2 (0.2, 0.1, 0.2, 0.3) shares place two
    assert found.text_to_pose[1] == 0.75
    assert found.text_to_pose[2] == pytest.approx((1 + 1 + 0.5 + 1) / 4)
    assert found.text_to_pose[3] == 1.0


def test_recall_agrees_with_sorting():
    scores = points(150, 1) @ (points(150, 1) + 0.8 * points(150, 2)).mT
    found = recall(scores)
    order = np.argsort(-scores.numpy(), axis=1)
    for k in (1, 5, 10, 20):
        among = (order[:, :k] == np.arange(150)[:, None]).any(axis=1).mean()
        assert found.pose_to_text[k] == pytest.approx(among)
    other_way = recall(scores.mT)
    assert found.text_to_pose == other_way.pose_to_text
    assert found.mean == pytest.approx(other_way.mean)


def test_the_mean_is_over_ranks_1_5_and_10_both_ways():
    found = recall(points(60, 3) @ points(60, 4).mT)
    both = [
        *(found.pose_to_text[k] for k in (1, 5, 10)),
        *(found.text_to_pose[k] for k in (1, 5, 10)),
    ]
    assert found.mean == pytest.approx(sum(both) / 6)


def test_features_without_meaning_score_chance():
    found = [recall(points(100, 10 + i) @ points(100, 50 + i).mT) for i in range(40)]
    mean = sum(one.mean for one in found) / len(found)
    assert found[0].mean_chance == pytest.approx((0.01 + 0.05 + 0.1) / 3)
    assert mean == pytest.approx(found[0].mean_chance, abs=0.006)


def test_features_that_are_all_alike_score_chance_exactly():
    found = recall(torch.ones(40, 40))
    for k, share in found.pose_to_text.items():
        assert share == pytest.approx(found.chance(k))
    same = torch.ones(64, 3) / 3**0.5
    grouped = r_precision(same, same, seed=0)
    assert grouped.top == pytest.approx({k: grouped.chance(k) for k in (1, 2, 3)})


def test_a_tie_is_counted_as_what_is_to_be_expected_of_it():
    scores = torch.tensor([[3.0, 3.0, 1.0]]).expand(3, 3)
    assert hits(scores, 1).tolist() == [0.5, 0.5, 0.0]
    assert hits(scores, 2).tolist() == [1.0, 1.0, 0.0]


def test_r_precision_agrees_with_going_through_the_groups():
    poses = points(200, 5)
    texts = normalize(poses + 0.9 * points(200, 6), dim=-1)
    found = r_precision(poses, texts, seed=7)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(7)).tolist()
    for k in (1, 2, 3):
        right = 0
        for group in (order[i : i + 32] for i in range(0, 192, 32)):
            for query in group:
                nearest = sorted(group, key=lambda j: float((poses[query] - texts[j]).norm()))
                right += query in nearest[:k]
        assert found.top[k] == pytest.approx(right / 192)
    assert (found.groups, found.left_out, found.seed) == (6, 8, 7)


def test_another_shuffle_makes_other_groups():
    poses = points(320, 8)
    texts = normalize(poses + 1.5 * points(320, 9), dim=-1)
    assert r_precision(poses, texts, seed=0).top == r_precision(poses, texts, seed=0).top
    assert r_precision(poses, texts, seed=0).top != r_precision(poses, texts, seed=1).top


def test_too_few_pairs_for_a_group_are_refused():
    with pytest.raises(ConfigError, match="groups of 32 pairs, got 31"):
        r_precision(points(31, 0), points(31, 1), seed=0)


def test_a_gallery_must_hold_the_answers():
    with pytest.raises(ConfigError, match="as many poses as texts"):
        recall(torch.zeros(3, 4))


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ConfigError, match="finite"):
        recall(torch.full((3, 3), torch.nan))
