"""Wordings: every header is a call that can be read, and splits keep to themselves."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from random import Random

import pytest

from data_builders.conversations.script import SHARES
from data_builders.conversations.wordings import (
    WordingSection,
    domain_of,
    fill,
    sections,
    split_of,
    texts_of,
    wordings_of,
)
from unipose.errors import ConfigError
from unipose.posecodes.calls import VERBS, read_call

CALLS = [s for s in sections() if s.kind == "call" and s.file != "poses"]
SPLITS = ("train", "val", "test")


@pytest.mark.slow
def test_every_header_fills_to_a_call_that_can_be_read():
    random = Random(0)
    for section in CALLS:
        for _ in range(3):
            meant = fill(section, section.wordings[0], random).meant
            assert str(read_call(meant)) == meant


@pytest.mark.slow
def test_every_slot_of_every_wording_is_filled():
    random = Random(1)
    for section in CALLS:
        for wording in random.sample(section.wordings, min(3, len(section.wordings))):
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
    section = WordingSection("> check bent {a:knee}", "call", (wording,), "made_up")
    found = {fill(section, wording, Random(seed)).said for seed in range(20)}
    assert said in found
    assert found <= {said, said.replace("left", "right")}


TEXTS = ("edit", "file", "person", "photo", "posture")
AMBIGUOUS = {
    "hands on hips": {"> check touch hands hips", "> edit: put both hands on the hips"},
}
"""Wordings that stand under two calls; no more of them."""


def test_a_wording_means_one_call_unless_its_text_decides():
    meanings: dict[str, set[str]] = {}
    for section in sections():
        if section.file == "poses" or section.kind == "follow":
            continue
        meant = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", section.header)
        for wording in section.wordings:
            meanings.setdefault(wording.lower(), set()).add(meant)
    found = {
        wording: meant
        for wording, meant in meanings.items()
        if len(meant) > 1 and "{text}" not in wording
    }
    assert found == AMBIGUOUS


@pytest.mark.parametrize(("one", "other"), [*combinations(TEXTS, 2)])
def test_a_text_decides_which_call_is_meant(one: str, other: str):
    texts = [
        {text.lower() for split in SPLITS for text in texts_of(source, split)}
        for source in (one, other)
    ]
    assert texts[0].isdisjoint(texts[1])


@pytest.mark.parametrize("source", TEXTS)
def test_splits_share_no_text(source: str):
    for one, other in combinations(SPLITS, 2):
        assert set(texts_of(source, one)).isdisjoint(texts_of(source, other))


def test_splits_share_no_wording_and_leave_none_out():
    for section in sections():
        parts = [set(wordings_of(section, split)) for split in SPLITS]
        assert sum(map(len, parts)) == len(set.union(*parts)) == len(section.wordings)


@pytest.mark.parametrize(
    ("wording", "split"),
    [("why so", "train"), ("is {a} bent", "train"), ("is {a} flexed", "train")],
)
def test_a_wording_stays_in_its_split(wording: str, split: str):
    assert split_of(wording) == split


def test_an_eleventh_of_the_wordings_is_for_val_and_a_seventh_for_test():
    wordings = sorted({wording for section in sections() for wording in section.wordings})
    shares = {
        split: sum(split_of(wording) == split for wording in wordings) / len(wordings)
        for split in SPLITS
    }
    assert shares["test"] == pytest.approx(1 / 7, abs=0.015)
    assert shares["val"] == pytest.approx(1 / 12, abs=0.015)


def test_what_is_said_names_what_is_meant():
    random = Random(2)
    sided = [s for s in CALLS if re.search(r"\{\w+:[^}]*\}", s.header)]
    for section in random.sample(sided, 60):
        filled = fill(section, random.choice(section.wordings), random)
        sides = set(re.findall(r"left|right", filled.meant.partition(":")[0]))
        if "ward" in filled.meant or "turn" in filled.meant or "=" in section.header:
            continue  # the direction is said in other words
        assert sides <= set(re.findall(r"left|right", filled.said)), filled


def test_a_part_is_never_related_to_itself():
    section = WordingSection("> check near {a:hand} {b:hand}", "call", ("{a} {b}",), "made_up")
    for seed in range(20):
        words = fill(section, "{a} {b}", Random(seed)).meant.split()
        assert words[3] != words[5]


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("is it\n> undo\nundo it", "stands before a header"),
        ("> check bent {a:knee}\nis {b} bent", "slots that"),
    ],
)
def test_a_file_that_is_not_as_expected_is_named(tmp_path: Path, lines: str, problem: str):
    (tmp_path / "made_up.txt").write_text(lines)
    with pytest.raises(ConfigError, match=f"made_up.txt: .*{problem}"):
        sections(tmp_path)
