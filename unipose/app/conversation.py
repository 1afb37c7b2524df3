"""What a plain sentence of the chat asks for: rules, in one place, that need no model.

A sentence becomes a `Request`: describe, compare, generate or edit, with the poses it speaks of.
Poses are counted from 1, in the order in which they came into the conversation. The rules, first
match wins; politeness at the front ("please", "now", "can you") is dropped before:

1. generate: "make a pose of ...", "show me someone ...", "a person kneels", "generate: ...";
2. compare:  "compare ...", "what changes from the first to the second", "the difference between";
3. describe: "describe ...", "what does the pose look like", "what is the person doing";
4. edit:     a verb of movement first ("raise", "bend", "turn"), or "make/change/let the ...".

Speaking of poses: "the pose" (also "it", "this") is the newest; "the first", "the second",
"pose 3", "the previous one" and "the last" are what they say. A comparison without poses takes the
two newest. Anything else is unclear, and the error says how to ask; nothing is guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from unipose.errors import PoseQueryError


class Task(Enum):
    """The four things that the model does with poses and words."""

    DESCRIBE = "describe"
    COMPARE = "compare"
    GENERATE = "generate"
    EDIT = "edit"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a sentence asks for; `poses` are numbers from 1, `text` is what the model is given."""

    task: Task
    poses: tuple[int, ...] = ()
    text: str = ""


HOW_TO_ASK = (
    'ask for example "describe the pose", "what changes from the first to the second", '
    '"make a pose of someone squatting" or "raise the left arm"; /help lists everything'
)

