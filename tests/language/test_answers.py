"""Tables of contacts and labels: written, read back, and broken ones named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unipose.body.regions import REGIONS
from unipose.errors import AnswerParseError
from unipose.language.answers import read_contacts, read_label, write_contacts

PART = st.sampled_from(REGIONS)
TABLE = "| part | touches |\n| --- | --- |\n"


def test_a_table_is_written_as_its_docstring_shows():
    assert write_contacts([("left thigh", "left hand")]) == TABLE + "| left hand | left thigh |"
    assert write_contacts([("right hand", "left hand")], people=2) == (
        "| first person | second person |\n| --- | --- |\n| right hand | left hand |"
    )
    assert write_contacts([]) + "\n" == TABLE


@given(st.lists(st.tuples(PART, PART)))
def test_what_two_people_touch_is_read_back(pairs: list[tuple[str, str]]):
    assert set(read_contacts(write_contacts(pairs, people=2), people=2)) == set(pairs)


@given(st.lists(st.tuples(PART, PART).filter(lambda pair: pair[0] != pair[1])))
def test_what_one_person_touches_is_read_back_in_either_order(pairs: list[tuple[str, str]]):
    read = read_contacts(write_contacts(pairs))
    assert {frozenset(pair) for pair in read} == {frozenset(pair) for pair in pairs}
    assert read == sorted(read, key=lambda pair: (REGIONS.index(pair[0]), REGIONS.index(pair[1])))


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "got nothing"),
        ("I see no contacts.", "rows of two cells, got 'I see no contacts.'"),
        ("| left hand | left thigh |", "with the head"),
        ("| first person | second person |\n| --- | --- |", "part | touches"),
        (TABLE + "| left hand | ground |", "'ground' is no body part"),
        (TABLE + "| Left hand | head |", "'Left hand' is no body part"),
        (TABLE + "| left hand | head | neck |", "rows of two cells"),
        (TABLE + "| left hand |", "rows of two cells"),
        (TABLE + "| head | head |", "touch itself"),
        (TABLE + "| head | left hand |\n| left hand | head |", "there twice"),
        (TABLE + "That is all.", "That is all"),
    ],
)
def test_a_table_that_is_none_is_named_with_its_text(text: str, named: str):
    with pytest.raises(AnswerParseError) as error:
        read_contacts(text)
    assert named in str(error.value)


def test_a_label_is_one_of_the_list():
    actions = ["walk", "Pick up a box", "walk backwards"]
    assert read_label("Walk.", actions) == "walk"
    assert read_label(' "pick up  a box" ', actions) == "Pick up a box"
    for wrong in ("walking", "walk or run", "", "walk, walk backwards"):
        with pytest.raises(AnswerParseError, match="expected one of 'walk', 'Pick up a box'"):
            read_label(wrong, actions)
