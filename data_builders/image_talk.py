"""Questions and answers about pictures: training text made on the fly, as `pose_talk` makes it.

The same (seed, step) gives the same samples in any process. Touching body parts and actions are
also asked of poses alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from data_builders.built_pictures import BuiltPictures
from data_builders.labelled_pictures import LabelledPictures
from data_builders.picture_pool import Example, StudioPictures
from data_builders.posecodes.captions import write_captions_with_codes
from data_builders.posecodes.modifiers import write_modifiers_with_codes
from unipose.body.facing import front_facing_joints
from unipose.errors import ConfigError
from unipose.language.answers import plain, write_contacts
from unipose.language.pictures import Picture
from unipose.language.rendering import Row, render_sample
from unipose.language.templates import (
    Task,
    Wording,
    ask,
    body_in,
    choose_phrasing,
    evenly,
    list_of,
    motion_in,
)
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.changes import MeasuredPair
from unipose.posecodes.claims import true_claims
from unipose.posecodes.measure import Measured

PictureSource = StudioPictures | BuiltPictures | LabelledPictures
"""What has `tasks`, `actions` (all that its people do, by name) and `example(task, chance)`."""


@dataclass(frozen=True, kw_only=True)
class ImageTalkConfig:
    """How many samples of each task a batch holds, and how they are asked."""

    shares: tuple[tuple[Task, float], ...] = (
        (Task.IMAGE_TO_TEXT, 0.25),
        (Task.IMAGE_DIFF, 0.15),
        (Task.ESTIMATE, 0.3),
        (Task.REASON, 0.1),
        (Task.CONTACTS, 0.1),
        (Task.MOTION_LABEL, 0.1),
    )
    wording: Wording = Wording.INSTRUCT
    poses: float = 0.3
    """Share of questions about contacts and actions that show poses in place of pictures."""
    choices: int = 8
    """Actions to choose from, at most."""
    drafts: int = 4
    """Texts that are written of a picture; the one is learned that guessing eyes can best confirm:
    what is too small to be seen cannot be said of a picture."""

    def __post_init__(self) -> None:
        if self.wording == Wording.TALK:
            raise ConfigError("pictures are asked about in fixed words or as instructions")
        if self.choices < 2:
            raise ConfigError(f"there must be two actions to choose from, got {self.choices}")
        if self.drafts < 1:
            raise ConfigError(f"at least one text must be drafted, got drafts={self.drafts}")


class ImageTalk:
    """Draws batches of samples about pictures, rendered and ready to learn from."""

    def __init__(
        self,
        sources: Sequence[PictureSource],
        *,
        joints_at_rest: Float[Tensor, "24 3"],
        encode: Callable[[Float[Tensor, "pose 22 3 3"]], Int[Tensor, "pose code"]],
        decode: Callable[[Int[Tensor, "pose code"]], Float[Tensor, "pose 22 3 3"]],
        vocabulary: Vocabulary,
        config: ImageTalkConfig,
    ) -> None:
        self.encode, self.decode = encode, decode
        self._joints = partial(front_facing_joints, joints_at_rest=joints_at_rest)
        self.vocabulary, self.config = vocabulary, config
        self.sources = {task: [s for s in sources if task in s.tasks] for task, _ in config.shares}
        missing = [task for task, some in self.sources.items() if not some]
        if missing:
            raise ConfigError(
                f"no source of pictures has examples of {', '.join(missing)}; "
                "leave them out of `shares` or add a source"
            )

    def draw(self, count: int, *, seed: int, step: int) -> list[Row]:
        """Return `count` samples of mixed tasks."""
        chance = random.Random(f"{seed} {step} pictures")
        tasks, weights = zip(*self.config.shares, strict=True)
        drawn = chance.choices(tasks, weights, k=count)
        rows: list[Row] = []
        for task in tasks:
            wanted = drawn.count(task)
            if wanted:
                rows += self._samples(task, wanted, chance)
        return rows

    def _samples(self, task: Task, count: int, chance: random.Random) -> list[Row]:
        sources = [chance.choice(self.sources[task]) for _ in range(count)]
        examples = [source.example(task, chance) for source in sources]
        if task == Task.MOTION_LABEL:
            return [self._label(e, s.actions, chance) for e, s in zip(examples, sources)]
        if task == Task.CONTACTS:
            return [self._contacts(example, chance) for example in examples]
        seed = chance.getrandbits(31)
        return [
            self._answered(task, example, (seed, i), chance) for i, example in enumerate(examples)
        ]

    def _answered(
        self, task: Task, example: Example, seed_and_number: tuple[int, int], chance: random.Random
    ) -> Row:
        """Return a question about one or two pictures with a pose or a text as its answer."""
        pictures = [shown.picture for shown in example.shown]
        if task == Task.IMAGE_DIFF:
            given = {"first": pictures[0], "second": pictures[1]}
        else:
            given = {"image": pictures[0], "who": example.who}
        phrasing = choose_phrasing(task, chance, self.config.wording)
        joints = None if _unknown(example) else self._joints(_rotations(example))
        guesses = self._guesses(pictures)
        answer: str | Tensor
        if task in (Task.ESTIMATE, Task.REASON):
            answer = self.encode(_rotations(example)[:1])[0]
        else:
            answer = example.text or self._written(joints, guesses, seed_and_number)
        row = render_sample(ask(phrasing, **given), answer, self.vocabulary)
        if joints is not None:
            row.told = torch.from_numpy(true_claims(joints[:1], joints[-1:]))[0]
        return self._with_facts(row, guesses)

    def _contacts(self, example: Example, chance: random.Random) -> Row:
        shown = example.shown[0]
        told = write_contacts(example.contacts, people=example.people)
        as_pose = shown.rotations is not None and chance.random() < self.config.poses
        read = _rotations(example)[:1] if as_pose else self._guesses([shown.picture])
        part = self.encode(read)[0] if as_pose and read is not None else shown.picture
        phrasing = choose_phrasing(Task.CONTACTS, chance, self.config.wording)
        parts = ask(phrasing, seen=body_in(part, people=example.people))
        return self._with_facts(render_sample(parts, told, self.vocabulary), read)

    def _label(self, example: Example, actions: Sequence[str], chance: random.Random) -> Row:
        spelled = {plain(action): action for action in actions}  # "run" and "Run" are one action
        others = [action for key, action in spelled.items() if key != plain(example.label)]
        choices = chance.sample(
            others, min(len(others), chance.randint(1, self.config.choices - 1))
        )
        choices.insert(chance.randint(0, len(choices)), example.label)
        known = not _unknown(example)
        shown: list[Tensor] | list[Picture]
        if known and chance.random() < self.config.poses:
            read = _rotations(example)
            shown = list(self.encode(read))
        else:
            shown = [moment.picture for moment in evenly(example.shown, self.vocabulary.pictures)]
            read = self._guesses(shown)
        phrasing = choose_phrasing(Task.MOTION_LABEL, chance, self.config.wording)
        parts = ask(phrasing, seen=motion_in(shown), actions=list_of(choices))
        return self._with_facts(render_sample(parts, example.label, self.vocabulary), read)

    def _with_facts(self, row: Row, read: Float[Tensor, "pose 22 3 3"] | None) -> Row:
        """Give a row that reads poses what is true of the newest, and of the way to it."""
        if read is not None:
            joints = self._joints(read)
            before = joints[-2:-1] if len(joints) > 1 else joints
            row.facts = torch.from_numpy(true_claims(before, joints[-1:]))[0]
        return row

    def _guesses(self, pictures: Sequence[Picture]) -> Float[Tensor, "pose 22 3 3"] | None:
        """Return the poses that the eyes guess at; None if they do not."""
        codes = [picture.guess for picture in pictures if picture.guess is not None]
        return self.decode(torch.stack(codes)) if codes else None

    def _written(
        self,
        joints: Float[np.ndarray, "pose 22 3"] | None,
        guesses: Float[Tensor, "pose 22 3 3"] | None,
        seed_and_number: tuple[int, int],
    ) -> str:
        """Return a caption of one pose, or the change of two, as the eyes can best confirm it."""
        if joints is None:
            raise ConfigError("a picture without a text and without a pose teaches no words")
        seed, number = seed_and_number
        drafts = 1 if guesses is None else self.config.drafts
        indices = range(number * drafts, (number + 1) * drafts)
        some = np.repeat(joints[None], drafts, axis=0)
        seen = None if guesses is None else self._joints(guesses)
        if len(joints) == 1:
            captions = write_captions_with_codes(some[:, 0], seed=seed, indices=indices)
            if seen is None:
                return captions[0].text
            guess = Measured(seen)
            held = [[bool(guess.holds(s.recipes)[0]) for s in c.statements] for c in captions]
            return captions[_best(held)].text
        changes = write_modifiers_with_codes(some[:, 0], some[:, 1], seed=seed, indices=indices)
        if seen is None:
            return changes[0].text
        pair = MeasuredPair(seen[:1], seen[1:])
        held = [[bool(pair.holds(change)[0]) for change in m.changes] for m in changes]
        return changes[_best(held)].text


def _best(held: Sequence[Sequence[bool]]) -> int:
    """Return the first text of those with the greatest share of statements that hold."""
    return int(np.argmax([sum(some) / max(1, len(some)) for some in held]))


def _unknown(example: Example) -> bool:
    return any(shown.rotations is None for shown in example.shown)


def _rotations(example: Example) -> Float[Tensor, "pose 22 3 3"]:
    return torch.stack([shown.rotations for shown in example.shown if shown.rotations is not None])
