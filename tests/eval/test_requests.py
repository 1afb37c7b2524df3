"""Requests in conversations: a call is right if it means the same as the script's."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from data_builders.conversations.exchanges import Exchange, Script
from data_builders.conversations.pose_bank import bank_of_films, bank_of_poses
from data_builders.conversations.script import ScriptWriter
from data_builders.pose_pool import PosePool
from eval.requests import (
    RequestsOptions,
    by_kind,
    canonical,
    do,
    figures,
    held_at_first,
    kind_rows,
    main,
    take_conversation,
    take_conversations,
    take_singles,
    wrong_of,
)
from unipose.posecodes.calls import POSES, VERBS, Call, arguments_of, most_poses, read_call
from unipose.posecodes.held_poses import HeldPoses
from unipose.posecodes.questions import ShownPose, answer_call


class ScriptedSpeaker:
    """Gives prepared answers by what was typed, one call after the other; then words."""

    def __init__(self, answers: dict[str, list[str]], words: str = "Done.") -> None:
        self.answers, self.words = answers, words
        self.shown: list[list[str]] = []

    def answer(self, messages, *, verbs=(), on_text=None) -> str:
        self.shown.append([f"{message.role}: {message.text}" for message in messages])
        last = max(i for i, message in enumerate(messages) if message.role == "user")
        made = sum(message.role == "assistant" for message in messages[last:])
        answers = self.answers.get(messages[last].text, [])
        said = answers[made] if made < len(answers) else self.words
        if on_text is not None and not said.startswith(">"):
            on_text(said)
        return said


@pytest.fixture(scope="module")
def poses() -> list[ShownPose]:
    return bank_of_poses(PosePool.random(40, seed=1), 12, seed=0)


@pytest.fixture(scope="module")
def writer(poses: list[ShownPose]) -> ScriptWriter:
    films = bank_of_films(PosePool.random(20, seed=3), 2, seed=0)
    return ScriptWriter(poses, wording_split="test", films=films)


def held(count: int = 3, current: int = 2) -> HeldPoses[str]:
    found = HeldPoses[str]()
    for _ in range(count):
        found.hold("")
    found.choose(current)
    return found


def same(one: str, other: str, state: HeldPoses[str] | None = None) -> bool:
    state = held() if state is None else state
    return canonical(read_call(one), state) == canonical(read_call(other), state)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("> check bent left knee", "> check bent left knee of 2"),
        ("> describe of last", "> describe of 3"),
        ("> describe of previous", "> describe of 1"),
        ("> describe of other", "> describe of 3"),
        ("> compare", "> compare of 3 2"),
        ("> compare of 1", "> compare of 1 2"),
        ("> check above hands head", "> check below head hands"),
        ("> became front left knee right knee", "> became behind right knee left knee"),
        ("> check leftward head left foot", "> check rightward left foot head"),
        ("> check near left hand head", "> check near head left hand"),
        ("> check touch hands knees", "> check touch knees hands"),
        ("> measure distance left hand right foot", "> measure distance right foot left hand"),
        ("> check bent left arm", "> check bent left elbow"),
        ("> became straight legs", "> became straight knees"),
        ("> measure angle right leg", "> measure angle right knee"),
        ("> which bent arms", "> which bent elbows"),
        ("> turn left", "> turn left 90"),
        ("> turn around", "> turn right 180"),
        ("> edit: raise the left arm", '> edit of 2: "Raise the left arm."'),
        ("> edit: raise the left arm", "> edit: lift your left arm"),
        ("> edit: do the wave", "> edit: Do the wave!"),
    ],
)
def test_calls_that_mean_the_same_are_the_same(one: str, other: str):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("> check bent left knee", "> check bent left knee of 1"),
        ("> compare of 1 2", "> compare of 2 1"),
        ("> check above hands head", "> check above head hands"),
        ("> check above hands head", "> check below hands head"),
        ("> measure above left hand head", "> measure above head left hand"),
        ("> which near hands knees", "> which near knees hands"),
        ("> check raised left arm", "> check raised left elbow"),
        ("> check bent left knee", "> check straight left knee"),
        ("> turn left 45", "> turn right 45"),
        ("> edit: raise the left arm", "> edit: raise the right arm"),
        ("> edit: raise the left arm", "> edit: raise the left arm a little"),
        ("> edit: raise the left arm", "> edit: raise the left arm and dance"),
        ("> edit: raise the left arm", "> replace: raise the left arm"),
    ],
)
def test_calls_that_mean_something_else_differ(one: str, other: str):
    assert not same(one, other)


def test_poses_that_are_not_there_stay_as_they_are_named():
    nobody = HeldPoses[str]()
    assert same("> describe", "> describe", nobody)
    assert not same("> describe", "> describe of 2", nobody)
    assert same("> describe of 9", "> describe of 9")


def test_the_canonical_call_of_a_canonical_call_is_itself():
    random = Random(0)
    for verb in VERBS:
        for arguments in random.sample(list(arguments_of(verb).values()), 1) * 3:
            names = random.sample(POSES[:6], random.randint(0, most_poses(verb)))
            call = canonical(Call(verb=verb, arguments=arguments, poses=tuple(names)), held())
            assert canonical(call, held()) == call


def test_checks_of_one_canonical_form_have_one_answer(poses: list[ShownPose]):
    random, seen = Random(1), {}
    ways = list(arguments_of("check").values())
    alike = [way for way in ways if way[0] in ("bent", "straight")]
    below = [way for way in ways if way[0] in ("below", "behind", "rightward", "near")]
    for way in alike + random.sample(below, 150):
        call = Call(verb="check", arguments=way)
        for one in (call, canonical(call, held())):
            value = answer_call(Call(verb="check", arguments=one.arguments), [poses[0]]).value
            assert seen.setdefault(canonical(call, held()), value) == value


@pytest.mark.slow
def test_the_numbers_of_poses_go_on_as_in_the_script(writer: ScriptWriter):
    random = Random(11)
    checked = 0
    for _ in range(60):
        script = writer.write(random, turns=6)
        state = held_at_first(script)
        for exchange in script.exchanges:
            if exchange.opened:
                state.hold("")
                assert state.current == exchange.opened
            for call, result in zip(exchange.calls, exchange.results, strict=True):
                do(call, state)
                if result.startswith("pose "):
                    assert state.current == int(result[5:].split(",")[0]), call
                    checked += 1
    assert checked > 30


def exchange(said: str, *calls: str, results: tuple[str, ...] = (), words: str = "") -> Exchange:
    made = tuple(map(read_call, calls))
    return Exchange(
        kind=made[0].verb if made else "small_talk",
        said=said,
        calls=made,
        results=results or tuple("shown" for _ in made),
        words=words,
    )


def talk(poses: list[ShownPose], *exchanges: Exchange) -> Script:
    return Script(poses=poses[:2], current=2, exchanges=list(exchanges))


def test_own_messages_stay_where_they_were_right_and_the_scripts_where_not(
    poses: list[ShownPose],
):
    script = talk(
        poses,
        exchange("mirror it", "> mirror", results=("pose 3",), words="Mirrored: pose 3."),
        exchange("and draw it", "> draw", results=("drawn",), words="Here it is."),
        exchange("hello", words="Hello!"),
    )
    speaker = ScriptedSpeaker({"mirror it": ["> mirror of 2"], "and draw it": ["> save: a.npz"]})
    turns = take_conversation(speaker, script)
    assert [turn.right for turn in turns] == [True, False, True]
    assert [list(map(str, turn.made)) for turn in turns] == [
        ["> mirror of 2"], ["> save: a.npz"], [],
    ]  # fmt: skip
    assert speaker.shown[-1][2:] == [
        "user: mirror it", "assistant: > mirror of 2", "tool: pose 3", "assistant: Done.",
        "user: and draw it", "assistant: > draw", "tool: drawn", "assistant: Here it is.",
        "user: hello",
    ]  # fmt: skip


def test_a_pose_that_is_left_out_is_the_one_that_is_current_by_then(poses: list[ShownPose]):
    script = talk(
        poses,
        exchange("mirror it", "> mirror", results=("pose 3",)),
        exchange("describe it", "> describe"),
    )
    answers = {"mirror it": ["> draw"], "describe it": ["> describe of 3"]}
    assert [turn.right for turn in take_conversation(ScriptedSpeaker(answers), script)] == [
        False,
        True,
    ]


def test_two_things_are_both_wanted_in_order(poses: list[ShownPose]):
    script = talk(
        poses, exchange("mirror and draw", "> mirror", "> draw", results=("pose 3", "drawn"))
    )
    for answers, right in (
        (["> mirror", "> draw of 3"], True),
        (["> mirror", "> draw of 2"], False),
        (["> mirror"], False),
        (["> draw", "> mirror"], False),
        (["> mirror", "> draw", "> draw"], False),
    ):
        for alone in (False, True):
            speaker = ScriptedSpeaker({"mirror and draw": answers})
            (turn,) = take_conversation(speaker, script, calls_alone=alone)
            assert turn.right is right, answers


def test_small_talk_wants_words_and_no_call(poses: list[ShownPose]):
    script = talk(poses, exchange("hello", words="Hello!"))
    for alone in (False, True):
        (spoken,) = take_conversation(ScriptedSpeaker({}), script, calls_alone=alone)
        (called,) = take_conversation(
            ScriptedSpeaker({"hello": ["> help"]}), script, calls_alone=alone
        )
        (mute,) = take_conversation(ScriptedSpeaker({}, words=""), script, calls_alone=alone)
        assert (spoken.right, called.right, mute.right) == (True, False, False)


def right_answers(scripts: list[Script]) -> dict[str, list[str]]:
    return {
        one.said: [str(call) for call in one.calls]
        for script in scripts
        for one in script.exchanges
    }


def test_right_calls_score_everything(writer: ScriptWriter):
    scripts = [writer.write(Random(seed), turns=1) for seed in range(40)]
    speaker = ScriptedSpeaker(right_answers(scripts))
    turns = [turn for one in scripts for turn in take_conversation(speaker, one, calls_alone=True)]
    result = figures({"single": turns})
    assert result["single"] == result["single_requests"] == 100.0
    assert result["single_turns"] == 40
    assert 0 < result["frequent_single"] < 60.0
    assert not wrong_of({"single": turns})


def test_whole_conversations_with_right_calls_are_right(writer: ScriptWriter):
    for seed in range(12):
        script = writer.write(Random(seed), turns=6)
        if len({one.said for one in script.exchanges}) < 6:
            continue
        turns = take_conversation(ScriptedSpeaker(right_answers([script])), script)
        assert [turn.right for turn in turns] == [True] * 6, script


def test_one_who_only_talks_is_right_where_words_are_wanted(writer: ScriptWriter):
    parts = {
        "single": take_singles(ScriptedSpeaker({}), writer, count=60, random=Random(0)),
        "conversations": take_conversations(ScriptedSpeaker({}), writer, count=4, random=Random(1)),
    }
    result = figures(parts)
    spoken = [not turn.exchange.calls for turn in parts["single"]]
    assert result["single"] == pytest.approx(100 * sum(spoken) / 60)
    assert result["single_requests"] == 0.0
    assert result["conversations_turns"] == 24
    assert len(wrong_of(parts)) == 84 - sum(t.right for turns in parts.values() for t in turns)
    kinds = by_kind(parts)
    assert sum(shares.get("single_turns", 0) for shares in kinds.values()) == 60
    assert [row[0] for row in kind_rows(result)] == list(kinds)


def test_the_program_prints_its_figures_and_writes_what_went_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(RequestsOptions, "load_speaker", lambda _: ScriptedSpeaker({}))
    monkeypatch.setattr(RequestsOptions, "read_people", lambda _: PosePool.random(9, seed=2))
    wrong = tmp_path / "wrong.jsonl"
    main(RequestsOptions(data=tmp_path, count=6, poses=5, wrong=wrong, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["single_turns"] == 6
    assert result["conversations_turns"] == 12
    lines = [json.loads(line) for line in wrong.read_text().splitlines()]
    assert {"part", "said", "wanted_calls", "calls", "words"} <= lines[0].keys()
    main(RequestsOptions(data=tmp_path, count=6, poses=5))
    assert "By kind" in capsys.readouterr().out
