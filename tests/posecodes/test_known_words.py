"""Words that are known, and texts without any."""

from __future__ import annotations

import pytest

from unipose.posecodes.known_words import has_known_word, untaught_words
from unipose.posecodes.named_poses import NamedPoses


@pytest.mark.parametrize(
    "text", ["asdf qwerty", "blorp frungle", "!!!", "123", "人が立っている", ""]
)
def test_nothing_is_known_of_a_text_of_other_words(text):
    assert not has_known_word(text)


@pytest.mark.parametrize("text", ["T-pose", "RAISE IT", "someone with bent knees", "tree pose"])
def test_one_known_word_is_enough(text):
    assert has_known_word(text)


def test_every_wording_of_a_named_pose_is_known():
    named = NamedPoses.load()
    texts = [t for n in named.names for s in ("train", "test") for t in named.wordings(n, s)]
    assert [text for text in texts if not has_known_word(text)] == []


@pytest.mark.parametrize(
    ("text", "untaught"),
    [
        ("The stock market fell on the left", ["stock", "market", "fell"]),
        ("Quarterly revenue, quarterly!", ["quarterly", "revenue"]),
        ("somebody dives", []),  # "dive" was taught, in this form or another
        ("someone reached upward while running", []),
        ("an andalusian dancer", ["andalusian"]),  # of a wording that is held out
        ("raise it by 30 degrees", []),
    ],
)
def test_a_word_is_untaught_where_no_form_of_it_was_learned(text: str, untaught: list[str]):
    assert untaught_words(text) == untaught
