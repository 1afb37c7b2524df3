"""A text becomes a row of known phrases, by the longest match in the tables of phrases.py."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from unipose.posecodes import phrases
from unipose.posecodes.position_phrases import POSITION_WORDS, POSITION_WORDS_ALSO

DROPPED = frozenset(
    ("the", "a", "an", "his", "her", "their", "your", "its", "both", "my", "our", "this", "that")
)
"""Words that say nothing here; a plural noun already means both sides."""
FILLING = (
    "is", "are", "be", "being", "been", "was", "were", "held", "kept", "placed", "positioned",
    "remains", "stays", "has", "have", "having", "keeps", "keep", "holds", "it is", "they are",
    "also", "there", "so that", "themselves", "who", "which", "should", "must", "now", "here",
    "at the waist", "from the waist", "from the hips", "position", "pose", "seems to be",
    "appears to be", "appear to be", "still", "roughly", "please", "just",
)  # fmt: skip
LINKS = ("and", "while", "with", "then", "whereas", "but", "as", "plus", "along with", "whilst")
NEGATIONS = (
    "not", "never", "no", "without", "isn't", "aren't", "nor", "neither", "don't", "cannot",
    "doesn't", "can't",
)  # fmt: skip
PRONOUNS = ("it", "they")
SIDE_WORDS = ("left", "right", "other", "opposite")

_WORD = re.compile(r"[a-z0-9']+|[.,;:!?]")
_STOPS = frozenset(".;:!?")


@dataclass(frozen=True)
class Token:
    """One phrase of a text with everything it may mean: pairs (kind, name)."""

    text: str
    meanings: tuple[tuple[str, str], ...]

    def get(self, kind: str) -> str | None:
        """Return the name under which the token is of `kind`, if it is."""
        return next((name for own, name in self.meanings if own == kind), None)


def token_text(tokens: Iterable[Token]) -> str:
    """Return tokens as one text again, without the words that say nothing."""
    return " ".join(token.text for token in tokens)


def words(text: str) -> list[str]:
    """Return the words and stops of a text, lower case, without those that say nothing."""
    text = text.lower().replace("’", "'").replace("-", " ").replace("°", " degrees ")
    return [word for word in _WORD.findall(text) if word not in DROPPED]


class Lexicon:
    """Phrases by their first word, the longest first."""

    def __init__(self, entries: Iterable[tuple[str, str, str]]) -> None:
        meanings: dict[tuple[str, ...], list[tuple[str, str]]] = {}
        for phrase, kind, name in entries:
            known = meanings.setdefault(tuple(words(phrase)), [])
            if (kind, name) not in known:
                known.append((kind, name))
        self._by_first: dict[str, list[tuple[tuple[str, ...], tuple[tuple[str, str], ...]]]] = {}
        for row, found in sorted(meanings.items(), key=lambda item: -len(item[0])):
            if row:
                self._by_first.setdefault(row[0], []).append((row, tuple(found)))

    @property
    def words(self) -> frozenset[str]:
        """All words of its phrases."""
        return frozenset(
            word for rows in self._by_first.values() for row, _ in rows for word in row
        )

    def sentences(self, text: str) -> list[list[Token]]:
        """Return each sentence as its tokens; an unknown word is a token without a meaning."""
        found: list[list[Token]] = [[]]
        row, at = words(text), 0
        while at < len(row):
            word = row[at]
            if word in _STOPS:
                found.append([])
                at += 1
                continue
            for phrase, meanings in self._by_first.get(word, ()):
                if tuple(row[at : at + len(phrase)]) == phrase:
                    found[-1].append(Token(" ".join(phrase), meanings))
                    at += len(phrase)
                    break
            else:
                found[-1].append(Token(word, (("link", ","),) if word == "," else ()))
                at += 1
        return [sentence for sentence in found if sentence]


def part_entries() -> list[tuple[str, str, str]]:
    """Return the names of parts, one and many, sides, and words for the person."""
    found = []
    for table in (phrases.PART_WORDS, phrases.PART_WORDS_ALSO):
        for part, names in table.items():
            for name in names:
                found.append((name, "part", part))
                many = phrases.PLURALS.get(name, name + "s")
                if part not in ("torso", "head", "neck", "waist", "pelvis"):
                    kind = "parts" if name not in ("fingers", "toes") else "part"
                    found.append((many, kind, part))
    found += [(word, "side", word) for word in SIDE_WORDS]
    found += [(word, "person", word) for word in (*phrases.PERSON, *phrases.PERSON_ALSO)]
    return found


def word_entries() -> list[tuple[str, str, str]]:
    """Return links, fillers, negations and pronouns."""
    found = [(word, "fill", word) for word in (*FILLING, *phrases.TARGETS)]
    found += [(word, "link", word) for word in LINKS]
    found += [(word, "not", word) for word in NEGATIONS]
    found += [(word, "pronoun", word) for word in PRONOUNS]
    found += [("each", "each", "each")]
    return found


def _table(kind: str, *tables: dict[str, tuple[str, ...]]) -> list[tuple[str, str, str]]:
    return [
        (phrase.replace("{o}", "").replace("{d}", ""), kind, name)
        for table in tables
        for name, said in table.items()
        for phrase in said
    ]


@cache
def statement_lexicon() -> Lexicon:
    """Return the phrases of descriptions."""
    limbs = _table("limb", phrases.LIMBS, phrases.LIMBS_ALSO)
    limbs += [
        (phrase.replace("{d} hip", "hips").replace("{d} side", "sides"), "limb", name)
        for name, said in phrases.LIMBS.items()
        for phrase in said
    ]
    positions = [
        (phrase, "position", f"{part} {relation}")
        for table in (POSITION_WORDS, POSITION_WORDS_ALSO)
        for (part, relation), said in table.items()
        for phrase in said
    ]
    return Lexicon(
        part_entries()
        + word_entries()
        + positions  # before the body's: a head that leans to the left is no body that does
        + _table("body", phrases.BODY, phrases.BODY_ALSO)
        + limbs
        + _table("pair", phrases.PAIR, phrases.PAIR_ALSO)
        + _table("unary", phrases.UNARY, phrases.UNARY_ALSO)
        + _table("binary", phrases.BINARY, phrases.BINARY_ALSO)
    )
