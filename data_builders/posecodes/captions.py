"""Poses become sentences: true codes are chosen, merged, put in order and worded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from data_builders.posecodes import dice as chance
from data_builders.posecodes import phrases
from data_builders.posecodes.dice import Dice
from data_builders.posecodes.facts import Fact, View, atoms, merged, plural
from data_builders.posecodes.measure import Measured
from data_builders.posecodes.statements import Statement, state

Style = Literal["plain", "full", "short"]

SKIP = 0.15
"""Share of the ordinary codes that a caption leaves out at random."""
MERGE = 0.95
"""How often what can be said together is."""
RARE = 2.5
"""Codes of this weight or more are never left out at random."""

_DETERMINERS = ("the",) * 5 + ("their",) * 3 + ("his", "her")
_BODY_PARTS = ("torso", "neck", "shoulder", "upperarm", "arm", "elbow", "forearm", "hand", "leg")
_BODY_PARTS += ("thigh", "knee", "shin", "foot")
_ARMS = frozenset(("shoulder", "upperarm", "arm", "elbow", "forearm", "hand"))
_PLURAL_OF = {plural(part): part for part in (*_BODY_PARTS, "hip", "ankle") if part != "neck"}


def _group(*statements: Statement) -> int:
    """Return the bits of statements in a table of true atoms."""
    at = {fact.members[0]: i for i, fact in enumerate(atoms())}
    return sum(1 << at[said] for said in statements)


_TOGETHER = (*phrases.PAIR.values(), phrases.LIMBS["crossed"])
"""Said of two parts at once, so never of the parts of two clauses."""


class _Spoken:
    """A fact ready for writing: bits, views with their place in the walk over the body."""

    __slots__ = ("atoms", "bits", "rare", "views", "weight")

    def __init__(self, fact: Fact) -> None:
        self.bits = _group(*fact.members)
        self.atoms = len(fact.members)
        self.weight = fact.weight
        self.rare = fact.weight >= RARE
        self.views = tuple(_Line(view) for view in fact.views)


class _Line:
    """A view with what the writer needs to know about its subject."""

    __slots__ = ("limb", "many", "place", "predicates", "shared", "side", "subject", "words")

    def __init__(self, view: View) -> None:
        self.subject, self.predicates = view.subject, view.predicates
        side, _, part = view.subject.rpartition("_")
        each = view.subject.startswith("each ")
        self.many = view.subject in _PLURAL_OF
        part = "hand" if each else _PLURAL_OF.get(view.subject, part)
        self.side = 1 + ("left", "right").index(side) if side else 0
        self.limb = 0 if part in ("body", "torso", "neck") else 1 if part in _ARMS else 2
        self.place = -1 if part == "body" else _BODY_PARTS.index(part)
        self.shared = part != "body" and view.predicates not in _TOGETHER
        if view.subject == "body":
            self.words: tuple[str, ...] = phrases.PERSON
        elif each:
            self.words = (view.subject,)
        elif self.many:
            self.words = (f"both {view.subject}", f"{{d}} {view.subject}")
        else:
            self.words = tuple(
                f"{{d}} {side} {w}".replace("  ", " ") for w in phrases.PART_WORDS[part]
            )


class _Table:
    """Everything that is the same for all captions."""

    def __init__(self) -> None:
        self.facts = atoms()
        self.atoms = tuple(_Spoken(fact) for fact in self.facts)
        self.merged = tuple(_Spoken(fact) for fact in merged())
        self.ordinary = np.array([not spoken.rare for spoken in self.atoms])
        self.implied = tuple(
            (_group(*reasons), ~_group(dropped)) for reasons, dropped in _implications()
        )


def _implications() -> list[tuple[tuple[Statement, ...], Statement]]:
    """Return our own rules: what the first ones say makes the last one idle."""
    rules: list[tuple[tuple[Statement, ...], Statement]] = []
    kneeling = state("body", "kneeling")
    for side in ("left", "right"):
        hand, hip = f"{side}_hand", f"{side}_hip"
        head, neck = state(hand, "above", "head"), state(hand, "above", "neck")
        shoulder = state(hand, "above", f"{side}_shoulder")
        rules += [((head,), neck), ((head,), shoulder), ((neck,), shoulder)]
        rules += [((state(hand, "at_side", hip),), state(hand, "below", hip))]
        rules += [((kneeling,), state("body", f"kneeling_on_{side}"))]
        rules += [((kneeling,), state(f"{side}_knee", "completely_bent"))]
        rules += [((kneeling,), state(f"{side}_foot", "behind", "torso"))]
    rules += [((kneeling,), state("body", "squatting"))]
    return rules


@cache
def _table() -> _Table:
    return _Table()


def true_atoms(measured: Measured) -> Bool[np.ndarray, "pose atom"]:
    """Return which atoms hold, exactly, for which pose."""
    return np.stack([measured.holds(fact.members[0].recipes) for fact in _table().facts], axis=1)


def write_captions_with_codes(
    joints: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
) -> list[tuple[str, frozenset[Statement]]]:
    """Return for each pose its caption and exactly the statements that the caption makes.

    `joints`: metres, body frame (x left, y up, z front), SMPL order, 22 or more. A caption depends
    on its pose, `seed` and its own index alone, so it is the same in any batch, order and process.
    "plain" says every code in a sentence of its own; "full" says the same merged and linked;
    "short" says what is most worth saying, in about forty words.
    """
    table = _table()
    true = true_atoms(Measured(joints))
    keys = chance.keys(seed, indices)
    kept = true & ~(table.ordinary & (chance.uniform(keys, true.shape[1]) < SKIP))
    kept[~kept.any(axis=1)] = true[~kept.any(axis=1)]
    found = []
    for row, key in zip(kept, keys.tolist(), strict=True):
        columns = np.flatnonzero(row).tolist()
        text, bits = _write(columns, Dice(key), style, table)
        found.append((text, _statements(bits, columns, table)))
    return found


def write_captions(
    joints: Float[np.ndarray, "pose joint 3"],
    *,
    seed: int,
    indices: Sequence[int] | np.ndarray,
    style: Style = "short",
) -> list[str]:
    """Return one caption for each pose; see `write_captions_with_codes`."""
    pairs = write_captions_with_codes(joints, seed=seed, indices=indices, style=style)
    return [text for text, _ in pairs]


def _statements(bits: int, columns: list[int], table: _Table) -> frozenset[Statement]:
    return frozenset(table.facts[i].members[0] for i in columns if bits >> i & 1)


def _write(columns: list[int], dice: Dice, style: Style, table: _Table) -> tuple[str, int]:
    """Return the text for the true columns, and the bits of what it says."""
    if not columns:
        return "Nothing stands out in this pose.", 0
    if style == "plain":
        spoken = [table.atoms[i] for i in columns]
    else:
        bits = sum(1 << i for i in columns)
        for reasons, rest in table.implied:
            if bits & reasons == reasons:
                bits &= rest
        spoken = _merge(bits, dice, table)
    if style == "short":
        spoken = _choose(spoken, dice)
    said = 0
    for fact in spoken:
        said |= fact.bits
    lines = [fact.views[0] if len(fact.views) == 1 else dice.pick(fact.views) for fact in spoken]
    text = _Writer(dice).write(_in_order(lines, dice), alone=style == "plain")
    return text, said


def _merge(bits: int, dice: Dice, table: _Table) -> list[_Spoken]:
    """Return the facts to say: groups first, then what is left of the single ones."""
    found = []
    for fact in table.merged:
        if bits & fact.bits == fact.bits and dice.roll() < MERGE:
            found.append(fact)
            bits &= ~fact.bits
    while bits:
        lowest = bits & -bits
        found.append(table.atoms[lowest.bit_length() - 1])
        bits ^= lowest
    return found


def _choose(spoken: list[_Spoken], dice: Dice) -> list[_Spoken]:
    """Return the few facts most worth saying: at most nine statements, two facts a limb."""
    room = 6 + int(dice.roll() * 4)
    scored = sorted(
        ((fact.weight + 2.0 * dice.roll(), i) for i, fact in enumerate(spoken)), reverse=True
    )
    found: list[_Spoken] = []
    crowd: dict[tuple[int, int], int] = {}
    later: list[_Spoken] = []
    for _, i in scored:
        fact = spoken[i]
        line = fact.views[0]
        where = line.limb, line.side
        if fact.atoms > room or len(found) >= 7:
            continue
        if line.limb and crowd.get(where, 0) >= 2:
            later.append(fact)
            continue
        crowd[where] = crowd.get(where, 0) + 1
        found.append(fact)
        room -= fact.atoms
    for fact in later:
        if len(found) < 4 and fact.atoms <= room:
            found.append(fact)
            room -= fact.atoms
    return found


def _in_order(lines: list[_Line], dice: Dice) -> list[_Line]:
    """Return the lines as a walk over the body: the whole, then limb by limb from the trunk."""
    limb = (0, 1, 2) if dice.roll() < 0.7 else (0, 2, 1)
    side = (0, 1, 2) if dice.roll() < 0.5 else (0, 2, 1)
    return sorted(lines, key=lambda line: (limb[line.limb], side[line.side], line.place))


class _Clause:
    """Subjects of which the same is said."""

    __slots__ = ("many", "person", "predicates", "subject")

    def __init__(self, subject: str, predicates: list[str], *, many: bool, person: bool) -> None:
        self.subject, self.predicates = subject, predicates
        self.many, self.person = many, person


class _Writer:
    """Words one caption."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice

    def write(self, lines: list[_Line], *, alone: bool) -> str:
        """Return the text; `alone`: one plain sentence per line."""
        determiner = self.dice.pick(_DETERMINERS)
        if alone:
            clauses = [self._clause(line.subject, [line]) for line in lines]
            sentences = [f"{c.subject} {_be(c)} {c.predicates[0]}" for c in clauses]
        else:
            sentences = self._sentences(self._clauses(lines))
        text = " ".join(
            s[0].upper() + s[1:] + "." for s in (x.replace("{d}", determiner) for x in sentences)
        )
        return text

    def _clause(self, subject: str, lines: list[_Line]) -> _Clause:
        pick, first = self.dice.pick, lines[0]
        predicates = [pick(line.predicates) for line in lines]
        return _Clause(pick(first.words), predicates, many=first.many, person=subject == "body")

    def _clauses(self, lines: list[_Line]) -> list[_Clause]:
        """Return focus groups (one subject, several facts) and shared facts (several subjects)."""
        groups: dict[str, list[_Line]] = {}
        for line in lines:
            groups.setdefault(line.subject, []).append(line)
        clauses: list[_Clause] = []
        shared: dict[tuple[str, ...], _Clause] = {}
        for subject, group in groups.items():
            clause = self._clause(subject, group)
            if len(group) == 1 and group[0].shared:
                key = group[0].predicates
                twin = shared.get(key)
                if twin is not None and " and " not in twin.subject and self.dice.roll() < MERGE:
                    twin.subject += f" and {clause.subject}"
                    twin.many = True
                    continue
                shared.setdefault(key, clause)
            clauses.append(clause)
        return clauses

    def _sentences(self, clauses: list[_Clause]) -> list[str]:
        roll, pick = self.dice.roll, self.dice.pick
        found: list[str] = []
        sentence, length, bare = "", 0, False
        links: set[str] = set()
        for clause in clauses:
            predicates = clause.predicates
            rest = None
            if len(predicates) > 3:
                predicates, rest = predicates[:2], predicates[2:]
            said = _join(predicates)
            if not sentence:
                links.clear()
                if not found and not clause.person and roll() < 0.6:
                    sentence = f"{pick(phrases.PERSON[:4])} has {clause.subject} {said}"
                    bare = True
                else:
                    sentence, bare = f"{clause.subject} {_be(clause)} {said}", False
                length = len(predicates)
            else:
                if bare:
                    sentence += f"{' and' if roll() < 0.5 else ','} {clause.subject} {said}"
                else:
                    how = roll()
                    if (how < 0.4 or "while" in links) and not rest and "with" not in links:
                        sentence += f" with {clause.subject} {said}"
                        bare = True
                        links.add("with")
                    elif how < 0.7 and "while" not in links:
                        links.add("while")
                        sentence += f" while {clause.subject} {_be(clause)} {said}"
                    else:
                        sentence += f" and {clause.subject} {_be(clause)} {said}"
                length += len(predicates)
            if rest:
                found.append(sentence)
                sentence = (
                    f"{'they are' if clause.many or clause.person else 'it is'} {_join(rest)}"
                )
                length, bare = 3, False
            if (
                length >= 3
                or (length == 2 and roll() < 0.5)
                or (length == 1 and roll() < 0.15 and not clause.person)
            ):
                found.append(sentence)
                sentence, length = "", 0
        if sentence:
            found.append(sentence)
        return found


def _be(clause: _Clause) -> str:
    return "are" if clause.many else "is"


def _join(words: list[str]) -> str:
    if len(words) == 1:
        return words[0]
    return ", ".join(words[:-1]) + " and " + words[-1]
