"""How people type: many ways, the same words, and what must stay exact stays."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_builders.conversations.typing_style import typed
from data_builders.conversations.wordings import texts_of

SOURCES = ("edit", "file", "person", "photo", "posture")


def ways(said: str, count: int = 400, **how: object) -> list[str]:
    """Return a sentence as it is typed with many seeds."""
    return [typed(said, Random(seed), **how) for seed in range(count)]  # type: ignore[arg-type]


@given(st.integers(), st.text(max_size=40))
def test_the_same_seed_types_the_same(seed: int, said: str):
    assert typed(said, Random(seed)) == typed(said, Random(seed))


@pytest.mark.parametrize("source", SOURCES)
def test_a_text_that_is_handed_on_is_typed_as_it_is(source: str):
    for seed, text in enumerate(texts_of(source, "train")):
        for frame in ("{}", "please {}", "{} for me", "my friend says: {}"):
            said = typed(frame.format(text), Random(seed), request=True, exact=(text,))
            assert text in said


@pytest.mark.parametrize("word", ["left", "right", "front", "back", "squat.npz", "a/b.bvh", "45"])
def test_sides_numbers_and_names_of_files_have_no_slips(word: str):
    said = ways(f"move the {word} something")
    assert all(word in text.lower() for text in said)


def test_a_slip_changes_at_most_two_words():
    plain = ["which", "elbow", "appears", "higher", "above", "the", "shoulder"]
    changed = []
    for text in ways(" ".join(plain), 300):
        words = re.findall(r"\w+", text.lower())
        changed.append(len(set(plain) - set(words)))
    assert max(changed) in (1, 2)
    assert 0.05 < sum(count > 0 for count in changed) / len(changed) < 0.25


def test_a_question_ends_as_people_end_one():
    marks = {re.sub(r".*\w", "", text) for text in ways("is the left knee bent")}
    assert {"", "?"} <= marks
    assert not {mark for mark in marks if {"!", "."} & {*mark}}


def test_a_request_is_no_question():
    said = ways("raise the left arm", request=True)
    assert not any("?" in text for text in said)


def test_sentences_come_with_and_without_a_capital():
    said = ways("is the left knee bent")
    capitals = sum(text[0].isupper() for text in said) / len(said)
    assert 0.2 < capitals < 0.6
