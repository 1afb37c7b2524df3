"""The statement reader: what a text says of a pose, as statements that can be checked on joints."""

from __future__ import annotations

from dataclasses import dataclass, field

from unipose.posecodes.catalogue import SIDES
from unipose.posecodes.lexicon import Token, statement_lexicon, token_text
from unipose.posecodes.meanings import Named, places_of, states_of
from unipose.posecodes.statements import Statement

NOTHING = frozenset({"nothing stands out in this pose"})
"""What a writer says of a pose that has no code at all."""


@dataclass(frozen=True)
class ReadStatements:
    """What was understood, in order and without repeats, and the words that were not."""

    statements: list[Statement] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


_BODY = Named("none", "body")


def read_statements(text: str) -> list[Statement]:
    """Return the statements of a description, in order, without repeats."""
    return read(text).statements


def read(text: str) -> ReadStatements:
    """Return the statements of a description and what of it could not be read.

    A clause with a word that is not in the tables, with a negation, or that says nothing that can
    be measured, is unread as a whole, and nothing is made of it.
    """
    if text.strip().lower().rstrip(".") in NOTHING:
        return ReadStatements()
    found: dict[Statement, None] = {}
    unread: list[str] = []
    parser = _StatementParser(found, unread)
    sentences = statement_lexicon().sentences(text)
    for sentence in sentences:
        parser.sentence(sentence)
    return ReadStatements(list(found), unread)


class _StatementParser:
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
            self.unread.append(token_text(tokens[start:]))

    def _says_backward(self) -> bool:
        """Read "the right foot back", where "back" is a direction and not a part."""
        last = self.at + 1 >= len(self.tokens) or self.tokens[self.at + 1].get("link")
        if not (self.waiting and not self.linked and last):
            return False
        said = states_of(self.subjects, "limb", "backward", free=False)
        if said is None:
            return False
        self.at += 1
        self._keep(self.subjects, said)
        return True

    def _skip_clause(self, start: int) -> None:
        """Leave the clause that begins at `start` unread, with what was found in it."""
        while self.at < len(self.tokens) and not self.tokens[self.at].get("link"):
            self.at += 1
        self.unread.append(token_text(self.tokens[start : self.at]))
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
            said = states_of(subjects, kind, name, free=free)
            if said is not None:
                self._keep(subjects, said)
                return True
        name = token.get("binary")
        if name is None:
            self.at = before
            return False
        objects = self._objects()
        said = places_of(subjects, name, objects)
        if said is None:
            self.at = before
            return False
        self._keep(subjects, said)
        return True

    def _near(self, named: Named) -> bool:
        said = places_of(self.subjects, "close", [named])
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
