"""Instructions in few words: changes merged limb by limb and side by side, largest first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from data_builders.posecodes.keyed_random import KeyedRandom
from unipose.posecodes import phrases
from unipose.posecodes.changes import Change
from unipose.posecodes.facts import ARM_AND_LEG, PLACE_LIMBS, atoms, noun, plural
from unipose.posecodes.reader import read_change_text

WHOLE_TURNS = frozenset({"whole_left", "whole_right", "around"})
"""Changes that turn the whole body in the world; a sentence of its own says them."""
_WEIGHT = {"slight": 1.0, "any": 1.6, "medium": 2.0, "quarter": 2.0, "far": 3.0, "much": 3.0}
_MOVES = tuple(phrases.DIRECTIONS)
_NAMED = re.compile(r"\{d\} (?:left|right) (?:upper )?\w+|both \w+")


@dataclass(frozen=True)
class Clause:
    """One thing to do with one part or a pair of parts."""

    subject: str
    """Key such as "left_arm", "hands" or "body"."""
    action: str
    size: str
    weight: float
    other: str | None = None
    change: Change | None = None
    """The state to reach, if it is one."""


def clauses_of(text: str, changes: Sequence[Change]) -> tuple[list[str], list[Clause]]:
    """Return the text's own sentences that turn the whole body, and clauses for all the rest."""
    turns = []
    for sentence in text.replace("!", ".").split("."):
        said = read_change_text(sentence).changes
        if said and all(change.action in WHOLE_TURNS for change in said):
            turns.append(sentence.strip())
    rest = [change for change in changes if change.action not in WHOLE_TURNS]
    return turns[:1], sorted(_merged(rest), key=_place)


def _merged(changes: Sequence[Change]) -> list[Clause]:
    found = {
        (c.part, c.action, c.other): Clause(c.part, c.action, c.size, _weight(c), c.other)
        for c in changes
        if c.target is None
    }
    for side in ("left", "right"):
        for limb, (inner, outer) in PLACE_LIMBS.items():
            for action in _MOVES:
                keys = tuple((f"{side}_{part}", action, None) for part in (inner, outer))
                _join(found, keys, f"{side}_{limb}")
    for subject, action, other in list(found):
        if not subject.startswith("left_") or other not in (None, "torso"):
            continue
        keys = ((subject, action, other), ("right" + subject[4:], action, other))
        _join(found, keys, plural(subject[5:]))
    straightened = {c.part for c in changes if c.action == "straighten"}
    reached = [
        Clause(c.part, "reach", "any", 1.5, None, c)
        for c in changes
        if c.target and not (c.target.relation == "straight" and c.target.first in straightened)
    ]
    return [*found.values(), *reached]


def _join(
    found: dict[tuple[str, str, str | None], Clause],
    keys: tuple[tuple[str, str, str | None], ...],
    subject: str,
) -> None:
    """Put two clauses under one subject; where sizes differ, the size is left open."""
    if not all(key in found for key in keys):
        return
    one, two = (found.pop(key) for key in keys)
    size = one.size if one.size == two.size else "any"
    weight = max(one.weight, two.weight) + 0.5
    found[subject, one.action, one.other] = Clause(subject, one.action, size, weight, one.other)


def _weight(change: Change) -> float:
    weight = _WEIGHT[change.size]
    if change.part == "body":
        return weight + 2.0
    if change.part.endswith("shoulder"):
        return weight / 2  # follows from the body or the arm
    return weight


def _place(clause: Clause) -> tuple[int, str]:
    if clause.subject == "body":
        return 0, ""
    part = clause.subject.rpartition("_")[2]
    arms = ("shoulder", "elbow", "hand", "arm")
    return (1 if part.rstrip("s") in arms else 2), clause.subject


