"""Redundancy rules come out of counts, and the figures of texts are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.diversity import PUBLISHED, figures_table, text_figures
from data_builders.posecodes.mine import MineConfig, count_statistics, main
from data_builders.posecodes.statistics import pose_statistics, read_statistics
from unipose.errors import ConfigError
from unipose.posecodes.facts import atoms, extra_atoms
from unipose.posecodes.statements import state

SAID = [f.members[0] for f in atoms() + extra_atoms(frozenset({"lying", "lean", "head"}))]
PLACE = {said: i for i, said in enumerate(SAID)}
CONFIG = MineConfig(debug=True)


def _poses(*groups) -> np.ndarray:
    """Return a table of 5000 poses: each group names how many of them, and what is true of them."""
    true = np.zeros((5000, len(SAID)), dtype=bool)
    start = 0
    for count, *statements in groups:
        for said in statements:
            true[start : start + count, PLACE[said]] = True
        start += count
    return true


LEFT = state("left_elbow", "right_angle"), state("left_hand", "on_hip", "left_hip")
RIGHT = tuple(said.mirrored() for said in LEFT)


def test_what_mostly_comes_along_is_dropped():
    true = _poses((200, *LEFT), (50, LEFT[0]), (300, *RIGHT), (30, RIGHT[0]))
    statistics = count_statistics(true, SAID, CONFIG)
    rules = {(rule.reasons, rule.dropped): rule.share for rule in statistics.rules}
    assert rules[(LEFT[1],), LEFT[0]] == 1.0
    assert rules[(RIGHT[1],), RIGHT[0]] == 1.0
    assert ((LEFT[0],), LEFT[1]) not in rules  # already dropped by the rule before
    assert statistics.shares[LEFT[0]] == pytest.approx(0.05)


def test_a_rule_of_one_side_is_none():
    true = _poses((200, *LEFT), (300, *RIGHT), (300, RIGHT[0]), (300, RIGHT[1]))
    assert count_statistics(true, SAID, CONFIG).rules == ()


def test_a_rule_needs_poses_enough():
    true = _poses((40, *LEFT), (40, *RIGHT))
    assert count_statistics(true, SAID, CONFIG).rules == ()


def test_both_sides_doing_the_same_is_no_reason():
    true = _poses((500, LEFT[0], RIGHT[0]))
    assert count_statistics(true, SAID, CONFIG).rules == ()


def test_an_arm_says_nothing_of_a_leg():
    leg = state("left_knee", "right_angle")
    true = _poses((300, LEFT[0], leg), (300, RIGHT[0], leg.mirrored()))
    assert count_statistics(true, SAID, CONFIG).rules == ()


def test_what_is_true_of_most_poses_is_in_no_rule():
    true = _poses((3000, *LEFT))
    true[2000:, [PLACE[said] for said in RIGHT]] = True
    assert count_statistics(true, SAID, CONFIG).rules == ()


def test_two_reasons_are_found_where_one_is_not_enough():
    extra = state("left_forearm", "horizontal")
    groups = [(300, *LEFT, extra), (400, LEFT[0]), (400, LEFT[1]), (400, extra)]
    groups += [(n, *(said.mirrored() for said in row)) for n, *row in groups]
    rules = count_statistics(_poses(*groups), SAID, CONFIG).rules
    assert {len(rule.reasons) for rule in rules} == {2}


def test_the_program_writes_what_the_captions_read(tmp_path):
    out = tmp_path / "statistics.json"
    main(MineConfig(debug=True, out=out))
    found = read_statistics(out)
    assert found.poses == 2000
    assert set(found.shares) == set(SAID)
    before = out.read_bytes()
    main(MineConfig(debug=True, out=out))
    assert out.read_bytes() == before


def test_the_committed_table_speaks_of_all_statements():
    statistics = pose_statistics()
    assert statistics.poses > 15_000
    assert list(statistics.shares) == SAID


def test_mining_needs_poses_to_count():
    with pytest.raises(ConfigError, match="--data"):
        MineConfig()


def test_figures_of_texts_are_counted():
    figures = text_figures(["The left hand is up.", "The left hand is up.", "A knee."])
    assert (figures.texts, figures.vocabulary, figures.words) == (3, 7, 4.0)
    assert figures.unique == pytest.approx(1 / 3)
    assert figures.distinct == pytest.approx((7 / 12, 5 / 9, 3 / 6))
    assert figures.bytes == pytest.approx((20 + 20 + 7) / 3)
    table = figures_table({"ours": figures})
    assert all(name in table for name in ("ours", *PUBLISHED))
    assert table.count("\n") == 2 + len(PUBLISHED)


def test_no_texts_have_no_figures():
    with pytest.raises(ConfigError, match="no texts"):
        text_figures([])
