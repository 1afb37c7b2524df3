"""What a sentence says and its calls do not: a threshold, a part of the body, a time, a "not".

The calls (`calls.py`) have no place for a threshold of the user's own, and a speaker may look at
less than it was asked about. So what is typed is compared with what was called.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from unipose.posecodes.calls import PLURALS, SIDES, Call
from unipose.posecodes.finding import Finding, finding, joined

_ARM = ("hand", "wrist", "arm", "elbow", "forearm", "upper arm")
_LEG = ("foot", "ankle", "toe", "leg", "knee", "thigh", "shin")
_REGIONS: dict[str, str] = {
    **dict.fromkeys(_ARM, "arm"),
    **dict.fromkeys(_LEG, "leg"),
    "shoulder": "shoulder", "hip": "hip", "head": "head",
    "chest": "trunk", "trunk": "trunk", "torso": "trunk",
}  # fmt: skip
"""Part -> what is looked at with it: of "raise the arm" it is the hand that is measured."""
_BOTH = tuple(PLURALS.values())
_REGIONS.update({both: _REGIONS[part] for part, both in PLURALS.items()})
_PART = re.compile(rf"\b(?:(left|right) )?({'|'.join(sorted(_REGIONS, key=len, reverse=True))})\b")
_LOOKS = ("check", "which", "between", "measure", "count", "where", "touching", "became", "moved")
"""Verbs that look at the parts they name and at nothing else."""

_MORE = r"more than|over|at least|no less than|greater than|above|exceeding|(?:\w+er) than"
_LESS = (
    r"less than|under|at most|no more than|below|within|up to|(?:smaller|lower|closer|nearer) than"
)
_UNITS = {"degrees": 1.0, "cm": 1.0, "m": 100.0, "mm": 0.1}
_AMOUNT = r"(\d+(?:\.\d+)?) ?(degrees?|deg\b|°|cm\b|centimet(?:er|re)s?|mm\b|m\b|met(?:er|re)s?)"
_THRESHOLD = re.compile(rf"\b(?:({_LESS})|({_MORE})) {_AMOUNT}")
_TIME = re.compile(r"\b(?:frame \d+|(?:at|to|after) \d+(?:\.\d+)? ?s(?:ec(?:ond)?s?)?)\b")
_NOT = re.compile(r"\b(?:not|never|without|don'?t|doesn'?t|isn'?t|aren'?t)\b")
_FORBIDS = re.compile(r"\b(?:don'?t|do not|never) (?!matter|care|mind|worry|know|understand)(?=\w)")
_PLAIN = ("bent", "near", "apart", "together")
"""Relations whose number is compared with a threshold as it stands."""
_DIRECTED = ("above", "below", "front", "behind", "leftward", "rightward", "raised")
"""Relations whose number is how far a part is on the side that was asked for, if it is there."""


@dataclass(frozen=True)
class _Threshold:
    least: bool
    """Whether more than it is asked for, rather than less."""
    value: float
    unit: str
    """"degrees" or "cm"."""


def judged(question: str, call: Call, found: Finding) -> Finding:
    """Return the finding by the threshold that a question names in place of our own.

    "is the left knee bent by more than 150 degrees?" is no for one that is bent by 108. Where the
    number cannot be told from what was measured, the measurement stands there without yes or no.
    """
    threshold = _threshold(question)
    if threshold is None or found.kind != "yes_no" or call.verb not in ("check", "became"):
        return found
    clause = found.sentence.partition(": ")[2].rstrip(".") or found.sentence.rstrip(".")
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", clause)]
    relation = call.arguments[0]
    comparable = (
        call.verb == "check"
        and bool(numbers)
        and found.margin_unit == threshold.unit
        and _regions(_parts(call)) == _regions(question)
        and (relation in _PLAIN or (relation in _DIRECTED and threshold.least))
    )
    if not comparable:
        value = numbers[0] if numbers else found.value
        return finding("how_much", value, clause, unit=found.margin_unit * bool(numbers))
    slack = min((n - threshold.value) * (1 if threshold.least else -1) for n in numbers)
    holds = slack >= 0 and (relation in _PLAIN or bool(found.value))
    return finding(
        "yes_no", holds, clause, opening="Yes" if holds else "No", evidence=found.evidence,
        margin=abs(slack), margin_unit=threshold.unit,
    )  # fmt: skip


def remarks(typed: str, calls: Sequence[Call]) -> str:
    """Return what is to be said of what the calls left out; "" if nothing.

    "(The right hand was not looked at.)"
    """
    said = typed.lower()
    found: list[str] = []
    made = [call for call in calls if call.verb in ("edit", "generate", "replace")]
    if made:
        forbidden = _FORBIDS.search(said)
        asked = forbidden[0] if forbidden else made[-1].text
        found += request_remarks(asked, changes=made[-1].verb == "edit")
    elif calls and all(call.verb in _LOOKS for call in calls):
        looked = [_regions(_parts(call)) for call in calls]
        if all(looked):
            seen = set().union(*looked)
            seen |= {("leg", side) for part, side in seen if part == "hip"}  # the thigh
            left_out = _named(said, seen)
            if left_out:
                one = len(left_out) == 1 and not left_out[0].endswith(_BOTH)
                verb = "was" if one else "were"
                found.append(f"The {joined(left_out)} {verb} not looked at.")
        if _TIME.search(said):
            found.append("The time was not looked at: /pose FILE SECONDS or --at chooses another.")
    return f"({' '.join(found)})" if found else ""


def request_remarks(text: str, *, changes: bool) -> list[str]:
    """Return what the pose model hardly follows in a request to make a pose, or to change one."""
    found = []
    said = text.lower()
    if changes and (amount := re.search(_AMOUNT, said)):
        found.append(f'Amounts such as "{amount[0]}" are hardly followed: ask what came of it.')
    if negated := _NOT.search(said):
        found.append(f'"{negated[0]}" is hardly followed: look at what came of it.')
    return found


def _parts(call: Call) -> str:
    """Return the parts of a call; what comes before them may be a side, "moved left hands"."""
    return " ".join(call.arguments[call.verb not in ("where", "touching") :])


def _threshold(question: str) -> _Threshold | None:
    found = list(_THRESHOLD.finditer(question.lower()))
    if len(found) != 1:
        return None
    less, number, unit = found[0][1], found[0][3], found[0][4]
    unit = "degrees" if unit[0] in "d°" else {"ce": "cm", "me": "m"}.get(unit[:2], unit)
    value = float(number) * _UNITS[unit]
    return _Threshold(not less, value, unit if unit == "degrees" else "cm")


def _regions(text: str) -> set[tuple[str, str]]:
    """Return what parts of a text are of, each with its side; of both sides both."""
    regions = set()
    for side, word in _PART.findall(text.lower()):
        sides = [side] if side else SIDES if word in _BOTH else [""]
        regions |= {(_REGIONS[word], one) for one in sides}
    return regions


def _named(said: str, looked: set[tuple[str, str]]) -> list[str]:
    """Return the parts that a text names of which nothing was looked at, in its words."""
    left_out = []
    for match in _PART.finditer(said):
        side, word = match.groups()
        regions = _regions(match[0])
        if not side and word in ("shoulder", "shoulders", "hip", "hips"):
            continue  # "to shoulder height", "hip width"
        if not side and word not in _BOTH:
            regions = {(region, one) for region, _ in regions for one in ("", *SIDES)}
            if regions & looked:
                continue
        elif regions <= looked:
            continue
        left_out.append(match[0])
    return list(dict.fromkeys(left_out))
