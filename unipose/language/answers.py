"""Answers that are no prose: a table of contacts, a word out of a list. Read strictly.

A table, of one person who holds a hand on a thigh, and of two people hand in hand:

    | part | touches |              | first person | second person |
    | --- | --- |                   | --- | --- |
    | left hand | left thigh |      | right hand | left hand |

The names are `unipose.body.regions.REGIONS`. Without contacts the table ends after two lines. What
is not such a table is an error that tells the text: nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from unipose.body.regions import REGIONS
from unipose.errors import AnswerParseError

HEADS = {1: ("part", "touches"), 2: ("first person", "second person")}
"""Number of people -> head of the table."""

Pair = tuple[str, str]


def write_contacts(pairs: Iterable[Pair], *, people: int = 1) -> str:
    """Return the table of touching regions, each pair once, in the order of REGIONS.

    For one person the order within a pair does not matter; of two people the first comes first.
    """
    places = {(REGIONS.index(a), REGIONS.index(b)) for a, b in pairs}
    if people == 1:
        places = {(min(a, b), max(a, b)) for a, b in places}
    rows = [HEADS[people], ("---", "---")]
    rows += [(REGIONS[a], REGIONS[b]) for a, b in sorted(places)]
    return "\n".join(f"| {a} | {b} |" for a, b in rows)


def read_contacts(text: str, *, people: int = 1) -> list[Pair]:
    """Return the pairs of a table that `write_contacts` could have written.

    Raises AnswerParseError: no table, another head or number of columns, an unknown body part, a
    part that touches itself, or a pair that is there twice.
    """
    rows = [_cells(line, text) for line in text.strip().splitlines()]
    head = HEADS[people]
    if rows[:2] != [head, ("---", "---")]:
        raise AnswerParseError(
            f'expected a table with the head "| {head[0]} | {head[1]} |", got {_told(text)}'
        )
    pairs: list[Pair] = []
    for a, b in rows[2:]:
        unknown = next((part for part in (a, b) if part not in REGIONS), None)
        if unknown is not None:
            raise AnswerParseError(f"{unknown!r} is no body part that we know, in {_told(text)}")
        if people == 1 and a == b:
            raise AnswerParseError(f"{a!r} is said to touch itself, in {_told(text)}")
        if (a, b) in pairs or (people == 1 and (b, a) in pairs):
            raise AnswerParseError(f"{a!r} and {b!r} are there twice, in {_told(text)}")
        pairs.append((a, b))
    return pairs


def read_label(text: str, actions: Sequence[str]) -> str:
    """Return the action that the answer is, as it stands in the list.

    Upper case and a full stop do not count. Raises AnswerParseError for anything else.
    """
    said = plain(text)
    for action in actions:
        if plain(action) == said:
            return action
    known = ", ".join(repr(action) for action in actions[:10])
    raise AnswerParseError(f"expected one of {known}, got {_told(text)}")


def _cells(line: str, text: str) -> Pair:
    inner = line.strip()
    cells = [cell.strip() for cell in inner.strip("|").split("|")]
    if not (inner.startswith("|") and inner.endswith("|") and len(cells) == 2):
        raise AnswerParseError(f"expected rows of two cells, got {line[:60]!r} in {_told(text)}")
    return cells[0], cells[1]


def plain(text: str) -> str:
    """Return a short answer without what does not count: upper case, quotes, a full stop."""
    return " ".join(text.split()).strip(' ."').casefold()


def _told(text: str) -> str:
    return repr(text[:200]) if text.strip() else "nothing"
