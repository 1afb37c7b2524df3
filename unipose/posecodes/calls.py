"""The calls that a language model may write: a small closed language, read as data.

    > check bent left knee              is the left knee bent?
    > check above hands head of 2       are both hands above the head in pose 2?
    > which higher hands                which hand is higher?
    > measure angle left elbow          how far is the left elbow bent?
    > edit of 1: raise the left arm     a change of pose 1, in words
    > turn left 45                      the whole body, by degrees

A call is `> VERB ARGUMENTS [of POSE [POSE]] [: TEXT]`. The arguments come from the tables below; a
POSE is a number, `other` (the one used before the current one), `previous` or `last`; without one
the current pose is meant. What follows the colon is data: it is handed on, never run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from unipose.errors import AnswerParseError

MARK = ">"
"""Opens a call; words of an answer never begin with it."""

SIDES = ("left", "right")
PLURALS = {
    "hand": "hands", "wrist": "wrists", "elbow": "elbows", "shoulder": "shoulders",
    "foot": "feet", "ankle": "ankles", "knee": "knees", "hip": "hips", "toe": "toes",
    "arm": "arms", "leg": "legs", "thigh": "thighs", "shin": "shins",
    "upper arm": "upper arms", "forearm": "forearms",
}  # fmt: skip
"""Every part that there is twice, and the word for both of them."""
CENTRAL = ("head", "neck", "chest", "back")

Phrases = tuple[str, ...]


def sided(*parts: str) -> Phrases:
    """Return the left one and the right one of each part."""
    return tuple(f"{side} {part}" for part in parts for side in SIDES)


def both(*parts: str) -> Phrases:
    """Return the word for both of each part."""
    return tuple(PLURALS[part] for part in parts)


def either(*parts: str) -> Phrases:
    """Return the left one, the right one and both of each part."""
    return sided(*parts) + both(*parts)


HINGES = either("knee", "elbow", "arm", "leg", "hip")
ENDS = ("hand", "foot", "knee", "elbow")
JOINTS = ("hand", "wrist", "elbow", "shoulder", "foot", "ankle", "knee", "hip", "toe")
PLACED = (*either(*JOINTS), "head", "neck", "chest")
"""What is a point, or the two points of both sides."""
SEGMENTS = (*either("thigh", "shin", "upper arm", "forearm", "arm", "leg"), "back")
POSTURES = (
    "standing", "sitting", "squatting", "kneeling", "lying", "lunging", "bending over",
    "on all fours", "upside down",
)  # fmt: skip
PLACES = ("above", "below", "front", "behind", "leftward", "rightward", "near", "touch")
"""Relations between two parts, from the person's own view."""
TOPICS = (
    "clothes", "age", "mood", "weather", "place", "identity", "gender", "hair", "skin", "face",
    "health", "strength", "thoughts", "intention", "speech", "time", "objects", "job", "size",
    "speed", "fingers", "past", "future", "others", "taste",
)  # fmt: skip
"""What a pose does not show."""

Pattern = tuple[Phrases, ...]
"""One way to fill a verb's arguments: a phrase out of each."""


def _places() -> Iterator[Pattern]:
    yield (PLACES, PLACED, PLACED)


RELATIONS: tuple[Pattern, ...] = (
    (("bent", "straight"), (*HINGES, "back")),
    (("raised",), either("hand", "arm", "foot", "leg", "knee", "elbow")),
    (("on ground",), (*either("hand", "foot", "knee", "elbow", "hip", "toe"), "head", "back")),
    (("vertical", "horizontal"), SEGMENTS),
    (("level",), (*both("hand", "foot", "knee", "elbow", "shoulder", "hip"), "head")),
    (("together", "apart", "shoulder width"), both("hand", "foot", "knee", "elbow", "leg", "arm")),
    (("crossed",), both("arm", "leg")),
    (("leaning",), ("forward", "backward", "left", "right")),
    (("looking",), ("left", "right", "up", "down", "ahead")),
    (("facing",), ("front", "back", "left", "right")),
    (("weight",), ("left foot", "right foot", "both feet")),
    (("upright", "twisted", "balanced", "symmetric"),),
    (POSTURES,),
    *_places(),
)
"""What is true or false of one pose: relation, then its parts."""

ORDERS = ("higher", "lower", "bent", "straight", "forward", "back", "out")
"""By what the left and the right one of a part are compared; bent is "more bent"."""
EXTREMES = ("highest", "lowest", "bent", "straight", "apart", "together", "forward")
_COUNTED = either("hand", "foot", "knee", "elbow", "arm", "leg")
_TWO = both("hand", "foot", "knee", "elbow", "arm", "leg", "shoulder", "hip", "ankle", "wrist")

