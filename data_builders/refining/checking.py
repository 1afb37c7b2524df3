"""Does a refined text say what its draft says? What was added or flipped is counted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from data_builders.refining.draft import MOST_WORDS, Draft
from unipose.posecodes.changes import Change, happened
from unipose.posecodes.lexicon import statement_lexicon
from unipose.posecodes.measure import Condition
from unipose.posecodes.reader import read, read_change_text
from unipose.posecodes.statements import Statement, truth

OPENINGS = (
    "the person", "this person", "a person", "someone", "somebody", "the figure", "a figure",
    "the man", "a man", "the woman", "a woman", "the subject", "the individual", "an individual",
    "the human", "this figure",
)  # fmt: skip
"""How the refined description of a pose begins."""
ORIENTATION = frozenset({"turn_left", "turn_right", "whole_left", "whole_right", "around"})
"""Changes of the body's orientation, which a refined instruction keeps."""
_TURNING = re.compile(r"\b(?:turn|rotat|spin|pivot|twist|fac(?:e|ing))\w*\b[^.;]*")
_OPPOSITE = {
    "bend": ("unbend", "straighten"), "unbend": ("bend",), "straighten": ("bend",),
    "left": ("right",), "up": ("down",), "forward": ("back",), "closer": ("apart",),
    "lean_forward": ("lean_back",), "lean_left": ("lean_right",),
    "turn_left": ("turn_right",), "whole_left": ("whole_right",),
}  # fmt: skip
_OPPOSITE |= {other: (one,) for one, others in _OPPOSITE.items() for other in others[:1]}
_LIMB_PARTS = {
    "arm": ("arm", "hand", "elbow", "shoulder", "upperarm", "forearm"),
    "leg": ("leg", "foot", "knee", "ankle", "thigh", "shin", "hip"),
}
_LIMB = {part: limb for limb, parts in _LIMB_PARTS.items() for part in parts}
_VAGUE = re.compile(
    r"\b(?!one knee with)(?:one|either|an?|some) (?:hand|arm|elbow|leg|foot|knee)\b"
)


Claim = TypeVar("Claim", Statement, Change)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much a refined text may differ from its draft."""

    added: int = 1
    flipped: int = 0
    unread: float = 0.75
    """Largest share of clauses that the reader does not know."""
    words: int = MOST_WORDS


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found in a refined text."""

    words: int
    supported: int
    """Claims that the draft makes too."""
    added: tuple[str, ...]
    """Claims that neither the draft makes nor the pose shows."""
    flipped: tuple[str, ...]
    """Claims that contradict the draft, or make it on the other side."""
    unread: tuple[str, ...]
    lost_turn: bool = False
    """The draft turns the body and this text does not."""
    vague: str = ""
    """ "one hand" and the like, where the draft says which."""
    opens_with_person: bool = True
    draft_claims: int = 0

    def faults(self, limits: Limits) -> list[str]:
        """Return in words why the text cannot stay, nothing if it can."""
        found = []
        if self.words > limits.words:
            found.append(f"it has {self.words} words and must stay under {limits.words + 1}")
        if not self.opens_with_person:
            found.append("it does not begin with the person")
        if len(self.flipped) > limits.flipped:
            found.append(f"it contradicts the text: {'; '.join(self.flipped)}")
        if len(self.added) > limits.added:
            found.append(f"the text does not say: {'; '.join(self.added)}")
        if self.vague:
            found.append(f'"{self.vague}" leaves open which one is meant')
        if self.lost_turn:
            found.append("the turn of the body is missing")
        if self.draft_claims and not self.supported:
            found.append("nothing of the text is left in words that can be recognised")
        claims = self.supported + len(self.added) + len(self.flipped) + len(self.unread)
        if claims and len(self.unread) / claims > limits.unread:
            found.append("most of it cannot be checked; use plainer words")
        return found


def check(refined: str, draft: Draft) -> Verdict:
    """Return how `refined` relates to its draft; see `Verdict.faults`."""
    lower = refined.lower()
    vague = next(
        (m.group() for m in _VAGUE.finditer(lower) if m.group() not in draft.text.lower()), ""
    )
    common: dict[str, Any] = {"words": len(refined.split()), "vague": vague}
    if draft.kind == "caption":
        opens = lower.startswith(OPENINGS)
        return _check_caption(refined, draft, opens_with_person=opens, **common)
    return _check_change(refined, draft, **common)


def _check_caption(refined: str, draft: Draft, **common: Any) -> Verdict:
    reading = read(refined)
    source = read(draft.text).statements
    known = StatementIntervals(source)
    seen = _seen([said for said in reading.statements if not known.implies(said)], draft)
    return _verdict(
        reading.statements,
        reading.unread,
        draft,
        implied=known.implies,
        shown=seen.__contains__,
        denied=known.contradicts,
        draft_claims=len(source),
        **common,
    )


def _verdict(
    claims: list[Claim],
    unread: list[str],
    draft: Draft,
    *,
    implied: Callable[[Claim], bool],
    shown: Callable[[Claim], bool],
    denied: Callable[[Claim], bool],
    **common: Any,
) -> Verdict:
    """Return what becomes of each claim of a text.

    The draft implies it, or the pose shows it: supported. The draft denies it, or implies it of the
    other side, of which the text does not speak: flipped. Neither: added.
    """
    supported, added, flipped = 0, [], []
    for claim in claims:
        if implied(claim) or shown(claim):
            supported += 1
        elif denied(claim) or (implied(claim.mirrored()) and claim.mirrored() not in claims):
            flipped.append(_words(claim))
        else:
            added.append(_words(claim))
    added += _foreign_limbs(unread, draft.text)
    return Verdict(
        supported=supported,
        added=tuple(added),
        flipped=tuple(flipped),
        unread=tuple(unread),
        **common,
    )


