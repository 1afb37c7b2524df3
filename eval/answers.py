"""Are the answers of a conversation true? Questions about recorded poses, and what is said to them.

- yes_no, which, where, how_much: questions that measuring answers, half of yes_no with a yes;
- not_shown: questions about what no pose shows (clothes, age, ..); right is to say so.

Each question is asked in a new conversation, as the program asks it: the model writes a call, the
call is measured on the pose, the model says it. Right is what the last words say, whatever was
called. The plain figure is of wordings that training has, `held_out_*` of those of the test split;
poses are of the test split in both. `chance_*` are the model's own answers to other questions of
the same kind (of not_shown: of any kind), `frequent_*` the one answer that is right most often,
both over all wordings. Shares are in percent. Run as `python -m eval.answers --data FOLDER`.

With `--from-codes` the pose language model (`--model`) is asked instead. It reads the codes of the
pose and answers in words: nothing is called and nothing measured, so a number may be further off
(20 degrees, 12 cm), and what no pose shows is not asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, runtime_checkable

import torch

from data_builders.conversations.exchanges import Script
from data_builders.conversations.pose_bank import bank_of_poses
from data_builders.conversations.script import ScriptWriter
from data_builders.conversations.wordings import Split
from eval.answer_readings import (
    TOLERANCE,
    TOLERANCE_FROM_CODES,
    PoseQuestion,
    PoseReply,
    Tolerance,
    is_right,
    refuses,
    topic_right,
)
from eval.conversation_scores import ConversationOptions, most_frequent, percent, write_wrong
from eval.program import print_result, print_table, run, track
from unipose.assistant.model_answers import ROWS
from unipose.body.pose import Pose
from unipose.errors import ConfigError, PoseQueryError
from unipose.language.call_loop import SYSTEM, CallResult, Speaker, Turn, take_turn
from unipose.language.chat_rendering import Message
from unipose.posecodes.calls import QUESTIONS, Call
from unipose.posecodes.finding import Finding
from unipose.posecodes.held_poses import HeldPoses, state_line
from unipose.posecodes.questions import ShownPose, answer_call

KINDS = {
    "yes_no": "check", "which": "which", "where": "where", "how_much": "measure",
    "not_shown": "unknown",
}  # fmt: skip
"""Kind of answer -> the verb of the call that finds it."""
SPLITS: tuple[Split, ...] = ("train", "test")
"""Wordings of the plain figures, and of the held-out ones."""
FROM_CODES = tuple(kind for kind in KINDS if kind != "not_shown")
"""Kinds that are asked from codes."""
MOST_TRIES = 60
"""Poses that are looked at for a pose with the answer that is wanted."""


@dataclass(frozen=True, kw_only=True)
class AnswersOptions(ConversationOptions):
    """Options of eval.answers."""

    count: int = 40
    """Questions of each kind in wordings of training, and as many in wordings of the test split."""
    from_codes: bool = False
    """Ask the pose language model in `model`, which reads the pose's codes and measures nothing."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 2:
            raise ConfigError(f"--count must be at least 2, got {self.count}")


@runtime_checkable
class CodeReader(Protocol):
    """A model that answers questions about poses from their codes."""

    def answer_from_codes_batch(self, questions: Sequence[str], poses: Pose) -> list[str]:
        """Return what is said to each question about the pose beside it."""
        ...


def draw_questions(
    kind: str, count: int, poses: Sequence[ShownPose], *, split: Split, random: Random
) -> list[PoseQuestion]:
    """Return questions of a kind, worded as in a split; half of the answers to yes_no are yes."""
    verb = KINDS[kind]
    # the writer chains two things now and then, for which it needs a request; those are left out
    writer = ScriptWriter(poses, wording_split=split, shares={verb: 1.0, "help": 0.1})
    questions: list[PoseQuestion] = []
    yes = 0
    while len(questions) < count:
        pose = random.choice(poses)
        begin = Script(poses=[pose], current=1)
        exchange = writer.write(random, turns=1, begin=begin).exchanges[0]
        found = exchange.finding
        if exchange.kind != verb or found is None or exchange.calls[0].verb != verb:
            continue
        call = exchange.calls[0]
        if kind == "yes_no":
            wanted = 2 * yes <= len(questions)
            if found.value is not wanted:
                pose, found = _pose_with(wanted, call, poses, random) or (pose, found)
            yes += found.value is True
        questions.append(
            PoseQuestion(
                kind=kind,
                split=split,
                said=exchange.said,
                call=call,
                pose=pose,
                finding=found,
                wording=exchange.wordings[0],
            )
        )
    return questions


