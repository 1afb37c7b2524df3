"""The statement reader: what a text says of a pose, as statements that can be checked on joints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from data_builders.posecodes.catalogue import ANGLE_POINTS, SEGMENTS, SIDES
from data_builders.posecodes.facts import (
    ARM_AND_LEG,
    CROSSED,
    PLACE_LIMBS,
    SEGMENT_LIMBS,
    t_pose,
)
from data_builders.posecodes.lexicon import Token, statement_lexicon
from data_builders.posecodes.statements import ANGLES, HAND_WORDS, TILTS, Statement, state
from unipose.errors import PoseError

NOTHING = frozenset({"nothing stands out in this pose"})
"""What a writer says of a pose that has no code at all."""
_LIMB_END = {"arm": "hand", "leg": "foot"}
_JOINT_OF = {limb: joint for joint, limb in ARM_AND_LEG.items()}
_POSTURES = ("kneeling", "standing", "sitting", "squatting")


@dataclass(frozen=True)
class Reading:
    """What was understood, in order and without repeats, and the words that were not."""

    statements: list[Statement] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


class Named(NamedTuple):
    """A mention of a part: `side` is left, right, both, each, other, opposite, own or none."""

    side: str
    part: str

    def sides(self) -> tuple[str, ...]:
        """Return the sides that are meant."""
        return SIDES if self.side in ("both", "each") else (self.side,)


_BODY = Named("none", "body")


def read_statements(text: str) -> list[Statement]:
    """Return the statements of a description, in order, without repeats."""
    return read(text).statements


def read(text: str) -> Reading:
    """Return the statements of a description and what of it could not be read.

    A clause with a word that is not in the tables, with a negation, or that says nothing that can
    be measured, is unread as a whole, and nothing is made of it.
    """
    if text.strip().lower().rstrip(".") in NOTHING:
        return Reading()
    found: dict[Statement, None] = {}
    unread: list[str] = []
    parser = _Parser(found, unread)
    sentences = statement_lexicon().sentences(text)
    for sentence in sentences:
        parser.sentence(sentence)
    return Reading(list(found), unread)


class _Parser:
    """Walks over the sentences of one text; remembers who was spoken of."""

    def __init__(self, found: dict[Statement, None], unread: list[str]) -> None:
        self.found, self.unread = found, unread
        self.subjects: list[Named] = [_BODY]

    def sentence(self, tokens: list[Token]) -> None:
        """Read one sentence."""
        self.tokens, self.at = tokens, 0
        self.waiting = False  # subjects named, nothing said of them yet
        self.linked = True
        self.clause: list[Statement] = []
        start = 0
        while self.at < len(tokens):
            token = tokens[self.at]
            if token.get("link"):
                self.linked, start = True, self.at + 1
                self.clause.clear()
                self.at += 1
            elif token.get("not") or not token.meanings:
                self._skip_clause(start)
                start = self.at
            elif token.get("pronoun") or token.get("fill"):
                self.at += 1
            elif token.text == "back" and self._says_backward():
                continue
            elif (named := self._mention()) is not None:
                self._subject(named)
            elif token.get("side"):
                self._skip_clause(start)
                start = self.at
            elif self._relation(start):
                self.linked = False
            else:
                self._skip_clause(start)
                start = self.at
        if self.waiting and self.subjects != [_BODY]:
            self.unread.append(_words(tokens[start:]))

    def _says_backward(self) -> bool:
        """Read "the right foot back", where "back" is a direction and not a part."""
        last = self.at + 1 >= len(self.tokens) or self.tokens[self.at + 1].get("link")
        if not (self.waiting and not self.linked and last):
            return False
        said = _states(self.subjects, "limb", "backward", free=False)
        if said is None:
            return False
        self.at += 1
        self._keep(self.subjects, said)
        return True

    def _skip_clause(self, start: int) -> None:
        """Leave the clause that begins at `start` unread, with what was found in it."""
        while self.at < len(self.tokens) and not self.tokens[self.at].get("link"):
            self.at += 1
        self.unread.append(_words(self.tokens[start : self.at]))
        for said in self.clause:
            del self.found[said]
        self.clause.clear()
        self.waiting = False

    def _mention(self, *, objects: bool = False) -> Named | None:
        """Return the part named here and go past it, or None and stay."""
        at, side = self.at, None
        tokens = self.tokens
        if at >= len(tokens):
            return None
        token = tokens[at]
        if token.get("person") and not (objects and token.get("side")):
            self.at += 1
            return _BODY
        if token.text == "each":
            side, at = "each", at + 1
        elif token.get("side"):
            side, at = token.text, at + 1
            if _and_other_side(tokens, at):
                side, at = "both", at + 2
        if at < len(tokens) and (part := tokens[at].get("part")):
            self.at = at + 1
            if part in ("torso", "head", "neck", "waist", "pelvis"):
                return Named("none", part)
            return Named(side or "own", part)
        if at < len(tokens) and (part := tokens[at].get("parts")):
            self.at = at + 1
            return Named("both" if side in (None, "both") else side, part)
        if side in ("left", "right", "other") and objects:
            self.at = at
            return Named(side, "")
        return None

    def _subject(self, named: Named) -> None:
        if named.side in ("other", "opposite"):
            last = next((s.side for s in reversed(self.subjects) if s.side in SIDES), None)
            named = Named({"left": "right", "right": "left"}.get(last or "", "own"), named.part)
        listed = self.waiting and self.linked and self.subjects[-1] != _BODY
        if self.waiting and not listed and self.subjects != [_BODY]:
            self.unread.append(" ".join(f"{s.side} {s.part}" for s in self.subjects))
        self.subjects = [*self.subjects, named] if listed else [named]
        self.waiting, self.linked = True, False

    def _relation(self, start: int) -> bool:
        """Read a relation, with its object if it takes one, and keep what it states."""
        token = self.tokens[self.at]
        before = self.at
        subjects = self.subjects
        self.at += 1
        # "with bent knees": the relation comes first
        if token.get("unary") or token.get("limb") or token.get("pair"):
            after = self.at
            if self.linked and not self.waiting and not token.get("binary"):
                named = self._mention()
                if named is not None and named != _BODY and self._ends_clause():
                    subjects = [named]
                else:
                    self.at = after
        if token.text in ("to left", "to right") and self.at < len(self.tokens):
            part = self.tokens[self.at].get("part")
            if part and self._near(Named(token.text[3:], part)):  # "to the left knee"
                return True
        free = self.linked and not self.waiting
        for kind, name in token.meanings:
            if kind == "binary":
                continue
            said = _states(subjects, kind, name, free=free)
            if said is not None:
                self._keep(subjects, said)
                return True
        name = token.get("binary")
        if name is None:
            self.at = before
            return False
        objects = self._objects()
        said = _places(subjects, name, objects)
        if said is None:
            self.at = before
            return False
        self._keep(subjects, said)
        return True

    def _near(self, named: Named) -> bool:
        said = _places(self.subjects, "close", [named])
        if said is None:
            return False
        self.at += 1
        self._keep(self.subjects, said)
        return True

    def _ends_clause(self) -> bool:
        return self.at >= len(self.tokens) or self.tokens[self.at].get("link") is not None

    def _keep(self, subjects: list[Named], said: list[Statement]) -> None:
        new = [statement for statement in dict.fromkeys(said) if statement not in self.found]
        self.found.update(dict.fromkeys(new))
        self.clause += new
        self.subjects, self.waiting = subjects, False

    def _objects(self) -> list[Named]:
        """Return the parts after a binary relation; several only if no new clause begins there."""
        found: list[Named] = []
        while self.at < len(self.tokens):
            at = self.at
            if found:
                if self.tokens[at].text != "and" or not self._ends_after_parts(at):
                    break
                self.at += 1
            named = self._mention(objects=True) if self.at < len(self.tokens) else None
            if named is None:
                self.at = at
                break
            found.append(named)
        return found

    def _ends_after_parts(self, at: int) -> bool:
        """Return whether from here on there are only parts and "and" up to the next link or end."""
        while at < len(self.tokens):
            token = self.tokens[at]
            if token.text in (",", "while", "with", "then", "but"):
                return True
            if not (
                token.text == "and" or token.get("side") or token.get("part") or token.get("parts")
            ):
                return False
            at += 1
        return True


def _and_other_side(tokens: list[Token], at: int) -> bool:
    """Return whether "and right hands" goes on here (after "the left")."""
    row = tokens[at : at + 3]
    return bool(
        len(row) == 3 and row[0].text == "and" and row[1].text in SIDES and row[2].get("parts")
    )


def _words(tokens: list[Token]) -> str:
    return " ".join(token.text for token in tokens)


def _known(first: str, relation: str, second: str | None = None) -> Statement | None:
    try:
        return state(first, relation, second)
    except PoseError:
        return None


def _all(said: list[Statement | None]) -> list[Statement] | None:
    """Return the statements if each of them can be measured and there is one."""
    found = [s for s in said if s is not None]
    return found if said and len(found) == len(said) else None


def _states(subjects: list[Named], kind: str, name: str, *, free: bool) -> list[Statement] | None:
    """Return what a relation without an object states of the subjects."""
    if kind == "body":
        body = all(s.part in ("body", "torso") for s in subjects)
        return [state("body", name)] if body or free else None
    if kind == "pair":
        return _pair(subjects, name)
    if kind == "unary":
        return _join([_unary(subject, name) for subject in subjects])
    if kind == "limb":
        return _join([_limb(subject, name) for subject in subjects])
    return None


def _join(found: list[list[Statement] | None]) -> list[Statement] | None:
    if not found or any(said is None for said in found):
        return None
    return [statement for said in found if said for statement in said]


def _unary(subject: Named, name: str) -> list[Statement] | None:
    side, part = subject
    if part in ("torso", "body"):
        if name in ("vertical", "straight") and (part == "torso" or name == "vertical"):
            return [state("torso", "vertical")]
        return [state("body", "torso_horizontal")] if name == "horizontal" else None
    if side not in (*SIDES, "both"):
        return None
    if name in ANGLES:
        joint = _JOINT_OF.get(part, part)
        if f"left_{joint}" not in ANGLE_POINTS:
            return None
        return [state(f"{s}_{joint}", name) for s in subject.sides()]
    segments = SEGMENT_LIMBS.get(part, (part,))
    if name not in TILTS or f"left_{segments[0]}" not in SEGMENTS:
        return None
    return [state(f"{s}_{segment}", name) for s in subject.sides() for segment in segments]


def _pair(subjects: list[Named], name: str) -> list[Statement] | None:
    ends = [f"{side}_{_LIMB_END.get(s.part, s.part)}" for s in subjects for side in s.sides()]
    if len(ends) % 2:
        return None
    return _all([_known(a, name, b) for a, b in zip(ends[::2], ends[1::2], strict=True)])


_HAND = {
    "overhead": ("above", "head"),
    "raised": ("above", "~shoulder"),
    "lowered": ("below", "~shoulder"),
    "shoulder_height": ("level", "~shoulder"),
    "backward": ("behind", "torso"),
    "on_ground": ("on_ground", None),
} | {word: (word, f"~{part}") for word, part in HAND_WORDS.items()}
"""Words for hands and arms -> relation and second part; "~" is the hand's own side."""
_OTHER_LIMB = {"raised": "above", "lowered": "below", "reach_front": "front", "backward": "behind"}
"""Words for one leg, foot or knee: how it is to the other one."""


