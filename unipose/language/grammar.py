"""Answers with a form: at each token, what may follow so that a list or a table comes out.

A model that may say anything sometimes says almost a table. Held to a grammar it chooses among the
answers that can be read, by the same likelihoods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache
from itertools import combinations, product
from typing import Protocol, runtime_checkable

from unipose.body.regions import REGIONS
from unipose.language.answers import write_contacts
from unipose.language.vocabulary import Vocabulary


@runtime_checkable
class Grammar(Protocol):
    """Which answers there are."""

    def following(self, said: Sequence[int]) -> Collection[int]:
        """Return the ids that may follow the beginning of an answer; its end is one of them."""
        ...


class OneOf:
    """One of a few texts."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary) -> None:
        self.ways = [[*vocabulary.encode(text), vocabulary.answer_end] for text in texts]

    def following(self, said: Sequence[int]) -> set[int]:
        """Return the next ids of all texts that begin like this."""
        count = len(said)
        return {way[count] for way in self.ways if len(way) > count and way[:count] == list(said)}


class ContactTable:
    """What `write_contacts` writes: each pair of body parts at most once, in one order."""

    HEAD = -1

    def __init__(self, people: int, vocabulary: Vocabulary) -> None:
        pairs = combinations(REGIONS, 2) if people == 1 else product(REGIONS, REGIONS)
        head = write_contacts([], people=people)
        rows = [write_contacts([pair], people=people)[len(head) + 1 :] for pair in pairs]
        self.beginnings: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
        """Beginning of a line -> which line it may be, and how that goes on."""
        self.lines: dict[tuple[int, ...], int] = {}
        """A whole line, with its end -> which it is."""
        for number, text in enumerate([head, *rows], self.HEAD):
            above = "" if number == self.HEAD else head + "\n"  # a tokenizer may look back
            skipped = len(vocabulary.encode(above))
            if number + 1 < len(rows):  # after the last there is nothing left to name
                line = vocabulary.encode(above + text + "\n")[skipped:]
                self.lines[tuple(line)] = number
                self._learn(number, line)
            line = vocabulary.encode(above + text)[skipped:]
            self._learn(number, [*line, vocabulary.answer_end])

    def _learn(self, number: int, line: Sequence[int]) -> None:
        for place, identity in enumerate(line):
            self.beginnings[tuple(line[:place])].append((number, identity))

    def following(self, said: Sequence[int]) -> set[int]:
        """Return the next ids of the head, or of all rows after the last one."""
        line: tuple[int, ...] = ()
        last: int | None = None
        for identity in said:
            line = (*line, identity)
            if line in self.lines:
                last, line = self.lines[line], ()
        return {
            identity
            for number, identity in self.beginnings.get(line, ())
            if (number == self.HEAD if last is None else number > last)
        }


@lru_cache(maxsize=4)
def contact_table(people: int, vocabulary: Vocabulary) -> ContactTable:
    """Return the table of one person's contacts, or of those between two; it is made once."""
    return ContactTable(people, vocabulary)
