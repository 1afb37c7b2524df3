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
def _known_stems() -> frozenset[str]:
    return frozenset(_stem(word) for word in known_words())


def has_known_word(text: str) -> bool:
    """Return whether a text has a word that is known."""
    return not known_words().isdisjoint(words(text))


def unknown_words(text: str) -> list[str]:
    """Return the words of a text that are not known in any form, in their order."""
    said = dict.fromkeys(word for word in words(text) if word.isalpha())
    return [w for w in said if w not in known_words() and _stem(w) not in _known_stems()]


def _stem(word: str) -> str:
    """Return a word without the ending of its form: "dives", "diving" and "dived" are "div"."""
    stem = re.sub(r"(?<=..)(ing|ed|es|s|e)$", "", word)
    return re.sub(r"([^aeiouls])\1$", r"\1", stem)
