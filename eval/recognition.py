"""Which body parts touch, and what action is it? Asked of pictures, and of the true poses.

Contacts: precision, recall and F1 over all pairs of parts that are named; chance is the same tables
held against other people. Actions: how often the right one of `--choices` is named; by chance one
time in so many. An answer that is no table, or none of the actions, names nothing and is counted as
unread. Two people's contacts are asked of pictures of both.

Pictures are the studio's of held-out recordings, films for the actions; a model without eyes is
asked of poses alone. Run as `python -m eval.recognition --data FOLDER`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from data_builders.picture_pool import Example, Look, StudioPictures
from data_builders.studio import Motions, Studio, StudioConfig
from eval.estimation import HELD_OUT_STUDIO
from eval.program import ModelOptions, print_result, print_table, run, track
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import AnswerParseError, ConfigError
from unipose.language.answers import Pair, plain
from unipose.language.pictures import Picture
from unipose.language.templates import Task

FRAMES, FPS = 3, 2.0
"""Of a film: so many moments, so many per second, as in training."""


@dataclass(frozen=True, kw_only=True)
class RecognitionOptions(ModelOptions):
    """Options of eval.recognition."""

    people: int = 200
    """How many people (or pairs of people) are asked about, and how many films."""
    choices: int = 8
    """Actions to choose from; fewer where the split has fewer."""
    side_px: int = 256
    """Height and width of the studio's pictures."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.people < 2 or self.choices < 2:
            raise ConfigError("at least two --people and two --choices are needed")


@runtime_checkable
class RecognitionModel(Protocol):
    """Who is asked."""

    def contacts(self, shown: Pose | Picture, *, people: int = 1) -> list[Pair]:
        """Return which parts touch; AnswerParseError if it is no table."""
        ...

    def label(self, shown: Pose | Sequence[Picture], actions: Sequence[str]) -> str:
        """Return one of the actions; AnswerParseError if it is none."""
        ...


@dataclass(frozen=True, kw_only=True)
class Question:
    """Of a motion: what is shown and out of what is chosen."""

    example: Example
    actions: tuple[str, ...]


def held_out(source: StudioPictures, task: Task, count: int, *, seed: int) -> list[Example]:
    """Return examples of a task, each drawn by its own number."""
    numbers = track(range(count), f"taking {task}")
    return [source.example(task, random.Random(f"{seed} {task} {i}")) for i in numbers]


def questions(
    examples: Sequence[Example], actions: Sequence[str], choices: int, *, seed: int
) -> list[Question]:
    """Return each example with its own action among others, in an order drawn by the seed.

    Of names that differ in upper case only ("run", "Run") there is one.
    """
    spellings = {plain(action): action for action in actions}
    asked = []
    for i, example in enumerate(examples):
        chance = random.Random(f"{seed} choices {i}")
        others = [name for key, name in spellings.items() if key != plain(example.label)]
        some = [example.label, *chance.sample(others, min(len(others), choices - 1))]
        chance.shuffle(some)
        asked.append(Question(example=example, actions=tuple(some)))
    return asked


