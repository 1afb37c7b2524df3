"""Tables of touching parts, read tolerantly out of any model's answer. Pairs are data, never code.

The last table of an answer counts. Whatever is left out is counted with its reason:

    | Person 1 | Person 2 |
    | --- | --- |
    | left hand | shoulder |       ("hand", "shoulder (back)/shoulder (front)")
    | Hands | back |              ("hand", "back") twice: both hands
    | sofa | butt |               left out: 'sofa' is no part that was asked for
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from unipose.body.regions import GROUND, RegionSet

Pair = tuple[str, str]
"""Two terms. A term is a word of the vocabulary, or some with "/" between: one or another."""

MOST_PAIRS = 24
"""Of one answer; who names more does not look."""
BETWEEN = "/"

SYNONYMS: dict[str, str] = {
    "abdomen": "stomach", "belly": "stomach", "tummy": "stomach", "waist (front)": "stomach",
    "breast": "chest", "upper chest": "chest",
    "bottom": "butt", "buttock": "butt", "backside": "butt", "hips (back)": "butt",
    "thigh": "leg", "knee": "leg", "shin": "leg", "calf": "leg", "lower leg": "leg",
    "upper leg": "leg", "lap": "leg",
    "forearm": "arm", "upper arm": "arm", "elbow": "arm", "lower arm": "arm",
    "wrist": "hand", "palm": "hand", "finger": "hand", "fist": "hand",
    "ankle": "foot", "toe": "foot", "heel": "foot", "sole": "foot",
    "face": "head", "forehead": "head", "cheek": "head", "hair": "head", "chin": "head",
    "upper back": "back", "lower back": "waist (back)/back", "mid back": "back", "spine": "back",
    "waist (back)": "back", "waist": "waist (back)/waist (front)/stomach",
    "hip": "waist (front)/waist (back)/butt",
    "shoulder": "shoulder (back)/shoulder (front)", "shoulder (back)": "shoulder",
    "shoulder (front)": "shoulder", "floor": GROUND, "mat": GROUND, "earth": GROUND,
}  # fmt: skip
"""What people call parts -> words, of which those count that the vocabulary has."""
_PLURALS = {"feet": "foot", "thighs": "thigh", "calves": "calf"}
_NOISE = re.compile(
    r"\b(?:left|right|person|the|his|her|their|of|both|two|a|[12]|one)\b|'s\b|[*`_\"]"
)
_TWO_OF = re.compile(r"\b(?:both|two)\b")
_RULE = re.compile(r"[\s|:\-–—=]+")


@dataclass(frozen=True, kw_only=True)
class ReadTable:
    """What one answer says."""

    pairs: tuple[Pair, ...]
    dropped: tuple[str, ...] = ()
    """Why lines were left out, one reason each."""


def read_table(text: str, vocabulary: RegionSet, *, people: int) -> ReadTable:
    """Return the pairs of the last table in an answer; an answer without one has none."""
    pairs: list[Pair] = []
    dropped: list[str] = []
    for line in _last_table(text, vocabulary):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0].rstrip(".").isdecimal():  # numbered lines
            cells = cells[1:]
        if len(cells) < 2:
            dropped.append("fewer than two cells")
            continue
        terms = [_terms(cell, vocabulary) for cell in cells[:2]]
        unknown = [cell for cell, found in zip(cells, terms) if not found]
        if unknown:
            dropped.append(f"{unknown[0][:40]!r} is no part that was asked for")
            continue
        for pair in _mentions(*terms):
            reason = _refusal(pair, pairs, vocabulary, people)
            if reason:
                dropped.append(reason)
            else:
                pairs.append(pair)
    return ReadTable(pairs=tuple(pairs), dropped=tuple(dropped))


def write_table(pairs: Iterable[Pair], *, people: int) -> str:
    """Return a table as it is asked for, which `read_table` reads back."""
    heads = ("Part", "Touches") if people == 1 else ("Person 1", "Person 2")
    return "\n".join(f"| {a} | {b} |" for a, b in [heads, ("---", "---"), *pairs])


def is_paired(term: str, vocabulary: RegionSet) -> bool:
    """Return whether a term's parts are there on the left and on the right."""
    return all(len(vocabulary.sides_of(word)) == 2 for word in term.split(BETWEEN))


def _last_table(text: str, vocabulary: RegionSet) -> list[str]:
    """Return the lines below the head of the last table; blank lines do not end one."""
    tables: list[list[str]] = []
    inside = ruled = False
    for line in text.splitlines():
        if "|" in line and _RULE.fullmatch(line):  # what stands above it is the head
            tables = [*(tables[:-1] if inside else tables), []]
            inside = ruled = True
        elif "|" in line:
            if not inside:
                tables.append([])
                inside, ruled = True, False
            tables[-1].append(line)
        elif line.strip():
            inside = False
    table = tables[-1] if tables else []
    cells = table[0].strip(" |").split("|") if table else []
    headed = not ruled and not any(_terms(cell, vocabulary) for cell in cells)
    return table[1:] if headed else table


def _terms(cell: str, vocabulary: RegionSet) -> list[str]:
    """Return the term of a cell once, or twice where both sides are meant; none if unknown."""
    low = cell.lower().replace("front of", "(front)").replace("back of", "(back)")
    twice = bool(_TWO_OF.search(low))
    words: list[str] = []
    for part in re.split(r"/|\bor\b", low):
        word = " ".join(_NOISE.sub(" ", part).split()).strip(" .,;:-")
        known = _known(word, vocabulary)
        if not known:
            single = _singular(word)
            known = _known(single, vocabulary)
            twice |= bool(known)
        words += [one for one in known if one not in words]
    if not words:
        return []
    term = BETWEEN.join(words)
    return [term, term] if twice and is_paired(term, vocabulary) else [term]


def _known(word: str, vocabulary: RegionSet) -> list[str]:
    if word in vocabulary.parts:
        return [word]
    found = SYNONYMS.get(word, "").split(BETWEEN)
    return [one for one in found if one in vocabulary.parts]


def _singular(word: str) -> str:
    for plural, single in _PLURALS.items():
        word = re.sub(rf"\b{plural}\b", single, word)
    return re.sub(r"(?<=[a-z])s(?=$| \()", "", word)


def _mentions(first: Sequence[str], second: Sequence[str]) -> list[Pair]:
    """Return a line's pairs: "hands | back" is two, and so is "hands | hands"."""
    count = max(len(first), len(second))
    return [(first[i % len(first)], second[i % len(second)]) for i in range(count)]


def _refusal(pair: Pair, before: Sequence[Pair], vocabulary: RegionSet, people: int) -> str:
    """Return why a pair cannot be taken beside those before it, "" if it can."""
    if len(before) >= MOST_PAIRS:
        return f"more than {MOST_PAIRS} pairs"
    paired = sum(is_paired(term, vocabulary) for term in pair)
    if people == 1 and pair[0] == pair[1] and not paired:
        return f"{pair[0]!r} touches itself"
    if people == 2 and GROUND in pair:
        return "the ground is no part of a person"
    same = Counter(before)[pair] + (Counter(before)[pair[1], pair[0]] if people == 1 else 0)
    if same >= (2 if people == 2 and paired else 1):
        return "the same pair once more"
    return ""


def all_words(pair: Pair) -> list[Pair]:
    """Return the pairs of single words that a pair of terms may mean."""
    first, second = pair
    return list(product(first.split(BETWEEN), second.split(BETWEEN)))
