"""Answers held to a form: whatever is chosen along the way, the answer can be read."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch
from tokenizers import Regex, pre_tokenizers

from tests.fakes.tiny_eyes import seeing_assistant, some_pixels
from tests.fakes.tiny_model import tiny_assistant
from unipose.assistant import UniPose
from unipose.body.pose import Pose
from unipose.body.regions import REGIONS
from unipose.errors import AnswerParseError
from unipose.language.answers import read_contacts, read_label, write_contacts
from unipose.language.grammar import Grammar, OneOf, contact_table
from unipose.language.vocabulary import Vocabulary, train_text_tokenizer

ACTIONS = ["walk", "walk on uneven ground", "Jump!", "räkna | till tre"]


@pytest.fixture(scope="module")
def assistant() -> UniPose:
    return tiny_assistant()


def stroll(grammar: Grammar, vocabulary: Vocabulary, chance: random.Random) -> list[int]:
    """Return an answer that takes any way that is open."""
    said: list[int] = []
    while True:
        open_ways = sorted(grammar.following(said))
        assert open_ways, vocabulary.decode(said)
        said.append(chance.choice(open_ways))
        if said[-1] == vocabulary.answer_end:
            return said


def follows(said: Sequence[int], grammar: Grammar) -> bool:
    return all(said[i] in grammar.following(said[:i]) for i in range(len(said)))


@pytest.mark.parametrize("people", [1, 2])
def test_whatever_way_is_taken_the_table_can_be_read(assistant: UniPose, people: int):
    vocabulary = assistant.vocabulary
    table = contact_table(people, vocabulary)
    chance = random.Random(people)
    sizes = set()
    for _ in range(12):
        said = stroll(table, vocabulary, chance)
        sizes.add(len(read_contacts(vocabulary.decode(said), people=people)))
    assert len(sizes) > 1


@pytest.mark.parametrize("people", [1, 2])
def test_every_table_that_is_written_may_be_said(assistant: UniPose, people: int):
    vocabulary = assistant.vocabulary
    table = contact_table(people, vocabulary)
    last = (REGIONS[-1], REGIONS[-1]) if people == 2 else (REGIONS[-2], REGIONS[-1])
    pairs = [("head", "left hand"), ("left hand", "right thigh"), last]
    for some in ([], pairs[:1], pairs, [last]):
        text = write_contacts(some, people=people)
        assert follows([*vocabulary.encode(text), vocabulary.answer_end], table)
    twice = write_contacts(pairs[:1], people=people)
    twice += "\n" + twice.splitlines()[-1]
    assert not follows([*vocabulary.encode(twice), vocabulary.answer_end], table)


def test_one_of_a_few_texts_is_said_whole(assistant: UniPose):
    vocabulary = assistant.vocabulary
    grammar = OneOf(ACTIONS, vocabulary)
    chance = random.Random(0)
    heard = {vocabulary.decode(stroll(grammar, vocabulary, chance)) for _ in range(60)}
    assert heard == set(ACTIONS)
    assert not grammar.following(vocabulary.encode("sleep"))


def test_an_untrained_model_held_to_a_form_is_understood():
    pose = Pose.from_axis_angle(torch.randn(3, 22, 3, generator=torch.Generator().manual_seed(1)))
    seeing = seeing_assistant()
    assert seeing.label(pose, ACTIONS, measured=False) in ACTIONS
    assert seeing.label([some_pixels().numpy()], ACTIONS, measured=False) in ACTIONS
    said = seeing.label(pose[0], ["sit", "run"], measured=False)
    assert read_label(said, ["sit", "run"])


def test_an_untrained_model_held_to_a_table_begins_one(monkeypatch: pytest.MonkeyPatch):
    assistant = tiny_assistant()
    pose = Pose.from_axis_angle(torch.randn(1, 22, 3, generator=torch.Generator().manual_seed(2)))
    head = write_contacts([])
    longest = len(assistant.vocabulary.encode(head)) + 4
    monkeypatch.setattr("unipose.assistant.assistant.LONGEST_TABLE", longest)
    with pytest.raises(AnswerParseError, match=r"\| part \| touches \|"):
        assistant.contacts(pose, measured=False)  # cut in the middle of a row


@pytest.mark.parametrize("pattern", [r" ?[^\s\p{L}]+[\r\n]*| ?\p{L}+|\s+", r"\n| ?[^\n ]+"])
def test_a_table_is_written_by_tokenizers_that_join_lines_in_their_own_ways(pattern: str):
    text = train_text_tokenizer([write_contacts([(a, b)]) for a in REGIONS for b in REGIONS[:4]],
                                size=400)  # fmt: skip
    backend = text.backend_tokenizer
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )  # fmt: skip
    vocabulary = Vocabulary(text=text, codes=8, length=4)
    table = contact_table(1, vocabulary)
    said = write_contacts([("head", "left hand"), ("left hand", "right thigh")])
    assert follows([*vocabulary.encode(said), vocabulary.answer_end], table)
    chance = random.Random(3)
    for _ in range(3):
        read_contacts(vocabulary.decode(stroll(table, vocabulary, chance)))
