"""Answers about poses: words are read as people read them; right is what measuring says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest

from data_builders.conversations.pose_bank import bank_of_poses
from data_builders.conversations.wordings import sections, wordings_of
from data_builders.pose_pool import PosePool
from eval.answer_readings import (
    TOLERANCE_FROM_CODES,
    PoseQuestion,
    PoseReply,
    is_right,
    read_amounts,
    read_places,
    read_side,
    read_yes_no,
    refuses,
    same_amounts,
)
from eval.answers import (
    FROM_CODES,
    KINDS,
    AnswersOptions,
    ask,
    ask_all,
    ask_from_codes,
    chance_of,
    draw_all,
    draw_questions,
    figures,
    frequent_of,
    main,
    rows_of,
    shares_of,
    wrong_of,
)
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.posecodes.calls import TOPICS, Call, arguments_of, read_call
from unipose.posecodes.questions import Finding, ShownPose, answer_call, show_pose


class PreparedSpeaker:
    """Says prepared texts in turn; keeps what it was shown."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.shown: list[list[str]] = []

    def answer(self, messages, *, verbs=(), on_text=None) -> str:
        self.shown.append([f"{message.role}: {message.text}" for message in messages])
        said = self.answers.pop(0)
        if on_text is not None and not said.startswith(">"):
            on_text(said)
        return said


class KnowingSpeaker:
    """Makes the right call to every question it is told of, and leaves the words to the program."""

    def __init__(self, calls: dict[str, str]) -> None:
        self.calls = calls

    def answer(self, messages, *, verbs=(), on_text=None) -> str:
        last = messages[-1]
        return self.calls[last.text] if last.role == "user" else ""


class SilentSpeaker:
    """Never calls and always says the same."""

    def answer(self, messages, *, verbs=(), on_text=None) -> str:
        return "I only know about body poses."


@pytest.fixture(scope="module")
def poses() -> list[ShownPose]:
    return bank_of_poses(PosePool.random(40, seed=1), 24, seed=0)


def question(kind: str, call: str, pose: ShownPose, *, split="train") -> PoseQuestion:
    meant = read_call(call)
    found = answer_call(meant, [] if kind == "not_shown" else [pose])
    return PoseQuestion(
        kind=kind, split=split, said=f"what of {call}", call=meant, pose=pose, finding=found
    )


def says(words: str, *calls: str) -> PoseReply:
    return PoseReply(calls=tuple(map(read_call, calls)), words=words)


@pytest.mark.parametrize("opening", ["Yes", "Yes, both", "Yes, just", "Yes, slightly", "yes"])
def test_every_opening_that_agrees_is_a_yes(opening: str):
    assert read_yes_no(f"{opening}: the left knee is bent by 90 degrees.") is True


@pytest.mark.parametrize(
    "opening",
    ["No", "No, only one", "No, neither", "No, already before", "No, the other way round",
     "Not quite", "Slightly", "Neither", "Only one", "Almost"],
)  # fmt: skip
def test_every_opening_that_does_not_agree_is_a_no(opening: str):
    assert read_yes_no(f"{opening}: the left knee is bent by 20 degrees.") is False


@pytest.mark.parametrize(
    "words", ["", "The left knee is bent.", "I know nothing.", "Notable!", "Yesterday it was."]
)
def test_words_that_open_with_neither_yes_nor_no_say_neither(words: str):
    assert read_yes_no(words) is None


@pytest.mark.parametrize("kind", ["yes_no", "which", "where", "how_much"])
def test_the_sentence_of_every_measurement_is_read_as_its_value(kind: str, poses: list[ShownPose]):
    verb, random = KINDS[kind], Random(3)
    every = list(arguments_of(verb).values())
    for arguments in random.sample(every, min(len(every), 150)):
        pose = random.choice(poses)
        call = Call(verb=verb, arguments=arguments)
        found = answer_call(call, [pose])
        asked = PoseQuestion(kind=kind, split="train", said="", call=call, pose=pose, finding=found)
        assert is_right(asked, PoseReply(calls=(), words=found.sentence)), found


@pytest.mark.parametrize("topic", TOPICS)
def test_the_sentence_about_every_topic_refuses(topic: str):
    assert refuses(answer_call(Call(verb="unknown", arguments=(topic,)), []).sentence)


def test_the_side_that_is_named_first_counts():
    assert read_side("The right hand is 5 cm higher than the left hand.") == "right"
    assert read_side("Neither: both are level within 3 cm.") == "neither"
    assert read_side("Both are level.") == "neither"
    assert read_side("I cannot say.") == ""


def test_places_are_read_part_by_part():
    words = "The left hand is 8 cm high, on the ground, to the left; the right one in the middle."
    assert read_places(words) == [("on ground", "to left"), ("in middle",)]


