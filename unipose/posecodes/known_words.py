"""Which words the readers of texts and the named poses know: of no other is anything understood."""

from __future__ import annotations

import re
from functools import cache

from unipose.posecodes.change_reader import change_lexicon
from unipose.posecodes.lexicon import statement_lexicon, words
from unipose.posecodes.named_poses import NamedPoses


@cache
def known_words() -> frozenset[str]:
    """Return all words of statements, changes, and the names and wordings of named poses."""
    named = NamedPoses.load().poses_by_name.values()
    texts = [said for pose in named for said in (pose.name, *pose.train, *pose.test)]
    said = {word for text in texts for word in words(text) if word.isalpha()}
    return statement_lexicon().words | change_lexicon().words | said


@cache
def _taught() -> frozenset[str]:
    """Return the words that models learned of poses, and what is left of them without endings."""
    named = NamedPoses.load().poses_by_name.values()
    said = {word for pose in named for text in (pose.name, *pose.train) for word in words(text)}
    taught = statement_lexicon().words | change_lexicon().words | said
    return taught | {_stem(word) for word in taught}


def has_known_word(text: str) -> bool:
    """Return whether a text has a word that is known."""
    return not known_words().isdisjoint(words(text))


def untaught_words(text: str) -> list[str]:
    """Return the words of a text that no model learned in any form, in their order."""
    said = dict.fromkeys(word for word in words(text) if word.isalpha())
    return [word for word in said if _taught().isdisjoint((word, _stem(word)))]


def _stem(word: str) -> str:
    """Return a word without the ending of its form: "dives", "diving" and "dived" are "div"."""
    stem = re.sub(r"(?<=..)(ing|ed|es|s|e)$", "", word)
    return re.sub(r"([^aeiouls])\1$", r"\1", stem)
