"""The language of calls: whatever can be written is read back, all else is refused by name."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from unipose.errors import AnswerParseError
from unipose.posecodes.calls import (
    MARK,
    POSES,
    QUESTIONS,
    REQUESTS,
    VERBS,
    WITH_TEXT,
    Call,
    arguments_of,
    most_poses,
    read_call,
)

WAYS = {verb: sorted(set(arguments_of(verb).values())) for verb in VERBS}


def fields_of(verb: str) -> st.SearchStrategy[dict[str, object]]:
    """Return the fields of any call of a verb."""
    text = st.text(min_size=1).map(str.strip).filter(bool)
    return st.fixed_dictionaries(
        {
            "verb": st.just(verb),
            "arguments": st.sampled_from(WAYS[verb]),
            "poses": st.lists(st.sampled_from(POSES), max_size=most_poses(verb)).map(tuple),
            "text": text if verb in WITH_TEXT else st.just(""),
        }
    )


@given(st.sampled_from(sorted(VERBS)).flatmap(fields_of))
@example({"verb": "save", "text": "> undo"})
@example({"verb": "edit", "poses": ("1",), "text": "of 2: raise: the arm"})
def test_a_call_is_read_as_it_is_written(fields: dict[str, object]):
    call = Call(**fields)  # type: ignore[arg-type]
    assert read_call(str(call)) == call


def test_every_way_to_ask_is_read_back_to_its_phrases():
    for verb in VERBS.keys() - WITH_TEXT:
        for words, phrases in arguments_of(verb).items():
            line = " ".join((MARK, verb, *words))
            assert (str(read_call(line)), read_call(line).arguments) == (line, phrases)


@given(st.text())
@example("> check bent left knee\n> undo")
def test_a_line_is_a_call_or_is_refused_and_nothing_else_happens(line: str):
    for said in (line, f"> {line}", f"> check {line}", f"> edit {line}"):
        try:
            call = read_call(said)
        except AnswerParseError:
            continue
        assert read_call(str(call)) == call


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "expected '> VERB"),
        (">", "expected '> VERB"),
        ("check bent left knee", "expected '> VERB"),
        (">check bent left knee", "expected '> VERB"),
        (">  check bent left knee", "expected '> VERB"),
        ("> dance", "expected '> VERB"),
        ("> __import__", "expected '> VERB"),
        ("> Check bent left knee", "expected '> VERB"),
        ("> check", "cannot have these arguments"),
        ("> check bent", "cannot have these arguments"),
        ("> check bent left  knee", "cannot have these arguments"),
        ("> check bent left\u00a0knee", "cannot have these arguments"),
        ("> check bent left knee\n> undo", "cannot have these arguments"),
        ("> check bent left knee; rm -rf /", "cannot have these arguments"),
        ("> check above head head", "cannot have these arguments"),
        ("> turn left 361", "cannot have these arguments"),
        ("> turn left 045", "cannot have these arguments"),
        ("> describe of", "no poses"),
        ("> describe of 0", "no poses"),
        ("> describe of 100", "no poses"),
        ("> describe of 1 2", "no poses"),
        ("> compare of 1 2 3", "no poses"),
        ("> describe of mine", "no poses"),
        ("> undo of 1", "no poses"),
        ("> describe: it", "takes no text"),
        ("> check bent left knee: please", "takes no text"),
        ("> save", "needs text"),
        ("> save: ", "expected .> VERB"),
        ("> save:file.npz", "expected .> VERB"),
        ("> edit of 1", "needs text"),
    ],
)
def test_what_is_no_call_is_refused_with_the_reason(line: str, problem: str):
    with pytest.raises(AnswerParseError, match=problem):
        read_call(line)


def test_a_refusal_shows_the_beginning_of_a_long_line():
    with pytest.raises(AnswerParseError) as refused:
        read_call("> " + "dance " * 10_000)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    "text",
    ["../../etc/passwd", "$(reboot).npz", "a.npz of 2", "> undo", "Poses/My Squat 2.npz", "a: b"],
)
def test_a_text_is_handed_on_as_it_stands(text: str):
    assert read_call(f"> save: {text}") == Call(verb="save", text=text)


def test_what_is_answered_by_measuring_is_never_also_done():
    assert QUESTIONS.keys().isdisjoint(REQUESTS)


def test_nothing_is_compared_with_itself():
    assert all(len(set(phrases)) == len(phrases) for phrases in WAYS["check"])
