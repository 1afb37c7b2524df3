"""A text about any pose, in which the pose fills in what is true of it.

... left knee sharply bent, ... left hand above behind right hand, ...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.facts import atoms
from unipose.posecodes.statements import Statement, mirrored_part

RELATIONS = {
    "close": "close to", "front": "in front of", "at_left": "left of", "at_right": "right of",
    "on_hip": "on hip", "at_side": "at side", "reach_front": "reaching forward",
    "out_side": "out to the side", "on_ground": "on the ground", "slightly_bent": "slightly bent",
    "bent_less": "half bent", "bent_more": "sharply bent", "completely_bent": "fully bent",
    "right_angle": "at a right angle", "shoulder_width": "shoulder width from", "wide": "wide from",
    "spread": "spread from",
}  # fmt: skip
"""Relations in words, where their names are not."""
WITHOUT_SECOND = {"on_hip", "at_side", "reach_front", "out_side"}
TOUCHING = "touching"
"""Second part of all statements that a part is close to some other."""
LONGEST = 2
"""Tokens of what is said of parts; "at a right angle" is cut, or has a shorter form below."""
SHORTER = {
    "right_angle": "right angle", "out_side": "sideways", "on_ground": "on ground",
    "torso_horizontal": "horizontal", "lunging_on_left": "lunging left",
    "lunging_on_right": "lunging right", "kneeling_on_left": "kneeling left",
    "kneeling_on_right": "kneeling right",
}  # fmt: skip
EXCLUSIVE = (
    {"close", "shoulder_width", "wide", "spread"},
    {"above", "below"},
    {"front", "behind"},
    {"at_left", "at_right"},
    {"at_side", "reach_front", "out_side"},
    {"horizontal", "vertical"},
    {"completely_bent", "bent_more", "right_angle", "bent_less", "slightly_bent", "straight"},
    {"bent_forward", "bent_backward"},
    {"bent_left", "bent_right"},
    {"standing", "sitting", "squatting", "kneeling", "kneeling_on_left", "kneeling_on_right",
     "lunging_on_left", "lunging_on_right", "torso_horizontal"},
)  # fmt: skip
"""Relations of which about one is true: they are written in the same places."""


@dataclass(frozen=True, kw_only=True)
class PoseForm:
    """A text about any pose, in tokens: what is the same for all, and what each fills in."""

    words: list[int]
    """A token for each place; the end of a line where nothing is filled in."""
    told: list[int]
    """Places that a pose fills in."""
    fillings: list[tuple[int, int, int]]
    """Statement, place, and the token that stands there if it is true."""

    @property
    def choices(self) -> list[int]:
        """Return the tokens of which one fills in a place, the end of a line among them."""
        return sorted({token for *_, token in self.fillings} | {self.words[p] for p in self.told})

    @classmethod
    def written(cls, vocabulary: Vocabulary) -> PoseForm:
        """Return the form in the words of a vocabulary, a line for each pair of parts."""
        (comma,) = vocabulary.encode(",")[:1]
        words: list[int] = []
        told: list[int] = []
        fillings: list[tuple[int, int, int]] = []
        for (first, second), families in lines_of_form().items():
            words += _tokens(first, vocabulary)
            if second == TOUCHING:
                words += _tokens("close to", vocabulary)
            for family in families.values():
                said = {i: _tokens(text, vocabulary)[:LONGEST] for i, text in family.items()}
                begin = len(words)
                for i, tokens in said.items():
                    fillings += [(i, begin + k, token) for k, token in enumerate(tokens)]
                longest = max(map(len, said.values()))
                told += range(begin, begin + longest)
                words += [comma] * longest
            if second not in ("", TOUCHING):
                words += _tokens(second, vocabulary)
            words.append(comma)
        return cls(words=words, told=told, fillings=fillings)


@cache
def lines_of_form() -> dict[tuple[str, str], dict[int, dict[int, str]]]:
    """Return the lines of the form: of each pair of parts, families of statements in words.

    A family has the number of its set in EXCLUSIVE, or a higher one if it is a statement alone.
    """
    lines: dict[tuple[str, str], dict[int, dict[int, str]]] = {}
    for i, fact in enumerate(atoms()):
        statement = fact.members[0]
        alone = len(EXCLUSIVE) + i
        family = next((k for k, f in enumerate(EXCLUSIVE) if statement.relation in f), alone)
        families = lines.setdefault(parts_of(statement), {})
        families.setdefault(family, {})[i] = state_in_words(statement)
    return lines


def parts_of(statement: Statement) -> tuple[str, str]:
    """Return which two parts a statement is about; of what a part is close to, the part alone."""
    second = statement.second or ""
    if statement.relation == "on_hip":
        return statement.first, TOUCHING
    if statement.relation == "close" and mirrored_part(statement.first) != second:
        return statement.first, TOUCHING
    return statement.first, "" if statement.relation in WITHOUT_SECOND else second


def state_in_words(statement: Statement) -> str:
    """Return what a statement says of its parts: "spread"; of touches, what is touched."""
    if parts_of(statement)[1] == TOUCHING:
        return statement.second or "hip"
    return SHORTER.get(statement.relation) or relation_in_words(statement)


def _tokens(words: str, vocabulary: Vocabulary) -> Sequence[int]:
    return vocabulary.encode(" " + words.replace("_", " "))


def in_words(statement: Statement) -> str:
    """Return a statement in the fewest words: "left knee slightly bent"."""
    words = [statement.first, relation_in_words(statement)]
    if statement.second is not None and statement.relation not in WITHOUT_SECOND:
        words.append(statement.second)
    return " ".join(words).replace("_", " ")


def relation_in_words(statement: Statement) -> str:
    """Return the relation of a statement in words: "slightly bent"."""
    return RELATIONS.get(statement.relation, statement.relation)
