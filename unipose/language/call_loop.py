"""One turn of a conversation: the model writes calls, the program does them, the model goes on.

    user       which hand is higher
    assistant  > which higher hands                 written inside the grammar of calls
    tool       right hand is 81 cm higher ..        what the program measured
    assistant  The right hand is 81 cm higher ..    streamed to the listener

Words about something that was measured are held to it: their numbers, sides and yes or no must be
those of the finding, in its order. Where the model leaves them, its sentence is stopped and the
program's own takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from unipose.errors import AnswerParseError
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import MARK, VERBS, Call, read_call
from unipose.posecodes.finding import Finding

MOST_CALLS = 4
"""Calls of one turn; a model that goes on calling is stopped."""
SYSTEM = "You talk about human body poses."
"""What every conversation begins with."""
LONGEST_RESULT = 600
"""Characters of a result that the model reads."""

TextCallback = Callable[[str], None]
"""Is given each piece of an answer as soon as it is known."""


@runtime_checkable
class Speaker(Protocol):
    """What a turn needs of `ConversationModel`."""

    def answer(
        self,
        messages: Sequence[Message],
        *,
        verbs: Collection[str] = ...,
        on_text: TextCallback | None = None,
    ) -> str:
        """Return what the assistant says next: words, a call, or nothing."""
        ...


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """What a call came to."""

    model_text: str
    """The line that the model is given."""
    user_text: str = ""
    """What the program itself says to the user: a description, a list, an error."""
    finding: Finding | None = None
    failed: bool = False


@dataclass(frozen=True, kw_only=True)
class CallMade:
    """A call that the model wrote, and its result."""

    call: Call
    result: CallResult


@dataclass(kw_only=True)
class Turn:
    """What came of one turn; grows while it is made: an interruption keeps what was said."""

    messages: list[Message] = field(default_factory=list)
    """Of the assistant and of tools, in order; the last one is the assistant's."""
    calls: list[CallMade] = field(default_factory=list)
    words: str = ""
    """What the model said."""
    corrected: bool = False
    """Whether words left what was measured and the program's own took their place."""


class _LeftFindingError(Exception):
    """The words being said are no longer those of what was measured."""


def take_turn(
    speaker: Speaker,
    messages: Sequence[Message],
    run: Callable[[Call], CallResult],
    turn: Turn,
    *,
    verbs: Collection[str] = VERBS,
    on_text: TextCallback | None = None,
) -> None:
    """Let the model answer the last message, with calls done by `run`; `turn` takes what comes.

    Only what the model itself writes is a call: text of the user or of a result never is.
    """
    while True:
        last = turn.calls[-1].result if turn.calls else None
        left = verbs if len(turn.calls) < MOST_CALLS else ()
        said = _speak(speaker, [*messages, *turn.messages], left, last, turn, on_text)
        turn.messages.append(Message.of("assistant", said))
        if not said.startswith(MARK):
            turn.words = said
            return
        try:
            call = read_call(said)
        except AnswerParseError:  # cut at the most tokens of an answer
            call = None
        if call is None or call.verb not in left:
            turn.messages[-1] = Message.of("assistant", "")
            return
        result = run(call)
        turn.calls.append(CallMade(call=call, result=result))
        turn.messages.append(Message.of("tool", result.model_text[:LONGEST_RESULT]))


def _speak(
    speaker: Speaker,
    messages: list[Message],
    verbs: Collection[str],
    last: CallResult | None,
    turn: Turn,
    on_text: TextCallback | None,
) -> str:
    """Return what the model says; held to what was measured if something was."""
    finding = None if last is None else last.finding
    said = ""

    def check_piece(piece: str) -> None:
        nonlocal said
        said += piece
        if finding is not None and not begins_like(said, finding.sentence):
            raise _LeftFindingError
        turn.words = said
        if on_text is not None:
            on_text(piece)

    try:
        answer = speaker.answer(messages, verbs=verbs, on_text=check_piece)
    except _LeftFindingError:
        answer = None
    if finding is None or (answer and answer.startswith(MARK)):
        return answer or ""
    if answer and says_the_same(answer, finding.sentence):
        return answer
    turn.corrected = True
    if on_text is not None:
        on_text(f" ... {finding.sentence}" if said.strip() else finding.sentence)
    return finding.sentence


_KEY_WORDS = re.compile(
    r"\d+(?:\.\d+)?|\b(?:left|right|both|neither|yes|no|not|slightly|above|below|front|behind|first|"
    r"second|up|down|forward|backward)\b"
)

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def says_the_same(words: str, sentence: str) -> bool:
    """Return whether words have the numbers, sides and directions of a sentence, in its order."""
    return _keys(words) == _keys(sentence)


def begins_like(words: str, sentence: str) -> bool:
    """Return whether words may still become `says_the_same`; the last one may be unfinished.

    An unfinished number has to begin the one that is due: nobody hears a wrong one.
    """
    begun = words.rfind(" ") + 1
    said, due = _keys(words[:begun]), _keys(sentence)
    number = _NUMBER.match(words, begun)
    if number and not any(key.startswith(number[0]) for key in due[len(said) : len(said) + 1]):
        return False
    return said == due[: len(said)]


def _keys(text: str) -> list[str]:
    return _KEY_WORDS.findall(text.lower())
