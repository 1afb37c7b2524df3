"""What the words of an answer say (yes, a side, places, amounts), and whether that is right."""

from __future__ import annotations

import re
from dataclasses import dataclass

from data_builders.conversations.wordings import Split
from unipose.posecodes.calls import Call
from unipose.posecodes.finding import Finding
from unipose.posecodes.questions import ShownPose

Tolerance = dict[str, float]


TOLERANCE: Tolerance = {"degrees": 5.0, "cm": 3.0}
"""A number that was measured is right within this."""


TOLERANCE_FROM_CODES: Tolerance = {"degrees": 20.0, "cm": 12.0}
"""And this of one that is read off codes: a band of posecodes is about as wide."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseQuestion:
    """A question about one pose, the call that it means and what that comes to."""

    kind: str
    """A name of KINDS."""
    split: Split
    """Of the wording."""
    said: str
    call: Call
    pose: ShownPose
    finding: Finding
    wording: str = ""
    """As it stands in the files."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseReply:
    """What was called and said to a question."""

    calls: tuple[Call, ...]
    words: str
    corrected: bool = False
    """Whether words left what was measured and the program's own took their place."""


def is_right(question: PoseQuestion, reply: PoseReply, tolerance: Tolerance = TOLERANCE) -> bool:
    """Return whether a reply answers a question as measuring does."""
    found, words = question.finding, reply.words
    if question.kind == "yes_no":
        return read_yes_no(words) is found.value
    if question.kind == "which":
        return read_side(words) == str(found.value).split(" ")[0]
    if question.kind == "where":
        return read_places(words) == read_places(str(found.value))
    if question.kind == "how_much":
        return same_amounts(words, found.sentence, tolerance[found.unit])
    return refuses(words) or any(call.verb == "unknown" for call in reply.calls)


def read_yes_no(words: str) -> bool | None:
    """Return what the first words say: "Yes, just: .." is yes, "Not quite: .." and the like no."""
    opening = re.match(r"\W*(yes|no|not|neither|slightly|only|almost|hardly|barely)\b", words, re.I)
    return None if opening is None else opening[1].lower() == "yes"


_SIDE = re.compile(r"\b(left|right|neither|both|none|equal|equally|level|same|each)\b")


def read_side(words: str) -> str:
    """Return the side that is named first, "neither" where none comes first, or nothing."""
    side = _SIDE.search(words.lower())
    if side is None:
        return ""
    return side[1] if side[1] in ("left", "right") else "neither"


_PLACE = re.compile(
    r"(?:(?:at|above|below) (?:head|shoulder|chest|hip|knee) height|above (?:head|body)"
    r"|(?:on|near) ground|to (?:left|right)|in middle|in front of body|behind body|close to .+)$"
)
"""What `unipose.posecodes.places` says of a part, without articles."""


def read_places(words: str) -> list[tuple[str, ...]]:
    """Return the places that are named of each part, without articles.

    "The left hand is 8 cm high, on the ground, to the left; the right hand is 99 cm high, in the
    middle." -> [("on ground", "to left"), ("in middle",)]
    """
    found = []
    for part in re.split(r"[.;]\s*", re.sub(r"\b(?:the|a|an) ", "", words.lower())):
        clauses = (_PLACE.search(clause.strip()) for clause in re.split(r", | and ", part))
        places = tuple(clause[0] for clause in clauses if clause is not None)
        if places:
            found.append(places)
    return found


_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)(?:\s*(degree|°|cm|centimet))?")


def read_amounts(words: str) -> list[tuple[float, str]]:
    """Return the numbers of a text and their units: "degrees", "cm" or nothing."""
    units = {"degree": "degrees", "°": "degrees", "cm": "cm", "centimet": "cm", "": ""}
    return [(float(number), units[unit]) for number, unit in _AMOUNT.findall(words.lower())]


def same_amounts(words: str, sentence: str, tolerance: float) -> bool:
    """Return whether words begin with the numbers of a sentence, in its order and its units."""
    found, wanted = read_amounts(words), read_amounts(sentence)
    return len(found) >= len(wanted) > 0 and all(
        abs(one - other) <= tolerance and unit in ("", right_unit)
        for (one, unit), (other, right_unit) in zip(found, wanted, strict=False)
    )


_REFUSAL = re.compile(
    r"\b(?:(?:does not|doesn't|do not|don't|cannot|can't|can not) (?:show|tell|know|say|see|judge)"
    r"|not shown|no way to (?:tell|know)|cannot be (?:seen|told|known|measured))\b"
)


def refuses(words: str) -> bool:
    """Return whether words say that a pose does not show what was asked."""
    return _REFUSAL.search(words.lower()) is not None


def topic_right(question: PoseQuestion, reply: PoseReply) -> bool:
    """Return whether what is said not to be shown is what was asked."""
    return any(call == question.call for call in reply.calls)
