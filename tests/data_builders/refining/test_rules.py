"""The rule-based refiner: short, true, starting with the person, the same every time."""

from __future__ import annotations

import pytest

from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers
from data_builders.refining.checking import Limits, check
from data_builders.refining.draft import Draft
from data_builders.refining.refine import RefineConfig, Report, refine
from data_builders.refining.rules import refine_by_rules, summarise_pose, without_what_follows
from unipose.posecodes.changes import Change
from unipose.posecodes.facts import extra_atoms
from unipose.posecodes.position_phrases import TURN_WORDS
from unipose.posecodes.positions import GROUPS
from unipose.posecodes.reader import read, read_change_text
from unipose.posecodes.statements import state

STRICT = Limits(added=0, flipped=0, unread=0.0)
COUNT = 12


@pytest.mark.parametrize("style", ["plain", "full", "short"])
def test_a_shortened_caption_says_nothing_new(poses, style):
    joints = poses(COUNT, 31)
    for text in write_captions(joints, seed=1, indices=range(COUNT), style=style):
        draft = Draft(key="", text=text)
        refined = refine_by_rules(draft, seed=0)
        verdict = check(refined, draft)
        assert verdict.faults(STRICT) == [], (text, refined)
        assert verdict.unread == ()
        assert verdict.supported >= 2


@pytest.mark.parametrize("style", ["plain", "full", "short"])
def test_a_shortened_instruction_says_nothing_new(pairs, style):
    first, second = pairs(COUNT, 32)
    for text in write_modifiers(first, second, seed=1, indices=range(COUNT), style=style):
        draft = Draft(key="", text=text, kind="change")
        refined = refine_by_rules(draft, seed=0)
        assert check(refined, draft).faults(STRICT) == [], (text, refined)


def test_long_captions_become_short(poses):
    texts = write_captions(poses(COUNT, 33), seed=1, indices=range(COUNT), style="plain")
    refined = [refine_by_rules(Draft(key="", text=text), seed=0) for text in texts]
    long, short = (sum(len(t.split()) for t in some) / COUNT for some in (texts, refined))
    assert short < 45 < long
    assert len(set(refined)) == COUNT


def test_the_same_text_is_shortened_the_same_way():
    draft = Draft(key="a", text="The left hand is above the head. The right knee is straight.")
    texts = {refine_by_rules(draft, seed=seed) for seed in range(30)}
    assert len(texts) > 3
    assert refine_by_rules(draft, seed=4) == refine_by_rules(draft, seed=4)


def test_whole_body_words_come_first_and_limbs_are_merged():
    draft = Draft(
        key="a",
        text="The left elbow is straight. The right elbow is straight. The left hand is above the "
        "head. The right hand is above the head. The left hand is above the left shoulder. "
        "Someone is kneeling. The left knee is completely bent.",
    )
    text = refine_by_rules(draft, seed=0)
    assert "kneeling" in " ".join(text.split()[:5]) or "down on both knees" in text
    assert "both arms" in text or "both elbows" in text
    assert "shoulder" not in text
    assert "left" not in text


def test_the_optional_codes_and_whole_turns_have_words_too():
    for fact in extra_atoms(frozenset(GROUPS)):
        text = summarise_pose(fact.members, key=5)
        assert read(text).statements == list(fact.members)
    for (action, size), said in TURN_WORDS.items():
        draft = Draft(
            key="", text=f"{said[0].replace('{d}', 'the')}. Bend your left arm.", kind="change"
        )
        found = read_change_text(refine_by_rules(draft, seed=0)).changes
        assert found == [Change("body", action, size), Change("left_elbow", "bend")]


def test_what_follows_is_left_out_but_never_everything():
    said = [
        state("left_hand", "above", "head"),
        state("left_hand", "above", "left_shoulder"),
        state("left_elbow", "bent"),
        state("left_elbow", "right_angle"),
        state("left_hand", "apart", "right_hand"),
    ]
    assert without_what_follows(said) == [said[0], said[3], said[4]]
    assert without_what_follows([said[3], said[3]]) == [said[3]]


def test_the_turn_of_the_body_is_kept():
    draft = Draft(
        key="a",
        kind="change",
        text="Raise your left hand a lot and bend your right elbow a lot. Raise your right knee a "
        "lot. Bend both knees a lot. Straighten your left arm. Move your left foot far back. Turn "
        "your upper body a bit to the left. Lower your right hand a lot. Move your right foot far "
        "to the right, then bring both hands closer together.",
    )
    text = refine_by_rules(draft, seed=0)
    assert check(text, draft).faults(STRICT) == []
    assert "left" in text.split(".")[0]
    assert len(text.split()) < 45


def test_nothing_readable_leaves_the_draft_as_it_is():
    report = Report()
    draft = Draft(key="a", text="A swan on a silver lake.")
    (found,) = refine([draft], config=RefineConfig(), report=report)
    assert (found.text, found.by) == (draft.text, "draft")
    assert report.written_by == {"draft": 1}


def test_no_change_is_said_so():
    draft = Draft(key="a", text="Hold the same pose.", kind="change")
    assert check(refine_by_rules(draft, seed=1), draft).faults(STRICT) == []


def test_many_drafts_are_refined_lazily_and_in_order(poses):
    texts = write_captions(poses(20, 34), seed=1, indices=range(20))
    asked = []

    def drafts():
        for i, text in enumerate(texts):
            asked.append(i)
            yield Draft(key=str(i), text=text)

    report = Report()
    rows = refine(drafts(), config=RefineConfig(window=5), report=report)
    assert next(rows).key == "0"
    assert len(asked) == 5
    assert [row.key for row in rows] == [str(i) for i in range(1, 20)]
    assert report.as_json()["written_by"] == {"rules": 20}
    assert read(texts[0]).unread == []
