"""From what is to be said to sentences: order, subjects, links and pronouns of one caption."""

from __future__ import annotations

from data_builders.posecodes.keyed_random import KeyedRandom
from unipose.posecodes import phrases
from unipose.posecodes.facts import FactWording, plural

MERGE = 0.95
"""How often what can be said together is."""
_PRONOUN = 0.35
"""How often several facts of one subject go on in a sentence of their own, with a pronoun."""

_DETERMINERS = ("the",) * 5 + ("their",) * 3 + ("his", "her")
_PRONOUNS = {"his": "he is", "her": "she is"}
_BODY_PARTS = ("torso", "head", "neck", "shoulder", "upperarm", "arm", "elbow", "forearm", "hand")
_BODY_PARTS += ("leg", "thigh", "knee", "shin", "foot")
_ARMS = frozenset(("shoulder", "upperarm", "arm", "elbow", "forearm", "hand"))
_PLURAL_OF = {
    plural(part): part for part in (*_BODY_PARTS, "hip", "ankle") if part not in ("head", "neck")
}


_TOGETHER = (*phrases.PAIR.values(), phrases.LIMBS["crossed"])
"""Said of two parts at once, so never of the parts of two clauses."""


class Line:
    """A view with what the writer needs to know about its subject."""

    __slots__ = ("limb", "many", "place", "predicates", "shared", "side", "subject", "words")

    def __init__(self, view: FactWording) -> None:
        self.subject, self.predicates = view.subject, view.predicates
        side, _, part = view.subject.rpartition("_")
        each = view.subject.startswith("each ")
        self.many = view.subject in _PLURAL_OF
        part = "hand" if each else _PLURAL_OF.get(view.subject, part)
        self.side = 1 + ("left", "right").index(side) if side else 0
        self.limb = 0 if part in ("body", "torso", "head", "neck") else 1 if part in _ARMS else 2
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


def in_order(lines: list[Line], random: KeyedRandom) -> list[Line]:
    """Return the lines as a walk over the body: the whole, then limb by limb from the trunk."""
    limb = (0, 1, 2) if random.random() < 0.7 else (0, 2, 1)
    side = (0, 1, 2) if random.random() < 0.5 else (0, 2, 1)
    return sorted(lines, key=lambda line: (limb[line.limb], side[line.side], line.place))


class _Clause:
    """Subjects of which the same is said."""

    __slots__ = ("many", "person", "predicates", "subject")

    def __init__(self, subject: str, predicates: list[str], *, many: bool, person: bool) -> None:
        self.subject, self.predicates = subject, predicates
        self.many, self.person = many, person


class CaptionWriter:
    """Words one caption."""

    def __init__(self, random: KeyedRandom, *, pronouns: bool = False) -> None:
        self.random, self.pronouns = random, pronouns

    def write(self, lines: list[Line], *, alone: bool) -> str:
        """Return the text; `alone`: one plain sentence per line."""
        determiner = self.determiner = self.random.pick(_DETERMINERS)
        if alone:
            clauses = [self._clause(line.subject, [line]) for line in lines]
            sentences = [f"{c.subject} {_be(c)} {c.predicates[0]}" for c in clauses]
        else:
            sentences = self._sentences(self._clauses(lines))
        text = " ".join(
            s[0].upper() + s[1:] + "." for s in (x.replace("{d}", determiner) for x in sentences)
        )
        return text

    def _clause(self, subject: str, lines: list[Line]) -> _Clause:
        pick, first = self.random.pick, lines[0]
        predicates = [pick(line.predicates) for line in lines]
        return _Clause(pick(first.words), predicates, many=first.many, person=subject == "body")

    def _clauses(self, lines: list[Line]) -> list[_Clause]:
        """Return focus groups (one subject, several facts) and shared facts (several subjects)."""
        groups: dict[str, list[Line]] = {}
        for line in lines:
            groups.setdefault(line.subject, []).append(line)
        clauses: list[_Clause] = []
        shared: dict[tuple[str, ...], _Clause] = {}
        for subject, group in groups.items():
            clause = self._clause(subject, group)
            if len(group) == 1 and group[0].shared:
                key = group[0].predicates
                twin = shared.get(key)
                if (
                    twin is not None
                    and " and " not in twin.subject
                    and self.random.random() < MERGE
                ):
                    twin.subject += f" and {clause.subject}"
                    twin.many = True
                    continue
                shared.setdefault(key, clause)
            clauses.append(clause)
        return clauses

    def _pronoun(self, clause: _Clause) -> str:
        if clause.person and self.pronouns and self.determiner in _PRONOUNS:
            return _PRONOUNS[self.determiner]
        return "they are" if clause.many or clause.person else "it is"

    def _sentences(self, clauses: list[_Clause]) -> list[str]:
        roll, pick = self.random.random, self.random.pick
        found: list[str] = []
        sentence, length, bare = "", 0, False
        links: set[str] = set()
        for clause in clauses:
            predicates = clause.predicates
            rest = None
            if len(predicates) > 3:
                predicates, rest = predicates[:2], predicates[2:]
            elif self.pronouns and len(predicates) > 1 and roll() < _PRONOUN:
                predicates, rest = predicates[:1], predicates[1:]
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
                sentence = f"{self._pronoun(clause)} {_join(rest)}"
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