def _limb(subject: Named, name: str) -> list[Statement] | None:
    side, part = subject
    if name == "t_pose":
        return list(t_pose()) if part in ("arm", "body") and side in ("both", "none") else None
    if name == "crossed":
        end = CROSSED.get(part)
        return (
            [state(f"left_{end}", "at_right", f"right_{end}")] if end and side == "both" else None
        )
    if side not in (*SIDES, "both"):
        return None
    end, sides = _LIMB_END.get(part, part), subject.sides()
    if end == "hand":
        return [_hand(s, name) for s in sides] if name in (*_HAND, *_SIDEWAYS) else None
    if name == "on_ground":
        return _all([_known(f"{s}_{end}", "on_ground") for s in sides])
    if end == "elbow" and name in ("raised", "lowered"):
        return [state(f"{s}_elbow", _OTHER_LIMB[name], f"{s}_shoulder") for s in sides]
    if end in ("foot", "knee") and name in _OTHER_LIMB and side != "both":
        other = "right" if side == "left" else "left"
        return [state(f"{side}_{end}", _OTHER_LIMB[name], f"{other}_{end}")]
    return None


_SIDEWAYS = ("across", "out_left", "out_right")


def _hand(side: str, name: str) -> Statement:
    hand, shoulder = f"{side}_hand", f"{side}_shoulder"
    if name in _SIDEWAYS:
        if name == f"out_{side}":
            return state(hand, "out_side", shoulder)
        return state(hand, "at_right" if side == "left" else "at_left", shoulder)
    relation, second = _HAND[name]
    return state(hand, relation, second and second.replace("~", f"{side}_"))


