"""Lessons for a real language model: packs of short rows, dense in what is to be learned.

A language model of thirty layers costs so much a token that long captions are the slow way to teach
it what a pose is. One pose with a dozen questions, read once, is the quick one: of a pack

    system, user  S c0 .. c39 E  is the left knee bent?   No, it is bent by 12 degrees only.
                                 which hand is higher?    The left one.
                                 ...

the shared beginning is a third of all places. What is true of the pose stands at its end, what a
request claims at the request's end, for a teacher that reads claims off the hidden states. The same
(seed, step) gives the same rows in any process.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from data_builders.conversations.pose_bank import TALKED_ABOUT
from data_builders.conversations.script import Exchange, Script, ScriptWriter
from data_builders.pose_form import in_words
from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.pose_talk import (
    NAMED_STATES,
    Encode,
    Rotations,
    as_typed,
    replace_limbs,
    replace_one,
)
from data_builders.posecodes.brief import write_brief_modifiers_with_codes
from data_builders.posecodes.captions import write_captions, write_captions_with_codes
from data_builders.posecodes.modifiers import write_modifiers, write_modifiers_with_codes
from unipose.body.facing import face_front, front_facing_joints
from unipose.body.pose import Pose
from unipose.language.chat_rendering import ChatTemplate
from unipose.language.rendering import Part, Row, render_question, render_sample
from unipose.language.row_packing import pack
from unipose.language.templates import Task, Wording, ask, choose_phrasing, question_about
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.claims import Claim, claimed, true_claims
from unipose.posecodes.facts import atoms, true_atoms
from unipose.posecodes.measure import Measured
from unipose.posecodes.named_poses import NamedPoses
from unipose.posecodes.questions import show_pose
from unipose.posecodes.reader import read_statements

QUESTIONS_ABOUT_ONE: dict[str, float] = {
    "check": 8.0, "which": 4.0, "measure": 5.0, "where": 2.0, "between": 1.0, "posture": 1.0,
    "touching": 1.0, "count": 1.0, "assess": 1.0,
}  # fmt: skip
"""How often a question about a pose is of which kind."""
MOST_TRIES = 8
"""Questions that are drawn for one with the answer that is wanted."""
PLAIN_TYPING = 0.2
"""Share of people who type in lower case and without a full stop."""


@dataclass(frozen=True, kw_only=True)
class LessonsConfig:
    """What a step holds."""

    checklists: int = 20
    """Poses that are read in statements, each true or false."""
    checked: int = 8
    """Statements of each of these."""
    answer_packs: int = 1
    questions: int = 5
    """Of each of these packs, to one pose."""
    descriptions: int = 1
    captions: int = 1
    """Of each pose that is described."""
    comparisons: int = 0
    request_packs: int = 1
    requests: int = 6
    """Of each of these packs: descriptions to make poses of."""
    edit_packs: int = 1
    edits: int = 5
    """Of each of these packs, to one pose."""
    talk_packs: int = 1
    """Packs of turns of conversations (`data_builders.conversations`), lest they be forgotten."""
    turns: int = 6
    pool: PoolConfig = field(default_factory=lambda: PoolConfig(mixed=0.4, tilt=0.15))
    named: float = 0.3
    """Share of requests that name a pose in everyday words ("someone sits cross-legged")."""
    few_words: float = 0.7
    """Share of requests that are cut to their first sentences."""
    fixed: float = 0.5
    """Share of rows in the words that the assistant asks in; the rest as people type."""

    @property
    def tasks(self) -> list[str]:
        """Return the tasks that these lessons teach."""
        shares = {
            Task.DESCRIBE: self.descriptions, Task.COMPARE: self.comparisons,
            Task.GENERATE: self.request_packs, Task.EDIT: self.edit_packs,
        }  # fmt: skip
        return [str(task) for task, share in shares.items() if share]


class PoseLessons:
    """Draws the rows of a step: packs about poses, and packs of conversations."""

    def __init__(
        self,
        pool: PosePool,
        *,
        joints_at_rest: Float[Tensor, "24 3"],
        encode: Encode,
        vocabulary: Vocabulary,
        config: LessonsConfig,
        talks: ScriptWriter | None = None,
    ) -> None:
        """`talks` writes conversations, of which none is forgotten then."""
        self.pool, self.config, self.vocabulary = pool, config, vocabulary
        self.encode, self.talks = encode, talks
        self._joints = partial(front_facing_joints, joints_at_rest=joints_at_rest)
        self.named = NamedPoses.load()
        self.asker = ScriptWriter([], shares={**QUESTIONS_ABOUT_ONE, "help": 0.01})

    def draw(self, *, seed: int, step: int) -> list[Row]:
        """Return the rows of a step."""
        chance = random.Random(f"{seed} {step} lessons")
        generator = torch.Generator().manual_seed(chance.getrandbits(62))
        config = self.config
        rows = self.checklists(config.checklists, generator, chance)
        rows += [self.answers(generator, chance) for _ in range(config.answer_packs)]
        rows += self.descriptions(config.descriptions, generator, chance)
        rows += self.comparisons(config.comparisons, generator, chance)
        rows += [self.requests(generator, chance)[0] for _ in range(config.request_packs)]
        rows += [self.edits(generator, chance)[0] for _ in range(config.edit_packs)]
        if self.talks is not None:
            template = ChatTemplate(self.vocabulary.text)
            for _ in range(config.talk_packs):
                scripts = self.talks.write_branches(
                    chance, turns=chance.choice((0, 0, 1, 2, 3)), count=config.turns
                )
                talk = [template.render(s.messages(calls_alone=True)) for s in scripts]
                rows.append(pack(talk, learn_shared=False))
        return rows

    def checklists(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        """Return poses with statements, of which only whether each is true is learned.

            user S c0 .. E Is the left knee straight? assistant         target  No
                           Is the left hand above head? assistant               Yes
                           ...

        Each statement is asked of two poses, one of which it is true of, and none sees another, so
        that none can be guessed without the pose: a language model learns what answers have in
        common first, and here they have nothing in common.
        """
        if not count:
            return []
        poses = self.pool.draw(count, generator, self.config.pool)
        truths = true_atoms(Measured(self._joints(poses)))
        asked = self._statements_in_pairs(truths, chance)
        return [
            self._with_truth(self._checklist(codes, truth, chosen), pose[None])
            for pose, codes, truth, chosen in zip(
                poses, self.encode(poses), truths, asked, strict=True
            )
            if chosen
        ]

    def _statements_in_pairs(
        self, truths: Bool[np.ndarray, "pose statement"], chance: random.Random
    ) -> list[list[int]]:
        """Return which statements each pose is asked, each of one that has it and one without."""
        left = [self.config.checked] * len(truths)
        asked: list[list[int]] = [[] for _ in truths]
        statements = np.flatnonzero(truths.any(axis=0) & ~truths.all(axis=0)).tolist()
        for _ in range(MOST_TRIES * sum(left) if statements else 0):
            statement = chance.choice(statements)
            pair = [
                [i for i, truth in enumerate(truths[:, statement]) if truth == wanted and left[i]]
                for wanted in (True, False)
            ]
            if all(pair):
                for some in pair:
                    pose = max(some, key=lambda i: left[i] + chance.random())
                    asked[pose].append(statement)
                    left[pose] -= 1
        return asked

    def _checklist(
        self, codes: Int[Tensor, " code"], truth: Bool[np.ndarray, " statement"], asked: list[int]
    ) -> Row:
        statements = [fact.members[0] for fact in atoms()]
        rows = []
        for i in asked:
            question = question_about(codes, f"Is the {in_words(statements[i])}?")
            row = render_question(question, self.vocabulary)
            row.targets[-1] = self.vocabulary.encode(YES if truth[i] else NO)[0]
            rows.append(row)
        return pack(rows)

    def answers(self, generator: torch.Generator, chance: random.Random) -> Row:
        """Return a pose with questions and their answers, half of those that check it "yes"."""
        rotations = self.pool.draw(1, generator, TALKED_ABOUT)
        codes = self.encode(rotations)[0]
        shown = show_pose(Pose.from_rotations(rotations))
        begin = Script(poses=[shown], current=1)
        rows = []
        for number in range(self.config.questions):
            exchange = self._question(begin, bool(number % 2), chance)
            parts = question_about(codes, exchange.said)
            rows.append(render_sample(parts, exchange.words, self.vocabulary))
        return self._with_truth(pack(rows), rotations)

    def _question(self, begin: Script, wanted: bool, chance: random.Random) -> Exchange:
        """Return a question about one pose; one that checks it is answered as wanted, if may be."""
        tries = 0
        while True:
            tries += 1
            exchange = self.asker.write(chance, turns=1, begin=begin).exchanges[0]
            found = exchange.finding
            if found is None or len(exchange.calls) != 1 or not exchange.words:
                continue
            if exchange.kind != "check" or found.value is wanted or tries > MOST_TRIES:
                return exchange

    def descriptions(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        """Return poses with their captions."""
        if not count:
            return []
        poses = self.pool.draw(count, generator, self.config.pool)
        many = self.config.captions
        joints = self._joints(poses).repeat(many, axis=0)
        texts = write_captions(joints, seed=chance.getrandbits(31), indices=range(len(joints)))
        rows = []
        for i, (pose, codes) in enumerate(zip(poses, self.encode(poses), strict=True)):
            parts = ask(self._phrasing(Task.DESCRIBE, chance), pose=codes)
            told = [
                render_sample(parts, text, self.vocabulary)
                for text in texts[i * many : (i + 1) * many]
            ]
            rows.append(self._with_truth(pack(told), pose[None]))
        return rows

    def comparisons(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        """Return pairs of poses with what changes between them."""
        if not count:
            return []
        rows = []
        first, second = self._pairs(count, generator, chance)
        joints, others = self._joints(first), self._joints(second)
        texts = write_modifiers(joints, others, seed=chance.getrandbits(31), indices=range(count))
        facts = torch.from_numpy(true_claims(joints, others))
        for a, b, text, fact in zip(
            self.encode(first), self.encode(second), texts, facts, strict=True
        ):
            parts = ask(self._phrasing(Task.COMPARE, chance), first=a, second=b)
            row = pack([render_sample(parts, text, self.vocabulary)])
            ends = [i for i, some in enumerate(row.ids) if some == self.vocabulary.pose_end]
            row.true_at = [(ends[-1], fact)]
            rows.append(row)
        return rows

    def requests(self, generator: torch.Generator, chance: random.Random) -> tuple[Row, Rotations]:
        """Return requests to make a pose, up to where it is to begin, and the poses asked for."""
        count = self.config.requests
        poses = face_front(self.pool.draw(count, generator, self.config.pool))
        seed = chance.getrandbits(31)
        captions = write_captions_with_codes(self._joints(poses), seed=seed, indices=range(count))
        rows = []
        for i, (caption, said) in enumerate(captions):
            if chance.random() < self.config.named:
                name = chance.choice(self.named.names)
                poses[i] = face_front(self.named.draw(name, generator)[None])[0]
                text = chance.choice((name, *self.named.wordings(name, "train")))
                parts = ask(
                    self._phrasing(Task.GENERATE, chance), text=as_typed(text, chance, PLAIN_TYPING)
                )
                rows.append(self._request(parts))
                joints = self._joints(poses[i : i + 1])
                facts = torch.from_numpy(true_claims(joints, joints))[0]
                end, names = len(rows[-1].ids) - 1, torch.arange(len(self.named.names))
                rows[-1].true_at = [(end, facts)]
                rows[-1].named_at = [(end, names == self.named.names.index(name))]
                continue
            text, told = caption, list(said)
            if chance.random() < self.config.few_words:
                sentences = caption.split(". ")
                text = ". ".join(sentences[: chance.randint(1, min(3, len(sentences)))])
                told = read_statements(text)
            parts = ask(
                self._phrasing(Task.GENERATE, chance), text=as_typed(text, chance, PLAIN_TYPING)
            )
            rows.append(self._request(parts, told))
        return pack(rows), poses

    def edits(self, generator: torch.Generator, chance: random.Random) -> tuple[Row, Rotations]:
        """Return a pose with requests to change it, and what each is to make of it."""
        count = self.config.edits
        alone = self.pool.draw(1, generator, self.config.pool)
        first = alone.expand(count, -1, -1, -1)
        limbs = replace_limbs(first, self.pool, generator, self.config.pool)
        one = replace_one(first, self.pool, generator, self.config.pool)
        briefly = torch.arange(count) % 2 == 1
        others = one.where(briefly[:, None, None, None], limbs)
        joints, after = self._joints(first), self._joints(others)
        seed, indices = chance.getrandbits(31), range(count)
        long = write_modifiers_with_codes(joints, after, seed=seed, indices=indices)
        brief = write_brief_modifiers_with_codes(
            joints, after, seed=seed, indices=indices, named_states=NAMED_STATES
        )
        codes = self.encode(alone)[0]
        phrasing = self._phrasing(Task.EDIT, chance)
        rows, kept = [], []
        for i in range(count):
            text, said = (brief if i % 2 else long)[i]
            if text:
                parts = ask(phrasing, pose=codes, text=as_typed(text, chance, PLAIN_TYPING))
                rows.append(self._request(parts, said))
                kept.append(i)
        if not rows:  # nothing can be said of such small changes
            return self.edits(generator, chance)
        return self._with_truth(pack(rows), alone), others[kept]

    def _request(self, parts: Sequence[Part], said: Iterable[Claim] | None = None) -> Row:
        """Return a request; what everyday words claim is not known to the rules (None)."""
        row = render_question(parts, self.vocabulary)
        row.targets[-1] = self.vocabulary.pose_start
        if said is not None:
            row.told_at = [(len(row.ids) - 1, torch.from_numpy(claimed([said]))[0])]
        return row

    def _with_truth(self, row: Row, pose: Rotations) -> Row:
        """Mark the end of the first pose of a row with what is true of it."""
        joints = self._joints(pose)
        place = row.ids.index(self.vocabulary.pose_end)
        row.true_at = [(place, torch.from_numpy(true_claims(joints, joints))[0])]
        return row

    def _pairs(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> tuple[Rotations, Rotations]:
        if chance.random() < 0.4:
            return self.pool.draw_moments(count, generator, self.config.pool)
        first = self.pool.draw(count, generator, self.config.pool)
        return first, replace_limbs(first, self.pool, generator, self.config.pool)

    def _phrasing(self, task: Task, chance: random.Random) -> str:
        fixed = chance.random() < self.config.fixed
        return choose_phrasing(task, chance, Wording.FIXED if fixed else Wording.TALK)


YES, NO = "Yes", "No"