def _seen(said: list[Statement], draft: Draft) -> set[Statement]:
    """Return what the pose itself shows, where it is known."""
    if draft.joints is None or not said:
        return set()
    true = truth(said, np.asarray(draft.joints)[None])[0]
    return {statement for statement, holds in zip(said, true, strict=True) if holds}


class StatementIntervals:
    """What statements tell of measurements: intervals by what is measured."""

    def __init__(self, said: Iterable[Statement]) -> None:
        self.said = frozenset(said)
        self.intervals: dict[tuple[str, tuple[str, ...]], tuple[float, float]] = {}
        for statement in self.said:
            recipes = statement.recipes
            for condition in recipes[0] if len(recipes) == 1 else ():
                key, low, high = _canonical(condition)
                before = self.intervals.get(key, (-np.inf, np.inf))
                self.intervals[key] = max(before[0], low), min(before[1], high)

    def implies(self, said: Statement) -> bool:
        """Return whether the statement is one of these or follows from their measurements."""
        if said in self.said:
            return True
        return any(all(self._within(c) for c in recipe) for recipe in said.recipes)

    def contradicts(self, said: Statement) -> bool:
        """Return whether the statement cannot be true if these are."""
        return all(any(self._apart(c) for c in recipe) for recipe in said.recipes)

    def _within(self, condition: Condition) -> bool:
        key, low, high = _canonical(condition)
        known = self.intervals.get(key)
        return known is not None and low <= known[0] and known[1] <= high

    def _apart(self, condition: Condition) -> bool:
        key, low, high = _canonical(condition)
        known = self.intervals.get(key)
        return known is not None and (known[1] <= low or high <= known[0])


def _canonical(condition: Condition) -> tuple[tuple[str, tuple[str, ...]], float, float]:
    """Return what is measured in one order of its points, and the bounds for that order."""
    kind, points, low, high = condition
    if kind not in ("distance", "tilt", "x", "y", "z") or tuple(sorted(points)) == points:
        return (kind, points), low, high
    if kind in ("x", "y", "z"):
        low, high = -high, -low
    return (kind, tuple(sorted(points))), low, high


def _check_change(refined: str, draft: Draft, **common: Any) -> Verdict:
    reading = read_change_text(refined)
    source = read_change_text(draft.text).changes
    known = StatementIntervals(change.target for change in source if change.target is not None)
    return _verdict(
        reading.changes,
        reading.unread,
        draft,
        implied=partial(_asked_for, source=source, known=known),
        shown=partial(_happened, draft=draft),
        denied=partial(_against, source=source, known=known),
        lost_turn=any(
            not _turn_kept(change, reading.changes, refined)
            for change in source
            if change.part == "body" and change.action in ORIENTATION
        ),
        draft_claims=len(source),
        **common,
    )


def _asked_for(change: Change, source: list[Change], known: StatementIntervals) -> bool:
    if change in source:
        return True
    if change.target is not None:
        return known.implies(change.target)
    actions = (change.action, "straighten") if change.action == "unbend" else (change.action,)
    return change.size == "any" and any(
        (said.part, said.other) == (change.part, change.other) and said.action in actions
        for said in source
    )


def _against(change: Change, source: list[Change], known: StatementIntervals) -> bool:
    if change.target is not None:
        return known.contradicts(change.target)
    return any(
        (said.part, said.other) == (change.part, change.other)
        and said.action in _OPPOSITE.get(change.action, ())
        for said in source
    )


def _happened(change: Change, draft: Draft) -> bool:
    if draft.joints is None or draft.joints_before is None:
        return False
    before, after = np.asarray(draft.joints_before)[None], np.asarray(draft.joints)[None]
    return bool(happened([change], before, after)[0, 0])


def _turn_kept(change: Change, found: list[Change], text: str) -> bool:
    way = change.action.rpartition("_")[2]
    if any(said.action in ORIENTATION and said.action.endswith(way) for said in found):
        return True
    return any(way in match.group() for match in _TURNING.finditer(text.lower()))


def _foreign_limbs(unread: list[str], draft: str) -> list[str]:
    """Return limbs that clauses which cannot be read speak of, and the draft does not."""
    known = _limbs(draft)
    return [f"{side} {limb}" for side, limb in sorted(_limbs(". ".join(unread)) - known)]


def _limbs(text: str) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for tokens in statement_lexicon().sentences(text):
        for i, token in enumerate(tokens):
            many, one = token.get("parts"), token.get("part")
            limb = _LIMB.get(many or one or "")
            if limb is None:
                continue
            before = tokens[i - 1].text if i else ""
            sides = (before,) if before in ("left", "right") else ("left", "right")
            if many or before in ("left", "right"):
                found |= {(side, limb) for side in sides}
    return found


def _words(claim: Statement | Change) -> str:
    """Return a claim in words that a model understands."""
    if isinstance(claim, Change):
        if claim.target is not None:
            return _words(claim.target)
        row = (claim.action, claim.part, claim.size if claim.size != "any" else "", claim.other)
    else:
        row = (claim.first, claim.relation, claim.second)
    return " ".join(word for word in row if word).replace("_", " ")