def score_contacts(
    model: RecognitionModel, examples: Sequence[Example], *, as_poses: bool
) -> dict[str, object]:
    """Return precision, recall and F1 of the pairs named, F1 by chance, and how many were unread.

    A person's own contacts have no order; of two people the one further left comes first. Chance:
    each table against the truth of somebody else, of whom the same question was asked.
    """
    truth, said, unread = [], [], 0
    for example in track(examples, "contacts"):
        shown = _pose(example) if as_poses else example.shown[0].picture
        try:
            answer = model.contacts(shown, people=example.people)
        except AnswerParseError:
            answer, unread = [], unread + 1
        said.append(_pairs(answer, example.people))
        truth.append(_pairs(example.contacts, example.people))
    precision, recall, f1 = _f1(said, truth)
    kinds = {people: [i for i, e in enumerate(examples) if e.people == people] for people in (1, 2)}
    others = [  # somebody who stands half the list further on; nobody is their own
        pair
        for places in kinds.values()
        if len(places) > 1
        for pair in zip(places, np.roll(places, len(places) // 2).tolist(), strict=True)
    ]
    _, _, chance = _f1([said[i] for i, _ in others], [truth[j] for _, j in others])
    return {
        "f1": f1, "precision": precision, "recall": recall, "chance_f1": chance,
        "named": sum(map(len, said)), "true": sum(map(len, truth)), "asked": len(examples),
        "of_two_people": len(kinds[2]), "unread": unread,
    }  # fmt: skip


def score_actions(
    model: RecognitionModel, asked: Sequence[Question], *, as_poses: bool
) -> dict[str, object]:
    """Return how often the right action was named, by chance, and how many answers were unread."""
    right = unread = 0
    for question in track(asked, "actions"):
        example = question.example
        shown = _pose(example) if as_poses else [one.picture for one in example.shown]
        try:
            right += plain(model.label(shown, question.actions)) == plain(example.label)
        except AnswerParseError:
            unread += 1
    return {
        "accuracy": right / len(asked),
        "chance_accuracy": float(np.mean([1 / len(question.actions) for question in asked])),
        "asked": len(asked),
        "unread": unread,
    }


def _pose(example: Example) -> Pose:
    known = [shown.rotations for shown in example.shown if shown.rotations is not None]
    return Pose.from_rotations(torch.stack(known), fps=FPS)


def _pairs(pairs: Sequence[Pair], people: int) -> set[Pair]:
    return {tuple(sorted(pair)) if people == 1 else pair for pair in pairs}  # type: ignore[misc]


def _f1(said: list[set[Pair]], truth: list[set[Pair]]) -> tuple[float, float, float]:
    hits = sum(len(a & b) for a, b in zip(said, truth, strict=True))
    named, true = sum(map(len, said)), sum(map(len, truth))
    precision, recall = hits / max(1, named), hits / max(1, true)
    return precision, recall, 2 * hits / max(1, named + true)


def measure(options: RecognitionOptions) -> dict[str, object]:
    """Return the scores of a model; those of pictures are left out if it has no eyes."""
    assistant = options.load_assistant()
    return score(assistant, assistant.model.look, options, load_body(),
                 sees=assistant.model.eyes is not None)  # fmt: skip


def score(
    model: RecognitionModel, look: Look, options: RecognitionOptions, body: Body, *, sees: bool
) -> dict[str, object]:
    """Return `measure`'s figures for anybody who can be asked."""
    split = "" if options.split == "all" else options.split
    motions = Motions.read(options.data, split, fps=10.0, only=options.only)
    config = StudioConfig(
        seed=HELD_OUT_STUDIO + options.seed, mixed=0.0, frames=FRAMES, fps=FPS,
        height_px=options.side_px, width_px=options.side_px,
    )  # fmt: skip
    return score_studio(model, look, Studio(config, motions, body), options, sees=sees)


def score_studio(
    model: RecognitionModel,
    look: Look,
    studio: Studio,
    options: RecognitionOptions,
    *,
    sees: bool,
) -> dict[str, object]:
    """Return `measure`'s figures of a studio's pictures and films."""
    source = StudioPictures(
        studio, look if sees else _not_looking, stills=10 * options.people, films=options.people
    )
    touching = [
        example
        for example in held_out(source, Task.CONTACTS, options.people, seed=options.seed)
        if sees or example.people == 1
    ]
    result: dict[str, object] = {"split": options.split, "seed": options.seed}
    by: dict[str, dict[str, object]] = {
        "contacts of poses": score_contacts(
            model, [example for example in touching if example.people == 1], as_poses=True
        )
    }
    if sees:
        by["contacts in pictures"] = score_contacts(model, touching, as_poses=False)
    if len({plain(action) for action in source.actions}) > 1:
        films = held_out(source, Task.MOTION_LABEL, options.people, seed=options.seed)
        asked = questions(films, source.actions, options.choices, seed=options.seed)
        by["actions of poses"] = score_actions(model, asked, as_poses=True)
        if sees:
            by["actions in pictures"] = score_actions(model, asked, as_poses=False)
    for name, found in by.items():
        kind, _, shown = name.partition(" ")
        prefix = "" if shown == "in pictures" else "pose_"
        for figure in ("f1", "accuracy"):
            if figure in found:
                result[f"{prefix}{kind}_{figure}"] = found[figure]
                result[f"chance_{prefix}{kind}_{figure}"] = found[f"chance_{figure}"]
    return result | {"by": by}


def _not_looking(pixels: object, box: object) -> Picture:
    return Picture(clip=None, pose=torch.zeros(1, 1, 1))


def rows_of(result: dict[str, object]) -> list[tuple[str | int | float, ...]]:
    """Return a table: what is asked, the figure, chance, questions, unread answers."""
    by = result["by"]
    assert isinstance(by, dict)
    rows: list[tuple[str | int | float, ...]] = []
    for name, found in by.items():
        figure = "f1" if "f1" in found else "accuracy"
        shares = (100 * found[figure], 100 * found[f"chance_{figure}"])
        rows.append((f"{name} ({figure})", *shares, found["asked"], found["unread"]))
    return rows


COLUMNS = ("", "%", "by chance", "asked", "unread")


def main(options: RecognitionOptions) -> None:
    """Ask which parts touch and which action it is."""
    result = measure(options)
    if not options.json:
        print_table("What is recognised", COLUMNS, rows_of(result))
    print_result(result, as_json=options.json)


if __name__ == "__main__":
    run(main, RecognitionOptions)
