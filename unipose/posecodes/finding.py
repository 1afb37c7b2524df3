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
class Reading:
    """One relation, judged on one pose."""

    clause: str
    """What was measured, true either way: "the left hand is 12 cm above the head"."""
    slack: float
    """Positive: the relation holds, by that much."""
    unit: str
    """Of the slack, "cm" or "degrees"."""
    near: float = 5.0
    """A slack below it is near the boundary."""
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
            return "Yes" if self.slack > self.near else "Yes, just"
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