def change_sentences(turns: Sequence[str], clauses: Sequence[Clause], random: KeyedRandom) -> str:
    """Return an instruction: turns of the whole body, then movements, then states to reach."""
    determiner = random.pick(("your", "your", "the"))
    moved = [_moves(row, random) for row in _by_subject(clauses)]
    sentences = list(turns)
    for start in range(0, len(moved), 3):
        some = _with_pronouns(moved[start : start + 3])
        last = some.pop()
        sentences.append(f"{', '.join(some)}, then {last}" if some else last)
    sentences += [_reached(clause, random) for clause in clauses if clause.change is not None]
    return " ".join(
        one[0].upper() + one[1:] + "."
        for one in (s.replace("{d}", determiner) for s in sentences)
        if one
    )


def _with_pronouns(moved: Sequence[str]) -> list[str]:
    """Return the clauses of a sentence with "it" or "them" for a part just named.

    ["raise {d} left arm", "straighten {d} left arm"] -> ["raise {d} left arm", "straighten it"]
    """
    found, last = [], ""
    for words in moved:
        named = _NAMED.search(words)
        one = named.group() if named else ""
        again = one and one == last
        found.append(
            words.replace(one, "them" if one.startswith("both") else "it") if again else words
        )
        last = one
    return found


def _by_subject(clauses: Sequence[Clause]) -> list[list[Clause]]:
    """Return the clauses in rows: directions of one subject together, all else alone."""
    rows: dict[tuple[str, str], list[Clause]] = {}
    for i, clause in enumerate(clauses):
        if clause.change is None:
            key = (clause.subject, "" if clause.action in _MOVES else str(i))
            rows.setdefault(key, []).append(clause)
    return list(rows.values())


def _moves(row: Sequence[Clause], random: KeyedRandom) -> str:
    first = row[0]
    if first.action not in _MOVES:
        return _other(first, random)
    who = _named(first.subject)
    if len(row) == 1 and first.action in ("up", "down"):
        size = {"slight": "slightly", "much": "a lot"}.get(first.size, "")
        return " ".join(f"{random.pick(phrases.VERBS[first.action])} {who} {size}".split())
    size = {"slight": "slightly ", "much": "far "}
    ways = [size.get(one.size, "") + phrases.DIRECTIONS[one.action][0] for one in row]
    joined = ways[0] if len(ways) == 1 else ", ".join(ways[:-1]) + " and " + ways[-1]
    return f"{random.pick(phrases.VERBS['move'][:2])} {who} {joined}"


def _other(clause: Clause, random: KeyedRandom) -> str:
    """Return the words for an angle, a distance, or the whole body."""
    if clause.subject == "body":
        verb, _, way = clause.action.partition("_")
        whole = "" if verb == "lean" else "{d} upper body"
        size = {"slight": "slightly", "much": "far"}.get(clause.size, "")
        return " ".join(f"{verb} {whole} {size} {phrases.DIRECTIONS[way][0]}".split())
    size = {"slight": "slightly", "much": "a lot"}.get(clause.size, "")
    if clause.other == "torso":
        words = phrases.TOWARD[clause.action][0].replace("{o}", "{d} torso")
        return f"bring {_named(clause.subject)} {words}"
    if clause.other is not None:
        together = phrases.TOGETHER[clause.action][0]
        return " ".join(f"bring both {plural(clause.subject.split('_')[1])} {together}".split())
    verb = random.pick(phrases.VERBS[clause.action][:1])
    return " ".join(f"{verb} {_named(_limb(clause.subject))} {size}".split())


def _limb(subject: str) -> str:
    """Return the limb whose joint bends: "left_elbow" -> "left_arm", "knees" -> "legs"."""
    for joint, limb in ARM_AND_LEG.items():
        if joint in subject:
            return subject.replace(joint, limb) if "_" in subject else plural(limb)
    return subject


def _named(subject: str) -> str:
    return "{d} " + noun(subject) if "_" in subject else f"both {subject}"


def _reached(clause: Clause, random: KeyedRandom) -> str:
    assert clause.change is not None
    for fact in atoms():
        if fact.members[0] == clause.change.target:
            view = random.pick(fact.views)
            many = "_" not in view.subject
            return (
                f"{_named(view.subject)} {'should be' if many else random.pick(phrases.TARGETS)} "
                f"{random.pick(view.predicates)}"
            )
    return ""
