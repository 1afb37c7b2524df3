"""Who is meant in a picture of several people, and what is said of somebody hardly seen."""

from __future__ import annotations

import pytest

from unipose.assistant.picture_reading import person_meant
from unipose.body.people import PersonInImage
from unipose.errors import PoseQueryError

LEFT, MIDDLE, RIGHT = (
    PersonInImage(box=box, pose=None, detector="test")
    for box in ((0.0, 10.0, 40.0, 90.0), (80.0, 0.0, 130.0, 100.0), (150.0, 20.0, 180.0, 80.0))
)
PEOPLE = [MIDDLE, RIGHT, LEFT]


@pytest.mark.parametrize(
    ("who", "meant"),
    [
        ("the person on the left", LEFT),
        ("the rightmost one", RIGHT),
        ("whoever stands in the CENTRE", MIDDLE),
        ("the nearest", MIDDLE),
        ("the one in the background", RIGHT),
    ],
)
def test_words_of_place_tell_who_is_meant(who: str, meant: PersonInImage):
    assert person_meant(PEOPLE, who, width=200) is meant


@pytest.mark.parametrize("who", ["the banana", "left or right", "the brightest"])
def test_words_that_tell_nobody_are_refused_with_what_would(who: str):
    with pytest.raises(PoseQueryError, match=r"3 people are seen, and '.*' does not tell which"):
        person_meant(PEOPLE, who, width=200)


def test_any_words_mean_the_only_one_there_is():
    assert person_meant([LEFT], "the man in red", width=200) is LEFT
