"""Scripts: the same seed writes the same conversation, and every answer is measured."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

import pytest

from data_builders.conversations import script as script_room
from data_builders.conversations.exchanges import Exchange, Script
from data_builders.conversations.script import ScriptWriter
from data_builders.conversations.typing_style import typed
from data_builders.conversations.wordings import sections
from unipose.app.examples import EXAMPLES, example_pose
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import QUESTIONS, Call, read_call
from unipose.posecodes.questions import answer_call, show_pose


@pytest.fixture(scope="module")
def writer() -> ScriptWriter:
    return ScriptWriter([show_pose(example_pose(name)) for name in EXAMPLES])


def scripts(writer: ScriptWriter, count: int, seed: int = 0) -> list[Script]:
    random = Random(seed)
    return [writer.write(random, turns=4) for _ in range(count)]


def test_the_same_seed_writes_the_same_conversation(writer: ScriptWriter):
    first, second = ([script.messages() for script in scripts(writer, 5, seed=3)] for _ in range(2))
    assert first == second
    assert first != [script.messages() for script in scripts(writer, 5, seed=4)]


@pytest.mark.slow
def test_calls_are_followed_by_their_results_and_turns_end_in_words(writer: ScriptWriter):
    for script in scripts(writer, 40):
        roles = [message.role for message in script.messages()]
        assert roles[0] == "system"
        assert roles[-1] == "assistant"
        messages = script.messages()
        for before, after in pairwise(messages):
            if before.role == "assistant" and before.text.startswith(">"):
                assert str(read_call(before.text)) == before.text
                assert after.role == "tool"


def test_a_first_question_is_answered_by_measuring_its_pose(writer: ScriptWriter):
    checked = 0
    for script in scripts(writer, 30, seed=7):
        exchange = script.exchanges[0]
        if len(exchange.calls) != 1 or exchange.finding is None or len(script.poses) != 1:
            continue
        call = exchange.calls[0]
        if call.verb in QUESTIONS and call.verb not in ("when", "why"):
            poses = script.poses if call.verb not in ("unknown",) else []
            assert answer_call(call, poses).sentence == exchange.words
            checked += 1
    assert checked > 5


def test_a_row_of_calls_alone_ends_with_the_call(writer: ScriptWriter):
    script = next(s for s in scripts(writer, 20) if s.exchanges[-1].calls)
    last = script.messages(calls_alone=True)[-1]
    assert last == Message.of("assistant", str(script.exchanges[-1].calls[0]))


def test_a_files_name_is_typed_as_it_is():
    said = "save it as Poses/My_Squat 2.npz"
    for seed in range(200):
        random = Random(seed)
        assert "Poses/My_Squat 2.npz" in typed(
            said, random, request=True, exact=("Poses/My_Squat 2.npz",)
        )


@pytest.mark.slow
def test_a_text_is_said_as_it_is_called(writer: ScriptWriter):
    shares = dict.fromkeys(("edit", "generate", "replace", "save", "open"), 1.0)
    requests = ScriptWriter(writer.poses, shares=shares)
    checked = 0
    for script in scripts(requests, 100):
        for exchange in script.exchanges:
            if "{text}" not in exchange.wordings[0]:
                continue  # the text stands in the header
            assert exchange.calls[0].text in exchange.said
            checked += 1
    assert checked > 100


def test_another_side_is_asked_of_with_the_sides_swapped(follow_ups: list[tuple[Call, Exchange]]):
    swap = {"left": "right", "right": "left"}
    pairs = [(last, e.calls[0]) for last, e in follow_ups if way_of(e) == "other side"]
    assert len(pairs) > 2
    for last, call in pairs:
        sided = [argument for argument in last.arguments if " " in argument]
        assert [a for a in call.arguments if " " in a] == [
            re.sub("^(left|right)", lambda side: swap[side[0]], argument) for argument in sided
        ]


def test_both_sides_are_asked_of_in_the_plural(follow_ups: list[tuple[Call, Exchange]]):
    calls = [e.calls[0] for _, e in follow_ups if way_of(e) == "both"]
    assert len(calls) > 2
    for call in calls:
        assert not any(argument.startswith(("left ", "right ")) for argument in call.arguments)


def test_another_part_is_asked_of_on_the_same_side(follow_ups: list[tuple[Call, Exchange]]):
    pairs = [(last, e.calls[0]) for last, e in follow_ups if way_of(e) == "part"]
    assert len(pairs) > 2
    for last, call in pairs:
        changed = [(a, b) for a, b in zip(last.arguments, call.arguments, strict=True) if a != b]
        assert len(changed) == 1
        assert changed[0][0].split()[0] == changed[0][1].split()[0]


def way_of(exchange: Exchange) -> str:
    """Return the name of the follow-up that an exchange is."""
    return next(
        s.header.split(" {")[0]
        for s in sections()
        if s.kind == "follow" and exchange.wordings[0] in s.wordings
    )


@pytest.fixture(scope="module")
def follow_ups(writer: ScriptWriter) -> list[tuple[Call, Exchange]]:
    """Return follow-ups, each with the call of the question before it."""
    random = Random(5)
    asking = ScriptWriter(writer.poses, shares={"measure": 1.0})
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(script_room, "FOLLOWING", 1.0)
        for _ in range(80):
            exchanges = asking.write(random, turns=5).exchanges
            for before, after in pairwise(exchanges):
                if after.kind == "follow" and not after.opened and before.kind == "measure":
                    found.append((before.calls[0], after))
    return found


def test_a_writer_of_questions_alone_chains_nothing(
    writer: ScriptWriter, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(script_room, "CHAINED", 1.0)
    asking = ScriptWriter(writer.poses, shares={"posture": 1.0})
    written = [exchange for one in scripts(asking, 3) for exchange in one.exchanges]
    assert {len(exchange.calls) for exchange in written} == {1}


def test_the_side_that_is_said_is_the_side_of_the_part(writer: ScriptWriter):
    random = Random(0)
    asked = Call(verb="check", arguments=("leftward", "left hand", "head"))
    for _ in range(200):
        state = script_room._ConversationState(script_room.begun(writer.poses[:1], 1))
        state.question = asked
        exchange = writer._follow(random, state)
        if exchange is not None and exchange.calls[0].arguments[1:] == ("right hand", "head"):
            assert "left" not in exchange.said.lower()


def test_branches_begin_alike_and_each_goes_on_by_itself(writer: ScriptWriter):
    branches = writer.write_branches(Random(5), turns=2, count=6)
    begin = branches[0].exchanges[:2]
    assert all(branch.exchanges[:2] == begin for branch in branches)
    assert [len(branch.exchanges) for branch in branches] == [3] * 6
    assert len({branch.exchanges[2].said for branch in branches}) > 3
    again = writer.write_branches(Random(5), turns=2, count=6)
    assert [branch.messages() for branch in again] == [branch.messages() for branch in branches]