QUESTIONS: dict[str, tuple[Pattern, ...]] = {
    "check": RELATIONS,
    "which": (
        (ORDERS, _TWO),
        (("near",), _TWO, ("viewer", *PLACED)),
        (("weight",), ("feet",)),
    ),
    "between": ((ORDERS, (*PLACED, *HINGES)), (("apart", "together"), both(*ENDS))),
    "measure": (
        (("angle",), (*HINGES, *either("shoulder", "ankle"))),
        (("height",), PLACED),
        (("distance",), both(*JOINTS)),
        (("distance", "above", "front", "side"), PLACED, PLACED),
        (("tilt",), (*SEGMENTS, "head", "shoulders", "hips")),
        (("lean", "twist", "turn", "nod", "facing"),),
    ),
    "where": ((PLACED,),),
    "touching": ((), (either("hand", "foot", "knee", "elbow"),), (("head",),)),
    "count": (
        (("on ground",), (*both("foot", "hand", "knee"), "limbs")),
        (("above",), both("hand", "elbow", "foot", "knee"), ("head", "shoulders", "hips")),
        (("raised", "bent", "straight"), both("hand", "foot", "arm", "leg", "knee", "elbow")),
    ),
    "posture": ((),),
    "moved": (
        (("up", "down", "forward", "back", "left", "right", "most"),),
        (("up", "down", "forward", "back", "left", "right", "most"), (*PLACED, *_COUNTED)),
        (("more",), _TWO),
    ),
    "became": RELATIONS,
    "when": ((EXTREMES, (*PLACED, *HINGES)),),
    "assess": ((("squat", "lunge", "posture", "balance"),),),
    "why": ((),),
    "unknown": ((TOPICS,),),
}
"""Verb -> arguments of what is answered by measuring."""

DEGREES = tuple(str(degrees) for degrees in range(1, 361))
REQUESTS: dict[str, tuple[Pattern, ...]] = {
    "describe": ((),),
    "generate": ((),),
    "edit": ((),),
    "replace": ((),),
    "compare": ((),),
    "mirror": ((),),
    "turn": ((("around",),), (SIDES,), (SIDES, DEGREES)),
    "face": ((("front", "back", "left", "right"),),),
    "undo": ((),),
    "redo": ((),),
    "choose": ((),),
    "save": ((),),
    "draw": ((),),
    "open": ((),),
    "list": ((),),
    "help": ((),),
}
"""Verb -> arguments of what is done. edit changes limbs, replace makes the whole posture anew."""
WITH_TEXT = frozenset({"generate", "edit", "replace", "save", "open"})
"""Verbs that end in a text: a prompt, a change, a file's name."""
WITHOUT_POSE = frozenset(
    {"generate", "open", "undo", "redo", "list", "help", "unknown", "why", "when"}
)
WITH_TWO_POSES = frozenset({"compare", "between", "moved", "became"})
POSES = ("other", "previous", "last", *(str(number) for number in range(1, 100)))
VERBS = {**QUESTIONS, **REQUESTS}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, read."""

    verb: str
    arguments: tuple[str, ...] = ()
    """Phrases of the verb's pattern, such as ("above", "hands", "head")."""
    poses: tuple[str, ...] = ()
    """Which poses are meant, out of POSES; empty is the current one (or the two newest)."""
    text: str = ""

    def __str__(self) -> str:
        head = " ".join((MARK, self.verb, *self.arguments))
        of = f" of {' '.join(self.poses)}" if self.poses else ""
        return f"{head}{of}" + (f": {self.text}" if self.text else "")


def most_poses(verb: str) -> int:
    """Return how many poses may be named behind a verb."""
    return 0 if verb in WITHOUT_POSE else 2 if verb in WITH_TWO_POSES else 1


def read_call(line: str) -> Call:
    """Return the call that `line` writes; str(call) == line.

    Raises AnswerParseError, with the line, for anything that the tables do not allow.
    """
    head, colon, text = line.strip().partition(": ")
    words = head.split(" ")
    if len(words) < 2 or words[0] != MARK or words[1] not in VERBS:
        raise AnswerParseError(f"expected '{MARK} VERB ...', got {line[:80]!r}")
    verb, rest = words[1], words[2:]
    poses: tuple[str, ...] = ()
    if "of" in rest:
        at = rest.index("of")
        poses, rest = tuple(rest[at + 1 :]), rest[:at]
        if not 0 < len(poses) <= most_poses(verb) or any(pose not in POSES for pose in poses):
            raise AnswerParseError(f"no poses that {verb!r} can be asked of: {line[:80]!r}")
    if bool(text.strip()) != (verb in WITH_TEXT):
        need = "needs" if verb in WITH_TEXT else "takes no"
        raise AnswerParseError(f"{verb!r} {need} text after ': ', got {line[:80]!r}")
    arguments = arguments_of(verb).get(tuple(rest))
    if arguments is None:
        raise AnswerParseError(f"{verb!r} cannot have these arguments: {line[:80]!r}")
    return Call(verb=verb, arguments=arguments, poses=poses, text=text.strip() if colon else "")


@cache
def arguments_of(verb: str) -> dict[tuple[str, ...], tuple[str, ...]]:
    """Return every way to fill a verb's arguments: its words -> its phrases."""
    found = {}
    for pattern in VERBS[verb]:
        for phrases in _filled(pattern):
            if len(set(phrases)) == len(phrases):  # nothing is above itself
                found[tuple(" ".join(phrases).split())] = phrases
    return found


def _filled(pattern: Pattern) -> Iterable[tuple[str, ...]]:
    if not pattern:
        return [()]
    return [(phrase, *rest) for rest in _filled(pattern[1:]) for phrase in pattern[0]]
