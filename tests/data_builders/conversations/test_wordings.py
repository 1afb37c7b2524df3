"""Wordings: every header is a call that can be read, and splits keep to themselves."""

from __future__ import annotations

from random import Random

import pytest

from data_builders.conversations.script import SHARES
from data_builders.conversations.wordings import (
    Section,
    domain_of,
    fill,
    sections,
    split_of,
    wordings_of,
)
from unipose.posecodes.calls import VERBS, read_call

CALLS = [s for s in sections() if s.kind == "call" and s.file != "poses"]
SPLITS = ("train", "val", "test")


def test_every_header_fills_to_a_call_that_can_be_read():
    random = Random(0)
    for section in CALLS:
        for _ in range(3):
            meant = fill(section, section.wordings[0], random).meant
            assert str(read_call(meant)) == meant


def test_every_slot_of_every_wording_is_filled():
    random = Random(1)
    for section in CALLS:
        for wording in random.sample(section.wordings, min(8, len(section.wordings))):
            assert "{" not in fill(section, wording, random).said


def test_every_verb_is_asked_for_and_questions_are_asked_in_forty_ways():
    wordings: dict[str, int] = {}
    for section in CALLS:
        verb = section.header.split(" ")[1].rstrip(":")
        wordings[verb] = wordings.get(verb, 0) + len(section.wordings)
    assert set(wordings) == set(VERBS)
    assert min(wordings.values()) >= 40


def test_a_wording_belongs_to_one_split_and_every_kind_has_some_in_each():
    for split in SPLITS:
        kinds = {
            "check" if section.file.startswith("check_") else section.file
            for section in sections()
            if wordings_of(section, split)
        }
        assert kinds >= set(SHARES)
    assert split_of("is {a} bent") == split_of("is {a} bent")


def test_a_part_stands_for_both_sides_and_a_plural_for_itself():
    assert list(domain_of("knee,hands,head")) == ["left knee", "right knee", "hands", "head"]


@pytest.mark.parametrize(
    ("wording", "said"),
    [("{a.side} {a.part} bent", "left knee bent"), ("{a.bare}?", "left knee?")],
)
def test_forms_of_a_part_are_spelt_out(wording: str, said: str):
    section = Section("> check bent {a:knee}", "call", (wording,), "made_up")
    found = {fill(section, wording, Random(seed)).said for seed in range(20)}
    assert said in found
    assert found <= {said, said.replace("left", "right")}
