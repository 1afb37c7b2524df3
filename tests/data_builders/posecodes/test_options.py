"""Options of captions: extra codes, eligibility, redundancy, pronouns, three captions of a pose."""

from __future__ import annotations

import numpy as np
import pytest

from data_builders.posecodes.captions import (
    CaptionOptions,
    write_captions,
    write_captions_with_codes,
    write_three_captions,
)
from data_builders.posecodes.statistics import pose_statistics
from unipose.errors import ConfigError
from unipose.posecodes.facts import extra_atoms
from unipose.posecodes.reader import read
from unipose.posecodes.statements import is_true, state, truth

ALL = frozenset({"lying", "lean", "head"})
RICH = CaptionOptions(extras=ALL, eligible="statistics", idle="mined", pronouns=True)
COUNT = 60


@pytest.mark.slow
def test_every_caption_of_every_option_is_read_back_and_true(tumbling):
    for three in write_three_captions(tumbling, seed=1, indices=range(COUNT), options=RICH):
        for text, codes in three:
            reading = read(text)
            assert not reading.unread, text
            assert set(reading.statements) == codes, text
    said = [fact.members[0] for fact in extra_atoms(ALL)]
    true = truth(said, tumbling, tolerance=False)
    spoken = set()
    for row, (_, codes) in enumerate(
        write_captions_with_codes(
            tumbling, seed=2, indices=range(COUNT), style="plain", options=RICH
        )
    ):
        assert truth(sorted(codes, key=str), tumbling, tolerance=False)[row].all()
        spoken |= codes & set(said)
        assert codes & set(said) <= {s for s, holds in zip(said, true[row], strict=True) if holds}
    assert {"lying_on_back", "upside_down", "twisted_slightly_left", "turned_left"} <= {
        s.relation for s in spoken
    }


LYING = {
    "lying_on_back": (-np.pi / 2, 0.0, 0.0),
    "lying_on_front": (np.pi / 2, 0.0, 0.0),
    "lying_on_left": (0.0, 0.0, -np.pi / 2),
    "lying_on_right": (0.0, 0.0, np.pi / 2),
    "upside_down": (np.pi, 0.0, 0.0),
}


@pytest.mark.parametrize(("word", "turn"), LYING.items())
def test_lying_and_upside_down_people_are_called_so_where_the_tilt_is_kept(posed, word, turn):
    arms = {"left_shoulder": (0.0, 0.0, -1.4), "right_shoulder": (0.0, 0.0, 1.4)}
    joints = posed(pelvis=turn, **arms)
    assert is_true(state("body", word), joints)
    others = [state("body", other) for other in LYING if other != word]
    assert not truth(others, joints[None]).any()
    options = CaptionOptions(extras=frozenset({"lying"}))
    (row,) = write_captions_with_codes(joints[None], seed=0, indices=[0], options=options)
    assert state("body", word) in row.statements
    (row,) = write_captions_with_codes(joints[None], seed=0, indices=[0])
    assert not {s.relation for s in row.statements} & set(LYING)


def test_one_who_lies_face_down_is_not_on_all_fours_and_not_said_to_face_down_as_well(posed):
    arms = {"left_shoulder": (0.0, 0.0, -1.4), "right_shoulder": (0.0, 0.0, 1.4)}
    prone = posed(pelvis=(np.pi / 2, 0.0, 0.0), **arms)
    crawling = posed(
        pelvis=(1.4, 0.0, 0.0),
        left_hip=(-1.4, 0.0, 0.0),
        right_hip=(-1.4, 0.0, 0.0),
        left_knee=(1.5, 0.0, 0.0),
        right_knee=(1.5, 0.0, 0.0),
        left_shoulder=(0.0, -1.5, 0.0),
        right_shoulder=(0.0, 1.5, 0.0),
    )
    said = [state("body", "lying_on_front"), state("body", "on_all_fours")]
    assert truth(said, np.stack([prone, crawling])).tolist() == [[True, False], [False, True]]
    options = CaptionOptions(extras=frozenset({"lying"}), skip=0.0)
    (row,) = write_captions_with_codes(
        prone[None], seed=0, indices=[0], style="full", options=options
    )
    assert said[0] in row.statements
    assert state("torso", "facing_down") not in row.statements


def test_nothing_is_said_of_a_head_whose_angles_are_not_known(poses):
    options = CaptionOptions(extras=frozenset({"head"}))
    joints = poses(30, 42)
    assert write_captions(joints, seed=0, indices=range(30), options=options) == write_captions(
        joints, seed=0, indices=range(30)
    )


def test_what_most_recorded_poses_have_is_not_worth_saying(poses):
    common = {s for s, share in pose_statistics().shares.items() if share > 0.40}
    assert state("body", "standing") in common
    options = CaptionOptions(eligible="statistics")
    rows = write_captions_with_codes(
        poses(COUNT, 43), seed=0, indices=range(COUNT), style="full", options=options
    )
    assert not any(row.statements & common for row in rows)


def test_what_few_recorded_poses_have_is_never_skipped(posed):
    kneeling = posed(left_knee=(2.4, 0.0, 0.0), right_knee=(2.4, 0.0, 0.0))
    rows = write_captions_with_codes(
        np.repeat(kneeling[None], 60, axis=0),
        seed=0,
        indices=range(60),
        style="full",
        options=CaptionOptions(eligible="statistics", skip=0.9),
    )
    assert all(state("body", "kneeling") in row.statements for row in rows)
    folded = state("left_knee", "completely_bent")  # only said where kneeling is not
    assert not any(folded in row.statements for row in rows)


def test_the_three_captions_say_less_and_less(poses):
    rows = write_three_captions(poses(200, 44), seed=4, indices=range(200))
    words = np.array([[len(text.split()) for text, _ in row] for row in rows]).mean(axis=0)
    codes = np.array([[len(said) for _, said in row] for row in rows]).mean(axis=0)
    assert words[0] > words[1] > words[2]
    assert codes[0] == pytest.approx(codes[1], rel=0.05)
    assert codes[2] < 0.9 * codes[1]


def test_what_a_mined_rule_drops_is_not_said_with_its_reasons(poses):
    rules = pose_statistics().rules
    assert len(rules) > 50
    rows = write_captions_with_codes(
        poses(200, 45),
        seed=5,
        indices=range(200),
        style="full",
        options=CaptionOptions(idle="mined"),
    )
    for rule in rules:
        both = {*rule.reasons, rule.dropped}
        assert not any(both <= row.statements for row in rows)


def test_mined_rules_hold_for_both_sides():
    rules = {(frozenset(r.reasons), r.dropped) for r in pose_statistics().rules}
    for reasons, dropped in rules:
        assert (frozenset(r.mirrored() for r in reasons), dropped.mirrored()) in rules


def test_pronouns_stand_for_the_one_just_spoken_of(poses):
    options = CaptionOptions(pronouns=True)
    rows = write_captions_with_codes(
        poses(COUNT, 46), seed=6, indices=range(COUNT), style="full", options=options
    )
    assert any(" It is " in text for text, _ in rows)
    for text, codes in rows:
        assert set(read(text).statements) == codes, text


@pytest.mark.parametrize("skip", [-0.1, 1.0])
def test_a_share_to_skip_is_a_share(skip):
    with pytest.raises(ConfigError, match="share"):
        CaptionOptions(skip=skip)
