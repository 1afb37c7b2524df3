"""An answer about poses that is measured: the language model calls, rules measure, it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from unipose.assistant.request_texts import checked_answer
from unipose.body.pose import Pose
from unipose.files.notes import add_note
from unipose.language.call_loop import SYSTEM, CallMade, CallResult, Speaker, Turn, take_turn
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import QUESTIONS, Call
from unipose.posecodes.finding import Finding
from unipose.posecodes.held_poses import HeldPoses, state_line
from unipose.posecodes.questions import answer_call, show_film, show_pose
from unipose.posecodes.sureness import UNSURE, hangs_on_eyes
from unipose.posecodes.unheeded import judged, remarks

ANSWERED = (*QUESTIONS, "describe", "compare")
"""Verbs of calls that answer a question; the others change something."""


@dataclass(frozen=True, kw_only=True)
class PoseAnswer:
    """An answer to a question about poses, and where it comes from."""

    text: str
    finding: Finding | None = None
    """What was measured last; None where nothing had to be."""
    calls: tuple[CallMade, ...] = ()
    sure: bool = True
    """False if a pose was read off a picture and the answer hangs on less than this is off by, or
    if something that the question names was not looked at."""


@runtime_checkable
class DescribesAndCompares(Protocol):
    """What calls ask of the pose model."""

    def describe(self, shown: Pose, /) -> str:
        """Return one pose in words."""
        ...

    def compare(self, a: Pose, b: Pose, /) -> str:
        """Return in words what changes from one pose to the other."""
        ...


def answer_about(
    question: str,
    poses: Sequence[Pose],
    assistant: DescribesAndCompares,
    speaker: Speaker,
    *,
    photos: Set[int],
    on_text: Callable[[str], None] | None,
) -> PoseAnswer:
    """Return the answer to a question about poses, numbered from 1.

    `speaker` understands it, `assistant` says what is more than a measurement. `photos` are the
    numbers of those that were read off pictures. Raises as `UniPose.answer_fully`.
    """
    held = HeldPoses[Pose]()
    for pose in poses:
        held.hold(pose)
    unsure = False

    def run(call: Call) -> CallResult:
        nonlocal unsure
        numbers = held.numbers_of(call.verb, call.poses)
        asked = [held[number][0] for number in numbers]
        if call.verb in ("describe", "compare"):
            text = assistant.describe(*asked) if len(asked) == 1 else assistant.compare(*asked)
            return CallResult(model_text="shown", user_text=checked_answer(text))
        film = show_film(held[1]) if call.verb == "when" and len(held[1]) > 1 else None
        found = answer_call(call, [show_pose(pose) for pose in asked], film=film)
        found = judged(question, call, found)
        unsure |= bool(photos & {*numbers}) and hangs_on_eyes(found)
        return CallResult(model_text=found.fact, finding=found)

    messages = [Message.of("system", SYSTEM), Message.of("tool", state_line(held))]
    turn = Turn()
    take_turn(
        speaker, [*messages, Message.of("user", question)], run, turn,
        verbs=ANSWERED, on_text=on_text,
    )  # fmt: skip
    shown_texts = [made.result.user_text for made in turn.calls if made.result.user_text]
    text = "\n".join([*shown_texts, turn.words]).strip()
    findings = [made.result.finding for made in turn.calls if made.result.finding]
    frames = max(len(pose) for pose in poses)
    if frames > 1 and not any(made.call.verb == "when" for made in turn.calls):
        add_note(
            None,
            f"the recording holds {frames:,} poses; this is about the first, --at SECONDS or "
            "--frame N (in Python pose.at(seconds)) picks another",
        )
    left_out = remarks(question, [made.call for made in turn.calls])
    added = [UNSURE] * unsure + [left_out] * bool(left_out)
    return PoseAnswer(
        text=" ".join([text, *added]),
        finding=findings[-1] if findings else None,
        calls=tuple(turn.calls),
        sure=not unsure and not left_out,
    )