def test_a_place_more_or_less_is_wrong(poses: list[ShownPose]):
    asked = question("where", "> where left hand", poses[0])
    place = str(asked.finding.value)
    assert is_right(asked, says(f"It is {place}."))
    assert not is_right(asked, says(f"It is {place}, close to the left ear."))
    assert not is_right(asked, says("It is there."))


def test_numbers_are_read_with_their_units():
    assert read_amounts("12 degrees, 1 degree, 3.5 cm and 7") == [
        (12.0, "degrees"), (1.0, "degrees"), (3.5, "cm"), (7.0, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "right"),
    [
        ("It is 13 cm above it.", True),
        ("About 9.", True),
        ("It is 14 cm above it.", False),
        ("It is 10 degrees.", False),
        ("It is far.", False),
    ],
)
def test_a_number_is_right_within_its_tolerance_and_unit(words: str, right: bool):
    assert same_amounts(words, "The left hand is 10 cm above the head.", 3.0) is right


def test_of_two_parts_both_numbers_count():
    sentence = "The left foot is 30 cm and the right foot 77 cm in front of the chest."
    assert same_amounts("30 cm and 78 cm", sentence, 3.0)
    assert not same_amounts("30 cm", sentence, 3.0)
    assert not same_amounts("77 cm and 30 cm", sentence, 3.0)


def test_a_question_that_no_pose_answers_wants_a_refusal_in_call_or_words(poses: list[ShownPose]):
    asked = question("not_shown", "> unknown age", poses[0])
    assert is_right(asked, says("", "> unknown mood"))
    assert is_right(asked, says("A pose does not show how old somebody is."))
    assert not is_right(asked, says("The body is standing.", "> posture"))


@pytest.mark.parametrize("split", ["train", "test"])
def test_questions_are_worded_as_in_their_split(split, poses: list[ShownPose]):
    mine = {w for s in sections() if s.file == "where" for w in wordings_of(s, split)}
    drawn = draw_questions("where", 30, poses, split=split, random=Random(0))
    assert len(drawn) == 30
    assert {one.split for one in drawn} == {split}
    assert {one.wording for one in drawn} <= mine


@pytest.mark.parametrize("kind", KINDS)
def test_questions_are_of_their_kind_and_answered_by_measuring(kind: str, poses: list[ShownPose]):
    for one in draw_questions(kind, 12, poses, split="test", random=Random(5)):
        assert one.call.verb == KINDS[kind]
        assert one.finding.kind == kind
        assert one.finding == answer_call(one.call, [one.pose] if kind != "not_shown" else [])


@pytest.mark.slow
def test_half_of_the_answers_are_yes(poses: list[ShownPose]):
    drawn = draw_questions("yes_no", 60, poses, split="train", random=Random(2))
    assert 24 <= sum(one.finding.value is True for one in drawn) <= 36


def test_a_question_is_asked_as_the_program_asks_it(poses: list[ShownPose]):
    asked = question("how_much", "> measure angle left elbow", poses[0])
    speaker = PreparedSpeaker("> measure angle left elbow", asked.finding.sentence)
    reply = ask(speaker, asked)
    assert reply.words == asked.finding.sentence
    assert reply.calls == (asked.call,)
    assert not reply.corrected
    assert speaker.shown[0][1:] == ["tool: pose 1", f"user: {asked.said}"]
    assert speaker.shown[1][-1] == f"tool: {asked.finding.fact}"


def test_words_that_leave_the_measurement_are_counted_as_corrected(poses: list[ShownPose]):
    asked = question("how_much", "> measure angle left elbow", poses[0])
    reply = ask(PreparedSpeaker("> measure angle left elbow", "It is 999 degrees. "), asked)
    assert reply.corrected
    assert is_right(asked, reply)


def test_a_request_is_shown_and_a_call_that_fails_is_told(poses: list[ShownPose]):
    asked = question("which", "> which higher hands", poses[0])
    speaker = PreparedSpeaker("> describe", "> check bent left knee of 7", "Neither.")
    reply = ask(speaker, asked)
    assert [row[-1] for row in speaker.shown[1:]] == ["tool: shown", "tool: error"]
    assert reply.words == "Neither."


def test_right_calls_score_everything(poses: list[ShownPose]):
    drawn = [
        one
        for kind in KINDS
        for split in ("train", "test")
        for one in draw_questions(kind, 6, poses, split=split, random=Random(7))
    ]
    speaker = KnowingSpeaker({one.said: str(one.call) for one in drawn})
    asked = [(one, ask(speaker, one)) for one in drawn]
    result = figures(asked)
    for kind in KINDS:
        assert result[kind] == result[f"held_out_{kind}"] == 100.0
        assert result[f"{kind}_questions"] == 6
    assert result["right_call"] == result["topic_right"] == 100.0
    assert result["corrected"] == 100.0  # it said nothing itself
    assert result["refused_measurable"] == 0.0
    assert result["chance_not_shown"] < 30.0
    assert result["chance_how_much"] < 60.0
    assert not wrong_of(asked)
    assert [row[0] for row in rows_of(result)] == list(KINDS)