_POLITE = re.compile(
    r"^(?:(?:please|now|then|ok|okay|and|so|next|hi|hello|well|could you|can you|would you|will you"
    r"|i want you to|i would like you to|i'd like you to|let's|just|also)\b[\s,.!:]*)+",
    re.IGNORECASE,
)
_MAKE = re.compile(
    r"^(?:make|generate|create|draw|build|produce|invent|imagine|sketch|show|give)(?: me| us)?\s+"
    r"(?!the\b|it\b|him\b|her\b|them\b|his\b|its\b|their\b)"
    r"(?P<what>(?:a|an|one|another|some|someone|somebody)\b.*)$",
    re.IGNORECASE | re.DOTALL,
)
_MAKE_COLON = re.compile(r"^(?:generate|create|imagine|pose)\s*:?\s+(?P<what>\S.*)$", re.I | re.S)
_INDEFINITE = re.compile(
    r"^(?:(?:a|another) (?:pose|person|man|woman|figure|body|human|child)|someone|somebody)\b",
    re.IGNORECASE,
)
_POSE_OF = re.compile(
    r"^(?:a|an|one|another|some)\s+(?:new |other |random )?pose(?:\s*[:,-]\s*|\s+(?:of|in which"
    r"|where|with|that shows|showing|such that|so that|for)\s+)(?P<what>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_COMPARE = re.compile(
    r"\b(?:compare|comparison|differs?|differences?|different|what(?:'s| is| has)? chang\w*"
    r"|what (?:must|should|has to|would|do i have to|needs to) .*\bchanged?\b|the changes?\b"
    r"|(?:get|go|move) (?:from|to)\b.*\b(?:from|to))\b",
    re.IGNORECASE,
)
_DESCRIBE = re.compile(
    r"^(?:(?:describe|explain|caption|summari[sz]e)\b|put .* (?:in|into) words|tell me about\b"
    r"|(?:tell me |say )?(?:what|how|which)\b.*\b(?:pose|person|body|figure|doing|standing|posed"
    r"|looks?)\b|(?:what|how) (?:is|does|about) (?:it|this|that|the)\b)",
    re.IGNORECASE | re.DOTALL,
)
_MOVEMENTS = (
    "raise|lower|bend|straighten|stretch|extend|flex|turn|rotate|twist|lift|move|put|bring|spread"
    "|cross|uncross|lean|tilt|open|close|drop|place|point|swing|step|sit|stand|crouch|squat|kneel"
    "|widen|narrow|push|pull|shift|relax|hold|keep|reach|touch|look|nod|bow|arch|curl|fold|unbend"
    "|pull|slide|hang|rest|tuck|shrug|swap|mirror|change|adjust|edit|modify|let|make|have"
)
_EDIT = re.compile(rf"^(?:slightly |a bit |only )?(?:{_MOVEMENTS})\b", re.IGNORECASE)
_CHANGE_SO_THAT = re.compile(
    r"^(?:change|edit|modify|adjust|make|take)\s+(?:the pose|it|this|this pose|the person|@)\s*"
    r"(?:so that|such that|by|to have|:|,|and|with)\s*(?P<what>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)

_ORDINALS = {
    word: number
    for number, words in enumerate(
        [
            ("first", "1st"),
            ("second", "2nd"),
            ("third", "3rd"),
            ("fourth", "4th"),
            ("fifth", "5th"),
        ],
        start=1,
    )
    for word in words
}
_AFTER = (
    r"(?=\s*$|\s*[.,;:!?)]|\s+(?:to|and|so|with|into|in|from|look\w*|differ\w*|than|is|has|by|but"
    r"|versus|vs|such|that|this|it|raise|lower|bend|straighten|turn)\b)"
)
_POSE = re.compile(
    rf"\b(?:(?:the|my|this)\s+(?P<ordinal>{'|'.join(_ORDINALS)}|last|latest|newest|previous|current)"
    rf"(?:\s+(?:pose|one|person)\b|{_AFTER})|pose\s+(?:number\s+|#)?(?P<number>\d{{1,4}})\b)",
    re.IGNORECASE,
)
_NEWEST = re.compile(r"\b(?:(?:the|this) (?:pose|person|body|figure)|it|this|this one)\b", re.I)
_TO_FROM = re.compile(r"\b(?:to|into)\s+@\s+from\s+@", re.IGNORECASE)
_ALL = re.compile(r"\b(?:both|all|them|the poses|every pose|each)\b", re.IGNORECASE)
_TARGET_FIRST = re.compile(
    r"^(?:in|of|for|on|from|take|with|change|edit|modify|make|let)\s+@\s*"
    r"(?:so that|such that|[,:]?\s*and\b|[,:]|by)?\s*(?P<what>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_FILE = re.compile(r"\S\.(?:npz|npy|json|bvh|amc|glb|obj|png|gif|mp4)\b", re.IGNORECASE)
_TARGET_LAST = re.compile(r"^(?P<what>.*?)\s*,?\s*(?:in|of|on|for)\s+@\s*[.!]?$", re.I | re.S)


def understand(sentence: str, *, poses: int) -> Request:
    """Return what `sentence` asks for in a conversation that holds `poses` poses.

    >>> understand("What changes from the first to the second?", poses=2)
    Request(task=<Task.COMPARE: 'compare'>, poses=(1, 2), text='')
    >>> understand("please raise the left arm of the first pose", poses=2)
    Request(task=<Task.EDIT: 'edit'>, poses=(1,), text='raise the left arm')

    Raises PoseQueryError where the sentence is unclear or speaks of a pose that is not there.
    """
    plain = _POLITE.sub("", " ".join(sentence.split())).strip()
    if _FILE.search(plain):
        raise PoseQueryError("a file is read with /pose FILE and written with /save FILE")
    making = _what_to_make(plain)
    if making:
        return Request(task=Task.GENERATE, text=making)
    if _COMPARE.search(plain):
        return Request(task=Task.COMPARE, poses=_two_poses(plain, poses))
    if _DESCRIBE.match(plain):
        return Request(task=Task.DESCRIBE, poses=_poses_or_newest(plain, poses))
    return _edit(plain, poses)


def _what_to_make(plain: str) -> str:
    """Return the words of the pose to make, or nothing if the sentence asks for something else."""
    match = _MAKE.match(plain) or _MAKE_COLON.match(plain)
    what = match["what"] if match else plain if _INDEFINITE.match(plain) else ""
    inner = _POSE_OF.match(what)
    what = inner["what"] if inner else what
    if re.fullmatch(r"(?:a|an|one|another|some)\s+(?:new |other |random )?pose\W*", what, re.I):
        raise PoseQueryError(
            'a pose of what? Say for example "make a pose of someone squatting, both arms raised"'
        )
    return what


def _edit(plain: str, poses: int) -> Request:
    """Return the edit that `plain` asks for, without the words that only say which pose."""
    named = _named_poses(plain, poses)
    if len(named) > 1:
        raise PoseQueryError("a change needs one pose, and this names several; " + HOW_TO_ASK)
    text = plain
    if named:
        marked = _POSE.sub("@", plain)
        match = _TARGET_FIRST.match(marked) or _TARGET_LAST.match(marked)
        text = match["what"] if match else plain
    so_that = _CHANGE_SO_THAT.match(text)
    text = so_that["what"] if so_that else text
    if not (_EDIT.match(plain) or _EDIT.match(text)):
        raise PoseQueryError(_unclear(plain))
    if not named:
        _require(1, poses)
    return Request(task=Task.EDIT, poses=named or (poses,), text=text)


def _unclear(plain: str) -> str:
    start = plain[:60] + ("..." if len(plain) > 60 else "")
    commands = {
        r"^(?:save|write|export|store)\b": "to keep a pose: /save FILE",
        r"^(?:show|draw|display|view|render|see)\b": "to draw the pose: /show",
        r"^(?:load|open|read|import)\b": "to read a pose: /pose FILE",
        r"^(?:quit|exit|bye|goodbye|stop)\b": "to leave: /quit",
        r"^(?:help|what can you|how do)\b": "for all that can be asked: /help",
    }
    for pattern, hint in commands.items():
        if re.match(pattern, plain, re.IGNORECASE):
            return f"I did not understand {start!r}; {hint}"
    return f"I did not understand {start!r}; {HOW_TO_ASK}"


def _named_poses(plain: str, poses: int) -> tuple[int, ...]:
    """Return the numbers of the poses that `plain` names, in the order of its words."""
    numbers = []
    for match in _POSE.finditer(plain):
        word = (match["ordinal"] or "").lower()
        if match["number"]:
            number = int(match["number"])
        elif word == "previous":
            number = poses - 1
        else:
            number = _ORDINALS.get(word, poses)
        _require(max(number, 1), poses)
        numbers.append(max(number, 1))
    return tuple(numbers)


def _poses_or_newest(plain: str, poses: int) -> tuple[int, ...]:
    named = _named_poses(plain, poses)
    if named:
        return named
    _require(1, poses)
    return tuple(range(1, poses + 1)) if _ALL.search(plain) else (poses,)


def _two_poses(plain: str, poses: int) -> tuple[int, int]:
    """Return the pose to start from and the pose to arrive at."""
    _require(2, poses)
    marked = _POSE.sub("@", plain)
    match _named_poses(plain, poses):
        case ():
            return poses - 1, poses
        case (one,):  # the other is "it", "the pose": the newest that is not the named one
            other = poses if one != poses else poses - 1
            newest = _NEWEST.search(marked)
            other_first = newest is not None and newest.start() < marked.index("@")
            return (other, one) if other_first else (one, other)
        case (start, end):
            return (end, start) if _TO_FROM.search(marked) else (start, end)
        case more:
            raise PoseQueryError(f"a comparison takes two poses, and this names {len(more)}")


def _require(number: int, poses: int) -> None:
    if number <= poses:
        return
    if poses == 0:
        raise PoseQueryError(
            'there is no pose yet; type /pose FILE, or /pose example, or "make a pose of ..."'
        )
    held = "1 pose" if poses == 1 else f"{poses} poses"
    raise PoseQueryError(
        f"there is no pose {number}: this conversation holds {held}; /poses lists them, /pose FILE "
        "adds one"
    )
