"""Does what a model says and writes come through its language model? Parts are taken away to see.

The weights stay as they are. Rows of the table, `*` being generated, edited, described or answers:

- `*`: nothing is taken away; `chance_*`: the same texts on other poses, for edits the results of
  other rows, for answers the same questions about other poses.
- `*_without_llm`: the language model's states are erased. A model that writes poses through it then
  answers the same to everything, so own and chance are one figure.
- `*_slots_erased`: only the states of the slots of the written pose are. What is left was read by
  the language model and written by something beside it. Not for a model with a pose expert, whose
  only input are the states of the question.
- `*_llm_alone`: what stands beside the language model is silenced; a plain model has nothing there.
- `*_fits_given_codes`, `*_fits_own_pose`: the language model is given the codes of another pose,
  and all that stands beside it keeps the own one. Of a model that reads through its language model
  the first is as high as with nothing taken away, and the second is chance.

A pose is what every request is answered with here: whether a model would have answered with words
is measured by eval.truth. Answers are those of `eval.answers --from-codes`, to questions in
wordings of training. Shares are in percent. Run as `python -m eval.grounding --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from random import Random

import numpy as np
import torch

from data_builders.conversations.pose_bank import bank_of_poses
from data_builders.mocap import read_manifest
from data_builders.pose_pool import PosePool
from data_builders.posecodes.scores import Score, score_changes, score_statements
from eval.answer_readings import TOLERANCE_FROM_CODES, PoseQuestion, PoseReply, is_right
from eval.answers import FROM_CODES, ask_from_codes, draw_questions
from eval.comprehension import draw_both_kinds
from eval.conversation_scores import percent
from eval.interventions import beside_silenced, poses_exchanged, slots_erased, states_erased
from eval.program import ModelOptions, print_result, print_table, run, select, track
from eval.truth import (
    ROWS,
    EditPairs,
    ask_for_edits,
    draw_poses,
    front_joints,
    measure_prompts,
    read_sparsely,
)
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.language.concepts import ConceptPoseModel
from unipose.language.decoding import Decoding
from unipose.language.model import PoseLanguageModel
from unipose.posecodes.questions import answer_call

A_POSE = Decoding(checked=False)
"""A pose is what is answered, whatever words the model would choose."""
OTHERS = 10
"""Other poses that each answer is held against."""

Intervention = Callable[[PoseLanguageModel], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class GroundingOptions(ModelOptions):
    """Options of eval.grounding."""

    poses: int = 200
    """How many poses are described and generated."""
    pairs: int = 200
    """How many pairs of poses are edited: half two moments of a recording, half other limbs."""
    questions: int = 25
    """Questions of each kind."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.poses, self.pairs, self.questions) < 2:
            raise ConfigError("--poses, --pairs and --questions must be at least 2")


def ways_to_write(model: PoseLanguageModel) -> dict[str, Intervention]:
    """Return what is taken away from a model while it writes poses."""
    ways: dict[str, Intervention] = {"_without_llm": states_erased}
    if model.expert is None:
        ways["_slots_erased"] = slots_erased
    return ways | ways_to_read(model)


def ways_to_read(model: PoseLanguageModel) -> dict[str, Intervention]:
    """Return what is taken away from a model while it reads poses, but for the pose itself."""
    return {"_llm_alone": beside_silenced} if isinstance(model, ConceptPoseModel) else {}