@pytest.mark.slow
def test_one_who_never_calls_scores_nothing(poses: list[ShownPose]):
    asked = ask_all(SilentSpeaker(), poses, count=4, seed=0)
    result = figures(asked)
    assert len(asked) == 4 * 2 * len(KINDS)
    for kind in KINDS:
        assert result[kind] == result[f"held_out_{kind}"] == result[f"chance_{kind}"] == 0.0
        assert result[f"frequent_{kind}"] > 0.0
    assert len(wrong_of(asked)) == len(asked)
    assert wrong_of(asked)[0]["words"] == "I only know about body poses."


@pytest.mark.slow
def test_the_same_seed_asks_the_same_questions(poses: list[ShownPose]):
    one, other = (
        [(a.said, a.call) for a, _ in ask_all(SilentSpeaker(), poses, count=2, seed=4)]
        for _ in range(2)
    )
    assert one == other


def with_truth(call: str, pose: ShownPose, truth: bool) -> PoseQuestion:
    sentence = "Yes." if truth else "No."
    found = Finding(kind="yes_no", value=truth, fact="", sentence=sentence, evidence="")
    return PoseQuestion(
        kind="yes_no", split="train", said="", call=read_call(call), pose=pose, finding=found
    )


def test_chance_is_what_answers_to_other_questions_score(poses: list[ShownPose]):
    truths = (True, True, True, False)
    asked = [with_truth("> check upright", poses[0], truth) for truth in truths]
    own = [says("Yes." if truth else "No.") for truth in truths]
    # each of three yes meets two other yes among three; the no meets none
    assert chance_of(asked, own, own) == pytest.approx(100 * 6 / 12)
    assert frequent_of(asked) == 75.0


class KnowingReader:
    """Says what measuring says of the pose, a few degrees or centimetres off."""

    def __init__(self, questions: list[PoseQuestion], *, off: int = 0) -> None:
        self.questions, self.off = {one.said: one for one in questions}, off

    def answer_from_codes_batch(self, questions, poses: Pose) -> list[str]:
        found = [
            answer_call(self.questions[said].call, [show_pose(poses[i])])
            for i, said in enumerate(questions)
        ]
        return [
            re.sub(r"\d+", lambda number: str(int(number[0]) + self.off), one.sentence)
            if one.kind == "how_much"
            else one.sentence
            for one in found
        ]


def test_a_pose_language_model_is_asked_about_the_codes_and_may_be_further_off(
    poses: list[ShownPose],
):
    questions = draw_all(poses, FROM_CODES, count=5, seed=3)
    assert {one.kind for one in questions} == {"yes_no", "which", "where", "how_much"}
    assert len(questions) == 5 * 2 * 4
    for off, right in ((0, 100.0), (11, 100.0), (25, 0.0)):
        replies = ask_from_codes(KnowingReader(questions, off=off), questions)
        shares, numbers = shares_of(
            list(zip(questions, replies, strict=True)), TOLERANCE_FROM_CODES
        )
        assert shares["how_much"] == shares["held_out_how_much"] == right
        assert shares["yes_no"] == shares["where"] == 100.0
        assert numbers["held_out_which_questions"] == 5
    assert "not_shown" not in shares


@pytest.mark.slow
def test_the_program_asks_from_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    class Silent:
        def answer_from_codes_batch(self, questions, poses: Pose) -> list[str]:
            return [""] * len(questions)

    monkeypatch.setattr(AnswersOptions, "load_assistant", lambda _: Silent())
    monkeypatch.setattr(AnswersOptions, "read_people", lambda _: PosePool.random(9, seed=2))
    main(AnswersOptions(data=tmp_path, count=2, poses=5, from_codes=True, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["from_codes"] is True
    assert result["yes_no"] == result["held_out_where"] == 0.0
    assert result["turns"] == 16
    assert "right_call" not in result


@pytest.mark.slow
def test_the_program_prints_its_figures_and_writes_what_went_wrong(
    poses: list[ShownPose], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(AnswersOptions, "load_speaker", lambda _: SilentSpeaker())
    monkeypatch.setattr(AnswersOptions, "read_people", lambda _: PosePool.random(9, seed=2))
    wrong = tmp_path / "wrong.jsonl"
    main(AnswersOptions(data=tmp_path, count=2, poses=5, wrong=wrong, json=True))
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["yes_no"] == 0.0
    assert result["turns"] == 20
    lines = [json.loads(line) for line in wrong.read_text().splitlines()]
    assert len(lines) == 20
    assert {"said", "wanted_call", "calls", "words"} <= lines[0].keys()
    main(AnswersOptions(data=tmp_path, count=2, poses=5))
    assert "held_out_yes_no = 0" in capsys.readouterr().out


def test_chance_needs_a_second_question():
    with pytest.raises(ConfigError, match="at least 2"):
        AnswersOptions(data=Path(), count=1)