def _pose_with(
    wanted: bool, call: Call, poses: Sequence[ShownPose], random: Random
) -> tuple[ShownPose, Finding] | None:
    """Return a pose of which the call has the answer that is wanted, if one is found soon."""
    for pose in random.sample(poses, min(len(poses), MOST_TRIES)):
        found = answer_call(call, [pose])
        if found.value is wanted:
            return pose, found
    return None


def ask(speaker: Speaker, question: PoseQuestion) -> PoseReply:
    """Return what is called and said to a question that opens a conversation about its pose."""
    held = HeldPoses[ShownPose]()
    held.hold(question.pose)
    last: Finding | None = None

    def do(call: Call) -> CallResult:
        nonlocal last
        if call.verb not in QUESTIONS:
            return CallResult(model_text="shown")
        try:
            shown = [held[number] for number in held.numbers_of(call.verb, call.poses)]
            found = answer_call(call, shown, last=last)
        except PoseQueryError:
            return CallResult(model_text="error", failed=True)
        if call.verb not in ("why", "unknown"):
            last = found
        return CallResult(model_text=found.fact, finding=found)

    messages = [
        Message.of("system", SYSTEM),
        Message.of("tool", state_line(held)),
        Message.of("user", question.said),
    ]
    turn = Turn()
    take_turn(speaker, messages, do, turn)
    return PoseReply(
        calls=tuple(made.call for made in turn.calls), words=turn.words, corrected=turn.corrected
    )


def ask_from_codes(reader: CodeReader, questions: Sequence[PoseQuestion]) -> list[PoseReply]:
    """Return what the pose language model says to questions about poses that it reads as codes."""
    replies: list[PoseReply] = []
    for start in track(range(0, len(questions), ROWS), "asking"):
        some = questions[start : start + ROWS]
        poses = Pose(rotations=torch.cat([one.pose.pose.rotations for one in some]))
        words = reader.answer_from_codes_batch([one.said for one in some], poses)
        replies += [PoseReply(calls=(), words=said) for said in words]
    return replies


def chance_of(
    questions: Sequence[PoseQuestion],
    replies: Sequence[PoseReply],
    own: Sequence[PoseReply],
    tolerance: Tolerance = TOLERANCE,
) -> float:
    """Return how often replies to other questions are right; `own` are those to `questions`."""
    return percent(
        is_right(question, reply, tolerance)
        for question, mine in zip(questions, own, strict=True)
        for reply in replies
        if reply is not mine
    )


def frequent_of(questions: Sequence[PoseQuestion], tolerance: Tolerance = TOLERANCE) -> float:
    """Return how often the one answer is right that is right most often."""
    answers = {question.finding.sentence: question.call for question in questions}
    return max(
        percent(
            is_right(question, PoseReply(calls=(call,), words=sentence), tolerance)
            for question in questions
        )
        for sentence, call in answers.items()
    )


Asked = list[tuple[PoseQuestion, PoseReply]]


def figures(asked: Asked) -> dict[str, object]:
    """Return all shares under the names they are reported by, the primary ones first."""
    shares, numbers = shares_of(asked, TOLERANCE)
    return shares | _further(asked) | numbers


def shares_of(asked: Asked, tolerance: Tolerance) -> tuple[dict[str, object], dict[str, object]]:
    """Return how many answers of each kind are right, with chance, and how many were asked."""
    everything = [reply for _, reply in asked]
    found: dict[str, object] = {}
    numbers: dict[str, object] = {}
    for kind in KINDS:
        mine = [pair for pair in asked if pair[0].kind == kind]
        if not mine:
            continue
        questions, own = [pair[0] for pair in mine], [pair[1] for pair in mine]
        known, held_out = ([pair for pair in mine if pair[0].split == split] for split in SPLITS)
        pool = everything if kind == "not_shown" else own
        found |= {
            kind: percent(is_right(*pair, tolerance) for pair in known),
            f"chance_{kind}": chance_of(questions, pool, own, tolerance),
            f"frequent_{kind}": frequent_of(questions, tolerance),
            f"held_out_{kind}": percent(is_right(*pair, tolerance) for pair in held_out),
        }
        numbers |= {f"{kind}_questions": len(known), f"held_out_{kind}_questions": len(held_out)}
    return found, numbers


