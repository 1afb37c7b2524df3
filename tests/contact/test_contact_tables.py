"""Tables out of any model's words: tolerant, counted, never executed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from unipose.body.regions import PROSEPOSE_ONE_PERSON, PROSEPOSE_TWO_PEOPLE
from unipose.contact.contact_tables import read_table, write_table
from unipose.contact.contact_votes import (
    ContactVotes,
    load_contacts,
    read_votes,
    save_contacts,
)
from unipose.contact.measured_contacts import MeasuredContact, careful_pairs, term_of
from unipose.contact.prompts import INSTRUCTIONS, VOCABULARIES, contact_question
from unipose.errors import ConfigError, FileError

HEAD = "| Person 1 | Person 2 |\n| --- | --- |\n"
SHOULDER = "shoulder (back)/shoulder (front)"


def read(rows, people=2):
    vocabulary = VOCABULARIES[people]
    return read_table("They hug. | So:\n\n" + HEAD + rows, vocabulary, people=people)


@pytest.mark.parametrize(
    ("row", "pairs"),
    [
        ("| hand | back |", (("hand", "back"),)),
        ("| Left Hand | the **Waist (back)** |", (("hand", "waist (back)"),)),
        ("| hands | back |", (("hand", "back"),) * 2),
        ("| both hands | shoulders |", (("hand", SHOULDER),) * 2),
        ("| feet | butt |", (("foot", "butt"),) * 2),
        ("| hand | shoulder |", (("hand", SHOULDER),)),
        ("| hand/arm | chest |", (("hand/arm", "chest"),)),
        ("| person 1's forearm | belly |", (("arm", "stomach"),)),
        ("| 1 | hand | back |", (("hand", "back"),)),
        ("hand | back", (("hand", "back"),)),
        ("| shoulders (front) | chest |", (("shoulder (front)", "chest"),) * 2),
        ("| hand | back |\n\n| hand | back |", (("hand", "back"),) * 2),
    ],
)
def test_a_line_is_read_as_people_write_it(row, pairs):
    found = read(row)
    assert found.pairs == pairs
    assert found.dropped == ()


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("| sofa | butt |", "'sofa' is no part that was asked for"),
        ("| hand |", "fewer than two cells"),
        ("| head | chest |\n| head | chest |", "the same pair once more"),
        ("\n".join(["| hand | hand |"] * 3), "the same pair once more"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_its_reason(row, reason):
    assert read(row).dropped == (reason,)


def test_the_last_table_counts_and_prose_has_none():
    first = HEAD + "| head | head |\n"
    assert read_table(first + "\nNo, rather:\n" + HEAD + "| hand | back |", PROSEPOSE_TWO_PEOPLE,
                      people=2).pairs == (("hand", "back"),)  # fmt: skip
    said = read_table(HEAD + "| hand | back |\n\nThat is all.", PROSEPOSE_TWO_PEOPLE, people=2)
    assert said.pairs == (("hand", "back"),)
    assert read_table("I cannot tell.", PROSEPOSE_TWO_PEOPLE, people=2).pairs == ()
    assert read_table(HEAD, PROSEPOSE_TWO_PEOPLE, people=2).pairs == ()


def test_an_answer_is_data_and_is_never_run():
    evil = "__import__('os').system('touch /tmp/never')"
    found = read(f"| {evil} | back |")
    assert found.pairs == ()
    assert "no part that was asked for" in found.dropped[0]


def test_one_person_touches_their_own_parts_and_the_ground():
    rows = "| hand | hand |\n| head | head |\n| foot | floor |\n| hand | foot |\n| foot | hand |"
    found = read(rows, people=1)
    assert found.pairs == (("hand", "hand"), ("foot", "ground"), ("hand", "foot"))
    assert found.dropped == ("'head' touches itself", "the same pair once more")


def test_a_table_without_end_is_cut():
    rows = "\n".join(f"| {a} | {b} |" for a in ("head", "neck", "chest", "back", "butt")
                     for b in ("head", "neck", "chest", "stomach", "back", "butt"))  # fmt: skip
    found = read(rows)
    assert len(found.pairs) == 24
    assert set(found.dropped) == {"more than 24 pairs"}


@pytest.mark.parametrize("people", [1, 2])
def test_what_is_written_is_read_back(people):
    pairs = (("hand", "leg"), ("hand", "back"), ("foot", "foot"))
    table = write_table(pairs, people=people)
    assert read_table(table, VOCABULARIES[people], people=people).pairs == pairs


def test_prompts_name_every_word_and_ask_for_no_sides():
    for people, words in ((1, PROSEPOSE_ONE_PERSON), (2, PROSEPOSE_TWO_PEOPLE)):
        assert ", ".join(words.parts) in INSTRUCTIONS[people]
        assert "Never write left or right" in INSTRUCTIONS[people]
        think = INSTRUCTIONS[people].index("Think first")
        assert think < INSTRUCTIONS[people].index("| --- |")
    with pytest.raises(ConfigError, match="1 or 2 people"):
        contact_question(Path("a.jpg"), people=3)


def test_votes_are_counted_without_order_and_thresholds_hold():
    votes = read_votes(
        [HEAD + "| hand | back |", HEAD + "| back | hand |\n| head | head |", HEAD, "nothing"],
        PROSEPOSE_TWO_PEOPLE, people=2,
    )  # fmt: skip
    assert votes.votes == {("back", "hand"): 2, ("head", "head"): 1}
    assert votes.empty == 2
    assert votes.kept(2).samples == ((("hand", "back"),), (("back", "hand"),), (), ())
    assert not votes.falls_back(None)
    assert votes.falls_back(2)
    assert not votes.falls_back(3)
    assert not votes.kept(3).votes
    assert ContactVotes(people=2, samples=((),) * 3).falls_back(None)
    assert ContactVotes(people=2, samples=()).falls_back(None)


def test_contacts_are_kept_in_a_file_and_written_by_hand(tmp_path):
    votes = {"a.jpg": ContactVotes(people=2, samples=((("hand", SHOULDER),), ()))}
    file = save_contacts(votes, tmp_path / "contacts.json")
    assert load_contacts(file, VOCABULARIES)["a.jpg"].samples == votes["a.jpg"].samples
    file.write_text(json.dumps({"a": {"people": 2, "samples": [[["hand", "sofa"]]]}}))
    with pytest.raises(FileError, match="'sofa' is none of head"):
        load_contacts(file, VOCABULARIES)
    file.write_text(json.dumps({"a": {"people": 3}}))
    with pytest.raises(FileError, match="'a' has no people"):
        load_contacts(file, VOCABULARIES)


def test_regions_are_called_by_the_narrowest_word():
    names = {
        "left forearm": "arm", "lower back": "waist (back)", "waist": "waist (front)",
        "upper back": "back", "right shoulder": SHOULDER, "neck": "neck",
    }  # fmt: skip
    assert {name: term_of(name, PROSEPOSE_TWO_PEOPLE) for name in names} == names
    assert term_of("chest", PROSEPOSE_ONE_PERSON) == ""
    assert term_of("ground", PROSEPOSE_ONE_PERSON) == "ground"


def test_a_careful_table_names_a_part_twice_only_for_both_its_sides():
    def pairs(*contacts):
        found = [MeasuredContact(first=a, second=b) for a, b in contacts]
        return careful_pairs(found, PROSEPOSE_TWO_PEOPLE, people=2)

    one_arm = ("left forearm", "chest"), ("left upper arm", "stomach")
    assert pairs(*one_arm) == (("arm", "chest"),)
    assert pairs(*one_arm, ("right forearm", "neck")) == (
        ("arm", "chest"), ("arm", "stomach"), ("arm", "neck"),
    )  # fmt: skip
    assert pairs(("left hand", "left shin"), ("left hand", "left thigh")) == (("hand", "leg"),)