def _places(subjects: list[Named], name: str, objects: list[Named]) -> list[Statement] | None:
    """Return what "A is above B" states, for each A and each B."""
    if not objects:
        if name not in ("front", "behind"):
            return None
        objects = [Named("none", "torso")]
    return _join([_place(a, name, b) for a in subjects for b in objects])


def _place(a: Named, name: str, b: Named) -> list[Statement] | None:
    part_b = b.part or a.part
    pairs: list[tuple[str, str]] = []
    both_limbs = a.part in PLACE_LIMBS and part_b == a.part
    firsts = PLACE_LIMBS[a.part] if both_limbs else (_LIMB_END.get(a.part, a.part),)
    if a.part == "body" or a.side in ("own", "other", "opposite"):
        return None
    for first in firsts:
        second = first if both_limbs else _LIMB_END.get(part_b, part_b)
        second = "torso" if second == "body" else second
        for side in a.sides():
            one = first if side == "none" else f"{side}_{first}"
            for other in _object_sides(side, a, b, same=second == first):
                pairs.append((one, second if other == "none" else f"{other}_{second}"))
    if any(one == two for one, two in pairs):
        return None
    return _all([_known(one, name, two) for one, two in pairs])


def _object_sides(side: str, a: Named, b: Named, *, same: bool) -> tuple[str, ...]:
    """Return which sides of the object a subject on `side` is compared with."""
    opposite = {"left": "right", "right": "left"}.get(side, "none")
    if b.side == "both":
        return (side,) if a.side in ("both", "each") and not same else SIDES
    if b.side in ("other", "opposite"):
        return (opposite,)
    if b.side == "own":
        return (opposite if same else side,)
    return (b.side,)
