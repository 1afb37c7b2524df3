"""What is answered to a question about a pose: the value, the words, how near to the boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FindingKind = Literal[
    "yes_no", "which", "how_much", "where", "count", "list", "posture", "when", "not_shown"
]
Value = bool | str | float | int | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An exact answer; every number of the sentence is in the fact."""

    kind: FindingKind
    value: Value
    unit: str = ""
    """ "degrees", "cm", "percent", "s" or nothing."""
    fact: str
    """The compact line that the language model is given."""
    sentence: str
    """The short spoken answer."""
    evidence: str
    """The answer to "why?" and "by how much?"."""
    margin: float | None = None
    """How far the measurement is from where the answer would change; None: that has no meaning."""
    margin_unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One relation, judged on one pose."""

    clause: str
    """What was measured, true either way: "the left hand is 12 cm above the head"."""
    slack: float
    """Positive: the relation holds, by that much."""
    unit: str
    """Of the slack, "cm" or "degrees"."""
    near: float = 5.0
    """A slack below it is near the boundary."""
    just: str = "Yes, just"
    """What is said for one that barely holds."""
    almost: str = "Not quite"
    """What is said for one that nearly holds."""
    evidence: str = ""

    @property
    def holds(self) -> bool:
        """Whether the relation is true."""
        return self.slack > 0

    @property
    def opening(self) -> str:
        """The word for how true it is."""
        if self.slack > 0:
            return "Yes" if self.slack > self.near else self.just
        return "No" if self.slack < -self.near else self.almost


def finding(
    kind: FindingKind,
    value: Value,
    clause: str,
    *,
    opening: str = "",
    unit: str = "",
    evidence: str = "",
    margin: float | None = None,
    margin_unit: str = "",
) -> Finding:
    """Return a Finding whose fact and sentence say the same clause."""
    clause = clause.strip()
    sentence = f"{opening}: {clause}" if opening else clause
    return Finding(
        kind=kind,
        value=value,
        unit=unit,
        fact=_compact(sentence),
        sentence=f"{sentence[0].upper()}{sentence[1:]}.",
        evidence=evidence or f"{clause[0].upper()}{clause[1:]}.",
        margin=margin,
        margin_unit=margin_unit if margin is not None else "",
    )


def _compact(sentence: str) -> str:
    """Return it without articles, its first letter small."""
    words = [word for word in sentence.split(" ") if word.lower() not in ("the", "a", "an")]
    line = " ".join(words)
    return line[:1].lower() + line[1:]


def joined(clauses: list[str]) -> str:
    """Return them in one line: "a, b and c"."""
    return clauses[0] if len(clauses) == 1 else f"{', '.join(clauses[:-1])} and {clauses[-1]}"


def two_clauses(clauses: list[str], between: str = " and ") -> str:
    """Return one or two clauses in one line, what they share said once.

    "the chest is 5 cm above the left hip", "the chest is 6 cm above the right hip" ->
    "the chest is 5 cm above the left hip and 6 cm above the right hip"
    "the left foot is 5 cm behind the head", "the right foot is 6 cm behind the head" ->
    "the left foot is 5 cm and the right foot 6 cm behind the head"
    """
    if len(clauses) == 1 or clauses[0] == clauses[1]:
        return clauses[0]
    first, second = (clause.split(" ") for clause in clauses)
    start, end = _shared(first, second), _shared(first[::-1], second[::-1])
    verb = next((i for i, word in enumerate(first) if word in _VERBS), len(first))
    if verb < start:
        return f"{clauses[0]}{between}{' '.join(second[verb + 1 :])}"
    second = [word for word in second if word not in _VERBS]
    number = next((i for i, word in enumerate(first) if word.isdigit()), len(first))
    tail = len(first) - number - 2  # all after "5 cm"
    if 0 < tail <= end and between == " and ":
        return f"{' '.join(first[:-tail])}{between}{' '.join(second)}"
    return f"{clauses[0]}{between}{' '.join(second)}"


_VERBS = frozenset({"is", "are", "moved", "points", "leans", "has"})


def _shared(first: list[str], second: list[str]) -> int:
    """Return how many words without digits both begin with."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other or one[0].isdigit():
            break
        count += 1
    return count
