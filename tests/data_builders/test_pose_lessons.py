"""Lessons: packs of short rows, dense in what is to be learned, with claims at their places."""

from __future__ import annotations

import random

import torch

from data_builders.pose_form import in_words
from data_builders.pose_lessons import LessonsConfig, PoseLessons
from data_builders.pose_pool import PosePool
from tests.fakes.tiny_model import tiny_plain_assistant
from tokenizer.rotations import rotations_to_6d
from unipose.body.body import load_body
from unipose.language.rendering import IGNORE_INDEX, READ_POSE, collate
from unipose.posecodes.facts import atoms
from unipose.posecodes.statements import Statement

ASSISTANT = tiny_plain_assistant()
V = ASSISTANT.vocabulary
LESSONS = PoseLessons(
    PosePool.random(32, seed=0),
    joints_at_rest=load_body().rest_joints,
    encode=lambda rotations: ASSISTANT.model.codec.encode(rotations_to_6d(rotations)),
    vocabulary=V,
    config=LessonsConfig(checked=8, questions=4, requests=3, edits=4, named=0.0),
)


def drawn(seed: int = 0) -> tuple[torch.Generator, random.Random]:
    return torch.Generator().manual_seed(seed), random.Random(seed)


def test_the_same_step_gives_the_same_rows():
    one, other, next_step = (LESSONS.draw(seed=0, step=step) for step in (3, 3, 4))
    assert [row.ids for row in one] == [row.ids for row in other]
    assert [row.ids for row in one] != [row.ids for row in next_step]
    batches = [collate([row], pad=V.pad) for row in one]
    assert all(batch.branches is not None for batch in batches)


def test_each_statement_of_a_checklist_is_true_of_one_pose_and_not_of_another():
    rows = LESSONS.checklists(6, *drawn())
    yes, no = (V.encode(word)[0] for word in ("Yes", "No"))
    asked: dict[str, list[int]] = {}
    for row in rows:
        assert row.kinds.count(READ_POSE) == V.pose_places
        ((place, truth),) = row.true_at
        assert row.ids[place] == V.pose_end
        assert truth.any()
        for branch in range(1, max(row.branches) + 1):
            places = [i for i, b in enumerate(row.branches) if b in (0, branch)]
            said = V.decode([row.ids[i] for i in places])
            asked.setdefault(said, []).append(row.targets[places[-1]])
    assert asked
    assert all(sorted(set(answers)) == sorted({yes, no}) for answers in asked.values())
    assert all(answers.count(yes) == answers.count(no) for answers in asked.values())


def test_a_pose_alone_makes_no_checklist():
    assert not LESSONS.checklists(1, *drawn())


def test_a_pose_with_questions_is_read_once():
    row = LESSONS.answers(*drawn())
    assert row.kinds.count(READ_POSE) == V.pose_places
    assert max(row.branches) == 4
    assert all(branch == 0 for branch, kind in zip(row.branches, row.kinds, strict=True) if kind)


def test_each_request_ends_where_its_pose_begins():
    row, poses = LESSONS.requests(*drawn())
    ends = [i for i, target in enumerate(row.targets) if target != IGNORE_INDEX]
    assert len(poses) == len(ends) == 3
    assert {row.targets[end] for end in ends} == {V.pose_start}
    assert [place for place, _ in row.told_at] == ends
    assert all(claims.any() for _, claims in row.told_at)


def test_everyday_words_name_a_pose_whose_facts_are_learned():
    everyday = PoseLessons(
        PosePool.random(8, seed=0),
        joints_at_rest=load_body().rest_joints,
        encode=LESSONS.encode,
        vocabulary=V,
        config=LessonsConfig(requests=3, named=1.0, fixed=1.0),
    )
    row, poses = everyday.requests(*drawn())
    assert not row.told_at
    assert len(row.true_at) == 3
    assert [place for place, _ in row.named_at] == [place for place, _ in row.true_at]
    for (_, named), pose in zip(row.named_at, poses, strict=True):
        (number,) = named.nonzero().flatten().tolist()
        own = everyday.named.poses_and_mirrors(everyday.named.names[number])
        assert float((own - pose).flatten(1).norm(dim=-1).amin()) < 1e-2
    library = torch.cat([everyday.named.poses_and_mirrors(name) for name in everyday.named.names])
    apart = (library[None] - poses[:, None]).flatten(2).norm(dim=-1).amin(dim=1)
    assert float(apart.max()) < 1e-2
    held_out = {w for name in everyday.named.names for w in everyday.named.wordings(name, "test")}
    assert not any(said in V.decode(row.ids) for said in held_out)


def test_edits_share_the_pose_they_start_from():
    row, poses = LESSONS.edits(*drawn())
    assert row.kinds.count(READ_POSE) == V.pose_places
    assert len(poses) == len(row.told_at) == max(row.branches)


def test_statements_are_said_in_few_words_that_tell_them_apart():
    said = [in_words(fact.members[0]) for fact in atoms()]
    assert len(set(said)) == len(said)
    assert (
        in_words(Statement("left_hand", "front", "right_hip")) == "left hand in front of right hip"
    )


def test_a_pose_is_read_once_for_all_its_captions():
    several = PoseLessons(
        PosePool.random(8, seed=0),
        joints_at_rest=load_body().rest_joints,
        encode=LESSONS.encode,
        vocabulary=V,
        config=LessonsConfig(captions=3),
    )
    rows = several.descriptions(2, *drawn())
    assert len(rows) == 2
    for row in rows:
        assert row.kinds.count(READ_POSE) == V.pose_places
        assert max(row.branches) == 3
        told = [
            V.decode(
                [
                    t
                    for t, b in zip(row.targets, row.branches, strict=True)
                    if b == i and t != IGNORE_INDEX
                ]
            )
            for i in (1, 2, 3)
        ]
        assert len(set(told)) == 3
