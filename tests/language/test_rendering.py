"""Rendering and mixed attention, on the worked examples of their docstrings."""

from __future__ import annotations

import pytest
import torch

from tests.fakes.tiny_model import tiny_vocabulary
from unipose.errors import PoseQueryError
from unipose.language.attention import mixed_attention
from unipose.language.rendering import (
    IGNORE_INDEX,
    READ_POSE,
    TEXT,
    WRITTEN_POSE,
    collate,
    render_question,
    render_sample,
)
from unipose.language.templates import PHRASINGS, Task, ask

V = tiny_vocabulary()
CODES = torch.arange(V.length) + 7


def test_a_pose_to_describe_is_read_and_only_the_answer_is_learned():
    row = render_sample(["Describe ", CODES, "."], "Knees bent", V)
    answer = V.encode("Knees bent")
    question = [*V.opening, *V.encode("Describe "), V.pose_start]
    assert row.ids[: len(question)] == question
    assert row.kinds[len(question) : len(question) + V.length] == [READ_POSE] * V.length
    assert row.ids[len(question) : len(question) + V.length] == (CODES + V.first_code).tolist()
    learned = [t for t in row.targets if t != IGNORE_INDEX]
    assert learned == [*answer, V.answer_end]
    assert row.ids[-len(answer) - 2 :] == [V.turn[-1], *answer, V.answer_end]


def test_slots_hold_queries_and_answer_with_their_own_code():
    row = render_sample(["Kneel"], CODES, V)
    slots = [i for i, kind in enumerate(row.kinds) if kind == WRITTEN_POSE]
    assert [row.ids[i] for i in slots] == list(range(V.first_query, V.first_query + V.length))
    assert [row.targets[i] for i in slots] == (CODES + V.first_code).tolist()
    before, after = slots[0] - 1, slots[-1] + 1
    assert row.ids[before] == V.pose_start
    assert row.targets[before] == IGNORE_INDEX
    assert (row.ids[before - 1], row.targets[before - 1]) == (V.turn[-1], V.pose_start)
    assert (row.ids[after], row.targets[after]) == (V.pose_end, V.answer_end)


def test_a_pose_of_another_length_is_refused():
    with pytest.raises(PoseQueryError, match=f"{V.length} codes"):
        render_question([CODES[:-1]], V)


def test_text_is_causal_and_slots_see_each_other():
    kinds = torch.tensor([[TEXT, TEXT, WRITTEN_POSE, WRITTEN_POSE, TEXT]])
    spans = torch.tensor([[0, 0, 1, 1, 0]])
    seen = mixed_attention(
        kinds=kinds, spans=spans, real=torch.ones(1, 5).bool(), new=5, read_both_ways=False
    )
    expected = [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1],
    ]
    assert seen[0, 0].int().tolist() == expected


@pytest.mark.parametrize(("both", "sees_ahead"), [(True, True), (False, False)])
def test_read_poses_are_seen_both_ways_only_if_asked(both: bool, sees_ahead: bool):
    kinds = torch.full((1, 4), READ_POSE)
    spans = torch.tensor([[1, 1, 2, 2]])
    seen = mixed_attention(
        kinds=kinds, spans=spans, real=torch.ones(1, 4).bool(), new=4, read_both_ways=both
    )
    assert bool(seen[0, 0, 0, 1]) is sees_ahead
    assert not seen[0, 0, 0, 2]  # the next pose stays unseen
    assert seen[0, 0, 2, :3].all()


def test_filled_places_are_seen_by_nobody_else():
    rows = [render_question(["a"], V), render_question(["a longer question"], V)]
    for left in (True, False):
        batch = collate(rows, pad=V.pad, left=left)
        seen = mixed_attention(
            kinds=batch.kinds, spans=batch.spans, real=batch.real, new=batch.ids.shape[1],
            read_both_ways=True,
        )  # fmt: skip
        others = seen[:, 0] & ~torch.eye(batch.ids.shape[1]).bool()
        assert not (others & ~batch.real[:, None]).any()
        assert (batch.ids[~batch.real] == V.pad).all()


def test_every_task_can_be_asked_in_forty_ways():
    for task, phrasings in PHRASINGS.items():
        assert len(set(phrasings)) >= 40, task
        slots = {
            Task.DESCRIBE: ["{pose}"],
            Task.GENERATE: ["{text}"],
            Task.COMPARE: ["{first}", "{second}"],
            Task.EDIT: ["{pose}", "{text}"],
        }[task]
        assert all(p.count(slot) == 1 for p in phrasings for slot in slots), task
        assert all(p.count("{") == len(slots) for p in phrasings), task


def test_asking_keeps_the_order_and_the_users_braces():
    parts = ask("Edit {pose}. {text}", pose=CODES, text="raise {pose} {0}")
    assert parts[0] == "Edit "
    assert parts[1] is CODES
    assert parts[2] == ". raise {pose} {0}"