def batches_of(count: int) -> list[list[int]]:
    """Return rows in batches of two at least, for each row needs another one to exchange with."""
    return [rows.tolist() for rows in np.array_split(np.arange(count), -(-count // ROWS))]


def partners_of(count: int) -> list[int]:
    """Return whose pose each row is given when poses are exchanged: that of the next in its batch.

    Of five rows in one batch: 1 2 3 4 0.
    """
    return [other for rows in batches_of(count) for other in (*rows[1:], rows[0])]


def measure_generated(
    assistant: UniPose, poses: Pose, body: Body, *, seed: int
) -> dict[str, float]:
    """Return how much of prompts is true of what is made of them."""
    generate = partial(assistant.generate_batch, decoding=A_POSE)
    prompts = partial(measure_prompts, generate, poses, body, seed=seed)
    found = _with_chance("generated", prompts())
    writer = assistant.maker.writer
    for name, way in ways_to_write(writer).items():
        with way(writer):
            found |= _with_chance(f"generated{name}", prompts())
    return found


def measure_edited(assistant: UniPose, pairs: EditPairs, body: Body) -> dict[str, float]:
    """Return how much happened of what was asked for."""
    before = front_joints(body, pairs.source)

    def edits() -> Score:
        answers, made = ask_for_edits(partial(assistant.edit_batch, decoding=A_POSE), pairs)
        return score_changes(pairs.texts, before, front_joints(body, answers), made)

    found = _with_chance("edited", edits())
    writer = assistant.maker.writer
    for name, way in ways_to_write(writer).items():
        with way(writer):
            found |= _with_chance(f"edited{name}", edits())
    return found


def measure_described(assistant: UniPose, poses: Pose, body: Body) -> dict[str, float]:
    """Return how much of what is said is true: of the own pose, or of the one that was given."""
    joints = front_joints(body, poses)
    everything = np.ones(len(poses), dtype=bool)

    def describe() -> list[str]:
        batches = track(batches_of(len(poses)), "describing")
        return [
            text for rows in batches for text in assistant.describe_batch(poses[torch.tensor(rows)])
        ]

    found = _with_chance("described", score_statements(describe(), joints, everything))
    with poses_exchanged(assistant.model):
        texts = describe()
    for name, rows in (("given_codes", partners_of(len(poses))), ("own_pose", slice(None))):
        found[f"described_fits_{name}"] = (
            100 * score_statements(texts, joints[rows], everything).true
        )
    for name, way in ways_to_read(assistant.model).items():
        with way(assistant.model):
            score = score_statements(describe(), joints, everything)
        found |= _with_chance(f"described{name}", score)
    return found


def measure_answers(assistant: UniPose, questions: Sequence[PoseQuestion]) -> dict[str, float]:
    """Return how many answers are right: about the own pose, or about the one that was given."""

    def answer() -> list[PoseReply]:
        batches = [[questions[i] for i in rows] for rows in batches_of(len(questions))]
        return [reply for some in batches for reply in ask_from_codes(assistant, some)]

    own, partners = list(range(len(questions))), partners_of(len(questions))
    replies = answer()
    others = [
        _right_about(questions, replies, [(i + step) % len(questions) for i in own])
        for step in range(1, min(OTHERS, len(questions) - 1) + 1)
    ]
    found = {
        "answers": _right_about(questions, replies, own),
        "chance_answers": sum(others) / len(others),
    }
    with poses_exchanged(assistant.model):
        replies = answer()
    found["answers_fit_given_codes"] = _right_about(questions, replies, partners)
    found["answers_fit_own_pose"] = _right_about(questions, replies, own)
    for name, way in ways_to_read(assistant.model).items():
        with way(assistant.model):
            found[f"answers{name}"] = _right_about(questions, answer(), own)
    return found


def _right_about(
    questions: Sequence[PoseQuestion], replies: Sequence[PoseReply], about: Sequence[int]
) -> float:
    """Return how many replies are right if each question was about the pose of another one."""
    return percent(
        is_right(
            replace(question, finding=answer_call(question.call, [questions[other].pose])),
            reply,
            TOLERANCE_FROM_CODES,
        )
        for question, reply, other in zip(questions, replies, about, strict=True)
    )


def _with_chance(name: str, score: Score) -> dict[str, float]:
    return {name: 100 * score.true, f"chance_{name}": 100 * score.chance}


def draw_mixed_questions(poses: PosePool, count: int, *, seed: int) -> list[PoseQuestion]:
    """Return `count` questions of each kind about poses of a pool, the kinds mixed."""
    bank = bank_of_poses(poses, 4 * count, seed=seed)
    random = Random(f"grounding {seed}")
    drawn = [
        question
        for kind in FROM_CODES
        for question in draw_questions(kind, count, bank, split="train", random=random)
    ]
    return random.sample(drawn, len(drawn))


def measure(
    assistant: UniPose, poses: Pose, pairs: EditPairs, questions: Sequence[PoseQuestion],
    body: Body, *, seed: int,
) -> dict[str, float]:  # fmt: skip
    """Return all figures; of changes only if the model has learned to make them."""
    learned = assistant.model.config.tasks
    edited = measure_edited(assistant, pairs, body) if not learned or "edit" in learned else {}
    return (
        measure_generated(assistant, poses, body, seed=seed)
        | edited
        | measure_described(assistant, poses, body)
        | measure_answers(assistant, questions)
    )


TASKS = ("generated", "edited", "described", "answers")
ROWS_OF_TABLE = {
    "intact": "{task}",
    "the same on other poses": "chance_{task}",
    "states erased": "{task}_without_llm",
    "states of slots erased": "{task}_slots_erased",
    "nothing beside it": "{task}_llm_alone",
    "other codes: of these": "{fits}_given_codes",
    "other codes: of the own": "{fits}_own_pose",
}


def rows_of(result: dict[str, float]) -> list[tuple[str | float, ...]]:
    """Return a table: what was taken away, then a figure of each task, or nothing."""
    fits = {task: "answers_fit" if task == "answers" else f"{task}_fits" for task in TASKS}
    return [
        (title, *(result.get(key.format(task=task, fits=fits[task]), "") for task in TASKS))
        for title, key in ROWS_OF_TABLE.items()
    ]


def main(options: GroundingOptions) -> None:
    """Take parts of a model away and look at what it still says and writes."""
    recordings = select(read_manifest(options.data), options)
    assistant, body = options.load_assistant(), load_body()
    recorded = read_sparsely(recordings)
    poses = draw_poses(recorded, options.poses, seed=options.seed)
    source, target, texts = draw_both_kinds(recorded, options.pairs, body, seed=options.seed)
    pairs = EditPairs(source=source, target=target, texts=texts)
    pool = PosePool(torch.cat(recorded))
    questions = draw_mixed_questions(pool, options.questions, seed=options.seed)
    result = measure(assistant, poses, pairs, questions, body, seed=options.seed)
    print_table(
        f"What comes through the language model ({len(poses)} poses, {len(pairs.texts)} pairs, "
        f"{len(questions)} questions; %)",
        ["", *TASKS],
        rows_of(result),
    )
    print_result(
        {
            **result, "split": options.split, "seed": options.seed, "poses": len(poses),
            "pairs": len(pairs.texts), "questions": len(questions),
        },
        as_json=options.json,
    )  # fmt: skip


if __name__ == "__main__":
    run(main, GroundingOptions)
