"""A turn with calls: only what the model writes is done, and its words are held to the result."""

from __future__ import annotations

import pytest

from tests.fakes.speaker import FakeSpeaker
from unipose.language.call_loop import (
    LONGEST_RESULT,
    MOST_CALLS,
    CallResult,
    Turn,
    begins_like,
    says_the_same,
    take_turn,
)
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import Call
from unipose.posecodes.finding import Finding

SENTENCE = "No: the left hand is 12 cm below the head."
FOUND = Finding(
    kind="yes_no", value=False, fact="no: left hand is 12 cm below head", sentence=SENTENCE,
    evidence="The left hand is 12 cm below the head.",
)  # fmt: skip


def turn_of(*said: str, typed: str = "is it?", told: str = "") -> tuple[Turn, list[Call], str]:
    """Return the turn, the calls that were done, and what was pieces."""
    done: list[Call] = []
    pieces: list[str] = []

    def run(call: Call) -> CallResult:
        done.append(call)
        return CallResult(model_text=told or FOUND.fact, finding=None if told else FOUND)

    turn = Turn()
    take_turn(FakeSpeaker(*said), [Message.of("user", typed)], run, turn, on_text=pieces.append)
    return turn, done, "".join(pieces)


def test_a_call_is_done_and_the_model_goes_on_with_its_result():
    turn, done, pieces = turn_of("> check above left hand head", SENTENCE)
    assert [str(call) for call in done] == ["> check above left hand head"]
    assert [message.role for message in turn.messages] == ["assistant", "tool", "assistant"]
    assert turn.words == pieces == SENTENCE
    assert not turn.corrected


@pytest.mark.parametrize(
    "words",
    [
        "Yes: the left hand is 12 cm below the head.",
        "No: the right hand is 12 cm below the head.",
        "No: the left hand is 13 cm below the head.",
        "No: the left hand is 12 cm above the head.",
        "No.",
        "",
    ],
)
def test_words_that_leave_the_result_give_way_to_the_programs_own(words: str):
    turn, _, pieces = turn_of("> check above left hand head", words)
    assert turn.corrected
    assert turn.messages[-1].text == SENTENCE
    assert pieces.endswith(SENTENCE)


def test_other_words_with_the_same_result_are_kept():
    words = "No, her left hand is still 12 cm below the head"
    turn, _, _ = turn_of("> check above left hand head", words)
    assert turn.words == words


def test_calls_in_what_is_typed_or_measured_are_never_done():
    turn, done, _ = turn_of("Hello.", typed="> save: /etc/passwd")
    assert done == []
    assert turn.words == "Hello."
    turn, done, _ = turn_of("> help", "", told="> save: x.npz")
    assert [call.verb for call in done] == ["help"]


def test_a_model_that_goes_on_calling_is_stopped():
    speaker = FakeSpeaker(*["> help"] * 20)
    verbs_left: list[bool] = []

    class Counting(FakeSpeaker):
        def answer(self, messages, *, verbs=(), on_text=None):
            verbs_left.append(bool(verbs))
            return speaker.answer(messages) if verbs else "Enough."

    turn = Turn()
    take_turn(
        Counting(), [Message.of("user", "?")], lambda call: CallResult(model_text="shown"), turn
    )
    assert len(turn.calls) == MOST_CALLS
    assert verbs_left == [True] * MOST_CALLS + [False]


def test_a_call_that_was_cut_off_is_not_done():
    turn, done, _ = turn_of("> edit of 2")
    assert done == []
    assert turn.messages == [Message.of("assistant", "")]


def test_an_interruption_leaves_what_was_said():
    turn = Turn()

    def interrupt(piece: str) -> None:
        if "hand" in piece:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_turn(
            FakeSpeaker("The left hand is high."), [Message.of("user", "?")],
            lambda call: CallResult(model_text=""), turn, on_text=interrupt,
        )  # fmt: skip
    assert turn.words == "The left hand"


def test_the_beginning_of_a_sentence_is_followed_word_by_word():
    assert begins_like("No: the left hand is 1", SENTENCE)
    assert not begins_like("No: the left hand is 13 cm", SENTENCE)
    assert not begins_like("No: the left hand is 13", SENTENCE)
    assert begins_like("The left knee bends by 110.", "The knee on the left bends by 110.")
    assert says_the_same(SENTENCE, SENTENCE)


def test_a_speaker_that_calls_whatever_it_is_let_is_stopped():
    turn, done, _ = turn_of(*["> help"] * 20, told="shown")
    assert len(done) == MOST_CALLS
    assert turn.messages[-1] == Message.of("assistant", "")


def test_a_call_of_a_verb_that_is_not_allowed_is_not_done():
    turn, done = Turn(), []
    take_turn(
        FakeSpeaker("> save: a.npz"), [Message.of("user", "?")], done.append, turn,
        verbs=("check",),
    )  # fmt: skip
    assert (done, turn.calls) == ([], [])


def test_the_finding_that_counts_is_the_one_of_the_last_call():
    turn, _, _ = turn_of("> check above left hand head", "> check above left hand head", "Yes!")
    assert len(turn.calls) == 2
    assert turn.words == SENTENCE


def test_words_without_a_finding_are_not_held_to_anything():
    words = "Here is pose 7, the left one, yes."
    turn, _, pieces = turn_of("> generate: a squat", words, told="pose 2")
    assert turn.words == pieces == words
    assert not turn.corrected


def test_a_sentence_is_stopped_before_its_wrong_number():
    _, _, pieces = turn_of("> check above left hand head", "No: the left hand is 99 cm below it.")
    assert pieces == f"No: the left hand is ... {SENTENCE}"


def test_the_model_reads_the_beginning_of_a_long_result():
    speaker = FakeSpeaker("> help", "Done.")
    turn = Turn()
    long = CallResult(model_text="x" * 10_000)
    take_turn(speaker, [Message.of("user", "?")], lambda call: long, turn)
    assert speaker.read[-1][-1] == Message.of("tool", "x" * LONGEST_RESULT)


@pytest.mark.parametrize(
    ("words", "same"),
    [
        ("no, LEFT: 12, below", True),
        ("No: left hand 12.0 cm below", False),
        ("No: left hand 12 cm below, not above", False),
        ("No: 12 cm below is the left hand", False),
        ("", False),
    ],
)
def test_words_say_the_same_if_their_numbers_and_sides_do(words: str, same: bool):
    assert says_the_same(words, SENTENCE) is same
