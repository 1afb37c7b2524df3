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

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.conversations.pose_bank import TALKED_ABOUT
from data_builders.conversations.script import Exchange, Script, ScriptWriter
from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.pose_talk import (
    NAMED_STATES,
    Encode,
    Joints,
    Rotations,
    replace_limbs,
    replace_one,
)
from data_builders.posecodes.brief import write_brief_modifiers_with_codes
from data_builders.posecodes.captions import write_captions, write_captions_with_codes
from data_builders.posecodes.modifiers import write_modifiers, write_modifiers_with_codes
from unipose.body.facing import face_front
from unipose.body.kinematics import forward_kinematics
from unipose.body.pose import Pose
from unipose.language.chat_rendering import ChatTemplate
from unipose.language.rendering import Part, Row, render_question, render_sample
from unipose.language.row_packing import pack
from unipose.language.templates import Task, Wording, ask, choose_phrasing, question_about
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.claims import Claim, claimed, true_claims
from unipose.posecodes.questions import show_pose
from unipose.posecodes.reader import read_statements

QUESTIONS_ABOUT_ONE = {
    "check": 8, "which": 4, "measure": 5, "where": 2, "between": 1, "posture": 1, "touching": 1,
    "count": 1, "assess": 1,
}  # fmt: skip
"""How often a question about a pose is of which kind."""
MOST_TRIES = 8
"""Questions that are drawn for one with the answer that is wanted."""
PLAIN_TYPING = 0.2
"""Share of people who type in lower case and without a full stop."""


@dataclass(frozen=True, kw_only=True)
class LessonsConfig:
    """What a step holds."""

    answer_packs: int = 2
    questions: int = 12
    """Of each of these packs, to one pose."""
    descriptions: int = 3
    comparisons: int = 1
    request_packs: int = 1
    requests: int = 12
    """Of each of these packs: descriptions to make poses of."""
    edit_packs: int = 1
    edits: int = 6
    """Of each of these packs, to one pose."""
    talk_packs: int = 1
    """Packs of turns of conversations (`data_builders.conversations`), lest they be forgotten."""
    turns: int = 14
    pool: PoolConfig = field(default_factory=lambda: PoolConfig(mixed=0.4, tilt=0.15))
    few_words: float = 0.7
    """Share of requests that are cut to their first sentences."""
    fixed: float = 0.5
    """Share of rows in the words that the assistant asks in; the rest as people type."""


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
        self.joints_at_rest, self.encode, self.talks = joints_at_rest, encode, talks
        self.template = ChatTemplate(vocabulary.text)
        self.asker = ScriptWriter([], shares={**QUESTIONS_ABOUT_ONE, "help": 0.01})

    def draw(self, *, seed: int, step: int) -> list[Row]:
        """Return the rows of a step."""
        chance = random.Random(f"{seed} {step} lessons")
        generator = torch.Generator().manual_seed(chance.getrandbits(62))
        config = self.config
        rows = [self.answers(generator, chance) for _ in range(config.answer_packs)]
        rows += self.descriptions(config.descriptions, generator, chance)
        rows += self.comparisons(config.comparisons, generator, chance)
        rows += [self.requests(generator, chance) for _ in range(config.request_packs)]
        rows += [self.edits(generator, chance) for _ in range(config.edit_packs)]
        if self.talks is not None:
            for _ in range(config.talk_packs):
                scripts = self.talks.write_branches(
                    chance, turns=chance.choice((0, 0, 1, 2, 3)), count=config.turns
                )
                talk = [self.template.render(s.messages(calls_alone=True)) for s in scripts]
                rows.append(pack(talk, learn_shared=False))
        return rows

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
        for _ in range(MOST_TRIES):
            exchange = self.asker.write(chance, turns=1, begin=begin).exchanges[0]
            found = exchange.finding
            if found is None or len(exchange.calls) != 1 or not exchange.words:
                continue
            if exchange.kind != "check" or found.value is wanted:
                return exchange
        return exchange

    def descriptions(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        """Return poses with their captions."""
        if not count:
            return []
        poses = self.pool.draw(count, generator, self.config.pool)
        joints = self._joints(poses)
        texts = write_captions(joints, seed=chance.getrandbits(31), indices=range(count))
        rows = []
        for pose, codes, text in zip(poses, self.encode(poses), texts, strict=True):
            parts = ask(self._phrasing(Task.DESCRIBE, chance), pose=codes)
            row = render_sample(parts, text, self.vocabulary)
            rows.append(self._with_truth(pack([row]), pose[None]))
        return rows

    def comparisons(
        self, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        """Return pairs of poses with what changes between them."""
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

    def requests(self, generator: torch.Generator, chance: random.Random) -> Row:
        """Return requests to make a pose, up to where the pose is to begin."""
        count = self.config.requests
        poses = face_front(self.pool.draw(count, generator, self.config.pool))
        seed = chance.getrandbits(31)
        captions = write_captions_with_codes(self._joints(poses), seed=seed, indices=range(count))
        rows = []
        for caption, said in captions:
            text, told = caption, list(said)
            if chance.random() < self.config.few_words:
                sentences = caption.split(". ")
                text = ". ".join(sentences[: chance.randint(1, min(3, len(sentences)))])
                told = read_statements(text)
            parts = ask(self._phrasing(Task.GENERATE, chance), text=as_typed(text, chance))
            rows.append(self._request(parts, told))
        return pack(rows)

    def edits(self, generator: torch.Generator, chance: random.Random) -> Row:
        """Return a pose with requests to change it, up to where the new pose is to begin."""
        count = self.config.edits
        alone = self.pool.draw(1, generator, self.config.pool)
        first = alone.expand(count, -1, -1, -1)
        others = [
            (replace_one if i % 2 else replace_limbs)(alone, self.pool, generator, self.config.pool)
            for i in range(count)
        ]
        joints, after = self._joints(first), self._joints(torch.cat(others))
        seed, indices = chance.getrandbits(31), range(count)
        long = write_modifiers_with_codes(joints, after, seed=seed, indices=indices)
        brief = write_brief_modifiers_with_codes(
            joints, after, seed=seed, indices=indices, named_states=NAMED_STATES
        )
        codes = self.encode(alone)[0]
        rows = []
        phrasing = self._phrasing(Task.EDIT, chance)
        for i in range(count):
            text, said = (brief if i % 2 else long)[i]
            if text:
                parts = ask(phrasing, pose=codes, text=as_typed(text, chance))
                rows.append(self._request(parts, said))
        return self._with_truth(pack(rows), alone)

    def _request(self, parts: Sequence[Part], said: Iterable[Claim]) -> Row:
        row = render_question(parts, self.vocabulary)
        row.targets[-1] = self.vocabulary.pose_start
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

    def _joints(self, rotations: Rotations) -> Joints:
        return forward_kinematics(face_front(rotations), self.joints_at_rest).numpy()


def as_typed(text: str, chance: random.Random) -> str:
    """Return a text as people type it: one time in five in lower case, without a full stop."""
    return text.lower().rstrip(".") if chance.random() < PLAIN_TYPING else text