def _further(asked: Asked) -> dict[str, object]:
    """Return the figures beside whether answers are right."""
    known, held_out = ([pair for pair in asked if pair[0].split == split] for split in SPLITS)

    def topics(some: Asked) -> float:
        return percent(topic_right(*pair) for pair in some if pair[0].kind == "not_shown")

    return {
        "topic_right": topics(known),
        "held_out_topic_right": topics(held_out),
        "frequent_topic_right": most_frequent(
            [question.call for question, _ in asked if question.kind == "not_shown"]
        ),
        "right_call": percent(reply.calls == (question.call,) for question, reply in known),
        "held_out_right_call": percent(
            reply.calls == (question.call,) for question, reply in held_out
        ),
        "refused_measurable": percent(
            refuses(reply.words) for question, reply in asked if question.kind != "not_shown"
        ),
        "corrected": percent(reply.corrected for _, reply in asked),
    }


def wrong_of(asked: Asked, tolerance: Tolerance = TOLERANCE) -> list[dict[str, object]]:
    """Return what was asked, called and said where the answer is wrong."""
    return [
        {
            "kind": question.kind, "wordings": question.split, "said": question.said,
            "wanted_call": str(question.call), "calls": [str(call) for call in reply.calls],
            "words": reply.words, "right_words": question.finding.sentence,
            "corrected": reply.corrected, "wording": question.wording,
        }
        for question, reply in asked
        if not is_right(question, reply, tolerance)
    ]  # fmt: skip


def draw_all(
    poses: Sequence[ShownPose], kinds: Sequence[str], *, count: int, seed: int
) -> list[PoseQuestion]:
    """Return `count` questions of each kind and split of wordings."""
    return [
        question
        for kind in kinds
        for split in SPLITS
        for question in draw_questions(
            kind, count, poses, split=split, random=Random(f"answers {kind} {split} {seed}")
        )
    ]


def ask_all(speaker: Speaker, poses: Sequence[ShownPose], *, count: int, seed: int) -> Asked:
    """Return `count` questions of each kind and split of wordings, and the replies to them."""
    questions = draw_all(poses, tuple(KINDS), count=count, seed=seed)
    return [(question, ask(speaker, question)) for question in track(questions, "asking")]


def rows_of(result: dict[str, object]) -> list[tuple[str | float, ...]]:
    """Return a table: kind, right, in held-out wordings, by chance, most frequent, questions."""
    columns = ("", "held_out_", "chance_", "frequent_")
    return [
        (
            kind,
            *(float(str(result[f"{column}{kind}"])) for column in columns),
            f"{result[f'{kind}_questions']} + {result[f'held_out_{kind}_questions']}",
        )
        for kind in KINDS
        if kind in result
    ]


def measure(options: AnswersOptions, poses: Sequence[ShownPose]) -> tuple[dict[str, object], Asked]:
    """Return the figures of whom the options ask, and what was asked and said."""
    if not options.from_codes:
        asked = ask_all(options.load_speaker(), poses, count=options.count, seed=options.seed)
        return figures(asked), asked
    questions = draw_all(poses, FROM_CODES, count=options.count, seed=options.seed)
    replies = ask_from_codes(options.load_assistant(), questions)
    asked = list(zip(questions, replies, strict=True))
    shares, numbers = shares_of(asked, TOLERANCE_FROM_CODES)
    return shares | numbers, asked


def main(options: AnswersOptions) -> None:
    """Ask about recorded poses and check what is said by measuring."""
    poses = bank_of_poses(options.read_people(), options.poses, seed=options.seed)
    result, asked = measure(options, poses)
    result |= {
        "split": options.split, "seed": options.seed, "poses": len(poses), "turns": len(asked),
        "from_codes": options.from_codes,
    }  # fmt: skip
    tolerance = TOLERANCE_FROM_CODES if options.from_codes else TOLERANCE
    write_wrong(options.wrong, wrong_of(asked, tolerance))
    if not options.json:
        print_table(
            f"Of answers about poses, how many are right ({len(asked)} questions; %)",
            ["", "right", "held-out wordings", "by chance", "most frequent", "questions"],
            rows_of(result),
        )
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, AnswersOptions)
