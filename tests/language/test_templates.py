"""Every sentence by which every task is asked: rendered, counted, and read for broken ones."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
import torch

from tests.fakes.tiny_eyes import seeing_assistant, some_pixels
from unipose.errors import PoseQueryError
from unipose.language.rendering import PATCH, READ_POSE, render_question
from unipose.language.templates import (
    FIXED,
    PHRASINGS,
    SLOTS,
    Task,
    Wording,
    ask,
    body_in,
    choose_phrasing,
    evenly,
    instructions,
    list_of,
    motion_in,
)

SEEING = seeing_assistant()
V = SEEING.vocabulary
CODES = torch.arange(V.length)
LOOK = SEEING.model.eyes.prepare(some_pixels())
TEXT = "The left knee is bent."

GIVEN = {
    "pose": CODES,
    "text": TEXT,
    "image": LOOK,
    "who": "the person on the left",
    "actions": list_of(["walk", "pick up a box"]),
}
FILLED = {
    Task.COMPARE: {"first": CODES, "second": CODES + 1},
    Task.IMAGE_DIFF: {"first": LOOK, "second": LOOK},
    Task.CONTACTS: {"seen": body_in(LOOK)},
    Task.MOTION_LABEL: {"seen": motion_in([LOOK, LOOK])},
}
POSES = {Task.DESCRIBE: 1, Task.COMPARE: 2, Task.EDIT: 1}
PICTURES = {
    Task.IMAGE_TO_TEXT: 1, Task.IMAGE_DIFF: 2, Task.ESTIMATE: 1, Task.REASON: 1,
    Task.CONTACTS: 1, Task.MOTION_LABEL: 2,
}  # fmt: skip

EVERY_TASK = pytest.mark.parametrize("task", Task)


def filled(task: Task, phrasing: str) -> list:
    return ask(phrasing, **(GIVEN | FILLED.get(task, {})))


def as_read(parts: list) -> str:
    return "".join(part if isinstance(part, str) else "#" for part in parts)


@EVERY_TASK
def test_a_task_can_be_asked_in_a_hundred_ways_and_none_is_there_twice(task: Task):
    sentences = instructions(task)
    plain = {re.sub(r"\W+", " ", sentence).strip().lower() for sentence in sentences}
    assert len(sentences) >= 100
    assert len(plain) == len(sentences)


@EVERY_TASK
def test_every_sentence_has_each_slot_once_and_no_other(task: Task):
    for sentence in [*instructions(task), FIXED[task]]:
        assert sorted(re.findall(r"\{(.*?)\}", sentence)) == sorted(SLOTS[task]), sentence
        assert sentence.count("{") == sentence.count("}") == len(SLOTS[task]), sentence


@EVERY_TASK
def test_every_sentence_begins_with_a_capital_and_ends_as_sentences_do(task: Task):
    for sentence in instructions(task):
        said = as_read(filled(task, sentence))
        assert re.match(r"[A-Z]", said), sentence
        assert said[-1] in ".?", sentence
        assert "  " not in said, sentence
        assert not re.search(r"\s[.,;:?]|[.,;:?]{2}|\w[.,;:?]\w", said), sentence
        assert said.isascii(), sentence
        for piece in re.findall(r"[.?] (\S)", said):
            assert piece.isupper(), sentence
        words = re.findall(r"[a-z']+|#", said.lower())
        assert not any(a == b != "#" for a, b in pairwise(words)), sentence


@EVERY_TASK
def test_a_question_mark_ends_exactly_what_asks(task: Task):
    asking = {"what", "which", "how", "where", "could", "can", "would"}
    for sentence in instructions(task):
        said = as_read(filled(task, sentence)).replace(f" {TEXT}", "")
        for part in re.findall(r"[^.?]+[.?]", said):
            if part.split()[0].lower() in asking:
                assert part.endswith("?"), sentence


@EVERY_TASK
def test_every_sentence_is_rendered_with_all_its_poses_and_pictures(task: Task):
    for sentence in [*instructions(task), FIXED[task], *PHRASINGS.get(task, ())]:
        row = render_question(filled(task, sentence), V)
        assert row.kinds.count(READ_POSE) == POSES.get(task, 0) * V.length, sentence
        assert row.kinds.count(PATCH) == PICTURES.get(task, 0) * V.patches, sentence
        assert len(row.pictures) == PICTURES.get(task, 0), sentence


def test_an_order_of_words_says_which_is_first():
    """A comparison that names the second before the first needs words that say so."""
    turned = [
        s
        for task in (Task.COMPARE, Task.IMAGE_DIFF)
        for s in instructions(task)
        if s.index("{second}") < s.index("{first}")
    ]
    for sentence in turned:
        assert re.search(
            r"differ|different|out of|come|compared|difference|otherwise|start|new|departs"
            r"|if \{first\} was before",
            sentence,
        ), sentence


def test_wordings_are_drawn_from_where_they_should_come():
    chance = random.Random(0)
    for task in Task:
        assert choose_phrasing(task, chance, Wording.FIXED) == FIXED[task]
        drawn = {choose_phrasing(task, chance, Wording.INSTRUCT) for _ in range(60)}
        assert FIXED[task] in drawn
        assert len(drawn & set(instructions(task))) > 10
        assert drawn <= {FIXED[task], *instructions(task), *PHRASINGS.get(task, ())}
    assert choose_phrasing(Task.EDIT, chance) in PHRASINGS[Task.EDIT]


def test_those_who_are_shown_have_words():
    assert body_in(CODES)[0] == "the pose "
    assert body_in(LOOK)[0] == "the person in "
    assert body_in(LOOK, people=2)[0] == "the two people in "
    with pytest.raises(PoseQueryError, match="2 people in a pose"):
        body_in(CODES, people=2)
    assert [p for p in motion_in([CODES, CODES]) if isinstance(p, str)] == ["the poses", " ", " "]
    assert motion_in([LOOK])[0] == "the picture"
    with pytest.raises(PoseQueryError, match="got none"):
        motion_in([])


def test_a_few_of_many_are_spread_evenly():
    assert evenly("abcdefg", 3) == ["a", "d", "g"]
    assert evenly("ab", 3) == ["a", "b"]
    assert evenly("abc", 1) == ["b"]
    assert evenly(range(100), 10) == list(range(0, 100, 11))
