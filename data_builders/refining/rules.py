"""The refiner that is always at hand: rules that shorten what a text says, in words we can read.

A text is read into statements, what follows from others is left out, what one phrase can say is
put together, and the most notable things are worded until the room is used up. Every text is
read again while it grows, so it never says anything that its draft does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from data_builders.posecodes.keyed_random import KeyedRandom, keys
from data_builders.refining.change_rules import change_sentences, clauses_of
from data_builders.refining.checking import StatementIntervals, check
from data_builders.refining.draft import MOST_WORDS, Draft
from unipose.posecodes import phrases
from unipose.posecodes.facts import (
    Fact,
    FactWording,
    atoms,
    extra_atoms,
    merged,
    noun,
    plural,
    t_pose,
)
from unipose.posecodes.positions import GROUPS
from unipose.posecodes.reader import read, read_change_text
from unipose.posecodes.statements import Statement, state

MOST_FACTS = 6
"""A refined text says at most this many things."""
PLAINEST = 3
"""Only the first, plainest wordings of each meaning are used."""
_PERSON = ("the person", "someone", "this person", "a person")
_DETERMINERS = ("the", "their", "their")


def refine_by_rules(draft: Draft, *, seed: int) -> str:
    """Return the draft's short version; "" if nothing in it could be read.

    Depends on the draft's text and `seed` alone.
    """
    digest = hashlib.blake2b(draft.text.encode(), digest_size=7).digest()
    key = int(keys(seed, [int.from_bytes(digest, "little")])[0])
    if draft.kind == "change":
        return _shorten_change(draft, key)
    return summarise_pose(read(draft.text).statements, key=key)


def summarise_pose(said: Sequence[Statement], *, key: int, most_words: int = MOST_WORDS) -> str:
    """Return one or two sentences that say the most notable of some statements; "" for none."""
    known = StatementIntervals(said)
    facts = sorted(group(without_what_follows(said)), key=_weight, reverse=True)
    chosen: list[Fact] = []
    best = ""
    for fact in facts:
        text = word_pose([*chosen, fact], KeyedRandom(key))
        if len(text.split()) > most_words or not _says_only(text, known):
            continue
        chosen.append(fact)
        best = text
        if len(chosen) == MOST_FACTS:
            break
    return best


def _weight(fact: Fact) -> float:
    """Return how early a fact gets its place; what the whole body does comes first."""
    return fact.weight + (4.0 if fact.members[0].first == "body" else 0.0)


def _says_only(text: str, known: StatementIntervals) -> bool:
    reading = read(text)
    return not reading.unread and all(known.implies(said) for said in reading.statements)


_FOLLOWS: tuple[tuple[str, str], ...] = (
    ("~hand above head", "~hand above neck"),
    ("~hand above head", "~hand above ~shoulder"),
    ("~hand above neck", "~hand above ~shoulder"),
    ("~hand at_side ~hip", "~hand below ~hip"),
    ("~thigh vertical, ~shin vertical", "~knee straight"),
    ("~upperarm vertical, ~forearm vertical", "~elbow straight"),
    ("left_hand at_right right_hand", "~hand at_! ~shoulder"),
    ("left_foot at_right right_foot", "~foot at_! ~hip"),
    ("body kneeling", "body kneeling_on_~"),
    ("body kneeling", "~knee completely_bent"),
    ("body kneeling", "~foot behind torso"),
    ("body kneeling", "~thigh vertical"),
    ("body kneeling", "~shin horizontal"),
    ("body kneeling", "body squatting"),
    ("body squatting", "~knee completely_bent"),
    ("body squatting", "~knee bent_more"),
    ("body sitting", "~thigh horizontal"),
    ("body sitting", "~foot front torso"),
    ("body standing", "torso vertical"),
    ("body lunging_on_~", "~foot front !foot"),
    ("body lunging_on_~", "~knee front !knee"),
    ("body lunging_on_~", "~foot front torso"),
    ("body lunging_on_~", "!foot behind torso"),
    ("body lunging_on_~", "left_foot wide right_foot"),
    ("body torso_horizontal, body bent_forward", "body torso_horizontal"),
)
"""What the first ones make idle to say; "~" is one side, "!" the other."""


def _made(words: str, side: str, other: str) -> Statement:
    first, relation, *second = words.split()
    row = [part.replace("~", f"{side}_").replace("!", f"{other}_") for part in (first, *second)]
    relation = relation.replace("~", side).replace("!", other)
    return state(row[0], relation, row[1] if second else None)


def without_what_follows(said: Sequence[Statement]) -> list[Statement]:
    """Return the statements without those that others of them make idle to say."""
    kept = dict.fromkeys(said)
    idle: set[Statement] = set()
    for reasons, dropped in _FOLLOWS:
        for side, other in (("left", "right"), ("right", "left")):
            if all(_made(reason, side, other) in kept for reason in reasons.split(", ")):
                idle.add(_made(dropped, side, other))
    if all(one in kept for one in t_pose()):
        wide = state("left_elbow", "wide", "right_elbow")
        idle |= {wide} | {
            one
            for side in ("left", "right")
            for one in (
                state(f"{side}_forearm", "horizontal"),
                state(f"{side}_hand", "out_side", f"{side}_shoulder"),
            )
        }
    left = [one for one in kept if one not in idle]
    for one in tuple(left):  # one by one: of two that say the same, one stays
        rest = [other for other in left if other != one]
        if len(one.recipes) == 1 and StatementIntervals(rest).implies(one):
            left = rest
    return left


def group(said: Sequence[Statement]) -> list[Fact]:
    """Return facts that cover the statements, several at once where one phrase can say them."""
    left = dict.fromkeys(said)
    found: list[Fact] = []
    extra = extra_atoms(frozenset(GROUPS))
    single = {fact.members[0]: fact for fact in (*atoms(), *extra)}
    for fact in (*merged(), *_bent_pairs()):
        if all(member in left for member in fact.members):
            found.append(fact)
            for member in fact.members:
                del left[member]
    for one in left:
        if one in single:
            found.append(single[one])
        elif one.relation == "bent":
            found.append(Fact((one,), (FactWording(one.first, ("bent",)),), 1.5))
    return found


def _bent_pairs() -> list[Fact]:
    """Return the facts that both elbows or both knees are bent, who knows how much."""
    return [
        Fact(
            (state(f"left_{joint}", "bent"), state(f"right_{joint}", "bent")),
            (FactWording(plural(joint), ("bent",)),),
            2.5,
        )
        for joint in ("elbow", "knee")
    ]


def word_pose(facts: Sequence[Fact], random: KeyedRandom) -> str:
    """Return the facts in one to three sentences: the whole body first, then arms, then legs."""
    who, determiner = random.pick(_PERSON), random.pick(_DETERMINERS)
    by_subject: dict[str, list[str]] = {}
    for fact in facts:
        # "across the body" rather than "to the right of the left shoulder"
        beside = fact.members[0].relation in ("at_left", "at_right")
        view = fact.views[-1] if beside else random.pick(fact.views)
        by_subject.setdefault(view.subject, []).append(random.pick(view.predicates[:PLAINEST]))
    body = by_subject.pop("body", [])
    rows = sorted(by_subject.items(), key=lambda item: _place(item[0]))
    clauses = [(_subject(subject), subject, _listed(said)) for subject, said in rows]
    room = 2 if body else 3
    first = [f"{words} {said}" for words, _, said in clauses[:room]]
    sentences = []
    if body and first:
        sentences.append(f"{who} is {_listed(body)} with {_listed(first)}")
    elif body:
        sentences.append(f"{who} is {_listed(body)}")
    elif first:
        sentences.append(f"{who} has {_listed(first)}")
    rest = [f"{words} {_be(subject)} {said}" for words, subject, said in clauses[room:]]
    for start in range(0, len(rest), 2):
        sentences.append(" while ".join(rest[start : start + 2]))
    return " ".join(
        one[0].upper() + one[1:] + "." for one in (s.replace("{d}", determiner) for s in sentences)
    )


_ARMS = ("shoulder", "upperarm", "arm", "elbow", "forearm", "hand")


def _place(subject: str) -> tuple[int, str]:
    """Return where a subject stands in the walk over the body."""
    if subject in ("torso", "head", "neck"):
        return 0, subject
    side, _, part = subject.rpartition("_")
    part = part.removeprefix("each ")
    arms = part in _ARMS or any(part == plural(one) for one in _ARMS)
    return (1 if arms else 2), side


def _subject(subject: str) -> str:
    if subject.startswith("each "):
        return subject
    side, _, part = subject.rpartition("_")
    if side or part in phrases.PART_WORDS:
        return "{d} " + noun(subject)
    return f"both {subject}"


def _be(subject: str) -> str:
    return "are" if _subject(subject).startswith("both ") else "is"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _shorten_change(draft: Draft, key: int) -> str:
    """Return the instruction with its turn of the whole body and its largest changes."""
    reading = read_change_text(draft.text)
    random = KeyedRandom(key)
    if not reading.changes:
        return "" if reading.unread else random.pick(phrases.NOTHING_CHANGES)
    turns, clauses = clauses_of(draft.text, reading.changes)
    chosen: list[int] = []
    best = change_sentences(turns, [], KeyedRandom(key))
    for i in sorted(range(len(clauses)), key=lambda i: -clauses[i].weight):
        rows = [clauses[j] for j in sorted([*chosen, i])]
        text = change_sentences(turns, rows, KeyedRandom(key))
        verdict = check(text, draft)
        if verdict.words > MOST_WORDS or verdict.added or verdict.flipped or verdict.unread:
            continue
        chosen.append(i)
        best = text
        if len(chosen) == MOST_FACTS:
            break
    return best
