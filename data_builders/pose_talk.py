"""Questions and answers about poses: training text made on the fly out of a pool of poses.

The same (seed, step) gives the same samples in any process. A pair for comparing and editing is a
pose and the same pose with some limbs taken from elsewhere: from a moment later in the recording,
or from any other frame; what the text does not speak of stays as it was.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional

from data_builders.annotated_poses import AnnotatedPoses
from data_builders.pose_pool import LIMBS, PoolConfig, PosePool
from data_builders.posecodes.brief import rarity, write_brief_modifiers_with_codes
from data_builders.posecodes.captions import write_captions_with_codes
from data_builders.posecodes.modifiers import Modifier, write_modifiers_with_codes
from unipose.body.facing import face_front, front_facing_joints, without_yaw
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError
from unipose.language.rendering import Practice, Row, render_sample
from unipose.language.templates import Task, Wording, ask, choose_phrasing
from unipose.language.vocabulary import Vocabulary
from unipose.posecodes.claims import Claim, claimed, true_claims
from unipose.posecodes.reader import read, read_change_text

Rotations = Float[Tensor, "pose 22 3 3"]
THINGS = ((1,), (2,), (3,), (2, 3), (4,), (5,), (4, 5), (0, 4, 5), (0, 4, 5))
"""Limbs (of LIMBS) that a brief instruction may move: trunk, arms, legs, or the posture."""
Joints = Float[np.ndarray, "pose 22 3"]
Encode = Callable[[Rotations], Int[Tensor, "pose code"]]
Told = tuple[str, Iterable[Claim] | None]
"""A text and what it claims; None where that has to be read off the text."""


@dataclass(frozen=True, kw_only=True)
class TalkConfig:
    """How many samples of each task a batch holds, and what its poses are like."""

    shares: tuple[tuple[Task, float], ...] = (
        (Task.DESCRIBE, 0.3),
        (Task.GENERATE, 0.25),
        (Task.COMPARE, 0.2),
        (Task.EDIT, 0.25),
    )
    pool: PoolConfig = field(default_factory=lambda: PoolConfig(mixed=0.5, tilt=0.15))
    moments: float = 0.4
    """Share of pairs that are two moments of one recording; the others replace limbs."""
    plain_typing: float = 0.2
    """Share of people who type in lower case and without a full stop."""
    few_words: float = 0.35
    """Share of descriptions to generate from that are cut to their first sentences."""
    brief: float = 0.35
    """Share of edits that ask for one or two things: what is not spoken of stays as it was."""
    wording: Wording = Wording.TALK


CANDIDATES = 32
"""Pairs that are drawn for each brief one."""
NAMED_STATES = 0.7
"""How often a brief instruction names a state that its pair reaches: states are harder to learn."""
COMMON = 0.01
"""Weight of pairs that reach no state, beside the rarity of the others."""


class PoseTalk:
    """Draws batches of samples, rendered and ready to learn from."""

    def __init__(
        self,
        pool: PosePool,
        *,
        joints_at_rest: Float[Tensor, "24 3"],
        encode: Encode,
        vocabulary: Vocabulary,
        config: TalkConfig,
        annotated: AnnotatedPoses | None = None,
    ) -> None:
        """`annotated` gives samples with texts of their own; without it, they are written here.

        Raises ConfigError if it has texts for none of the tasks.
        """
        if annotated is not None:
            config = replace(config, shares=shares_of_tasks(config.shares, annotated.tasks))
        self.annotated = annotated
        self.pool, self.config, self.vocabulary = pool, config, vocabulary
        self.encode = encode
        self._joints = partial(front_facing_joints, joints_at_rest=joints_at_rest)

    def draw(self, count: int, *, seed: int, step: int) -> list[Row]:
        """Return `count` samples of mixed tasks."""
        chance = random.Random(f"{seed} {step}")
        generator = torch.Generator().manual_seed(chance.getrandbits(62))
        tasks, weights = zip(*self.config.shares, strict=True)
        drawn = chance.choices(tasks, weights, k=count)
        rows: list[Row] = []
        for task in tasks:
            wanted = drawn.count(task)
            if wanted:
                rows += self._samples(task, wanted, generator, chance)
        return rows

    def practise(self, count: int, *, seed: int, step: int) -> Practice:
        """Return `count` pairs without words: half of them one pose that a caption asks for."""
        generator = torch.Generator().manual_seed(random.Random(f"{seed} {step} p").getrandbits(62))
        writer_seed = int(torch.randint(2**31, (), generator=generator))
        single = count // 2
        brief = round((count - single) * self.config.brief)
        alone = face_front(self.pool.draw(single, generator, self.config.pool))
        pairs = (
            self._pairs(count - single - brief, generator), self._brief_pairs(brief, generator)
        )  # fmt: skip
        first, second = (torch.cat(some) for some in zip(*pairs, strict=True))
        joints, others = self._joints(first), self._joints(second)
        posed, long = self._joints(alone), len(first) - brief
        captions = write_captions_with_codes(posed, seed=writer_seed, indices=range(single))
        texts = write_modifiers_with_codes(
            joints[:long], others[:long], seed=writer_seed, indices=range(long)
        )
        orders = self._briefly(joints[long:], others[long:], seed=writer_seed, indices=range(brief))
        told = torch.from_numpy(claimed([said for _, said in [*captions, *texts]]))
        briefly = torch.from_numpy(claimed([said for _, said in orders]))
        facts = np.concatenate([true_claims(posed, posed), true_claims(joints, others)])
        codes = self.encode(torch.cat([alone, first, second])).split(
            [single, len(first), len(second)]
        )
        return Practice(
            first=torch.cat([codes[0], codes[1]]),
            second=torch.cat([codes[0], codes[2]]),
            facts=torch.from_numpy(facts),
            told=torch.cat([self._some(told, generator), briefly]),
            edits=torch.arange(count) >= single,
        )

    def _some(
        self, told: Bool[Tensor, "text claim"], generator: torch.Generator
    ) -> Bool[Tensor, "text claim"]:
        """Return the claims with some left out, for people who say little."""
        few = torch.rand(len(told), 1, generator=generator) < self.config.few_words
        kept = torch.rand(len(told), 1, generator=generator)
        return told & ~(few & (torch.rand(told.shape, generator=generator) > kept))

    def _samples(
        self, task: Task, count: int, generator: torch.Generator, chance: random.Random
    ) -> list[Row]:
        seed = chance.getrandbits(31)
        if task in (Task.DESCRIBE, Task.GENERATE):
            poses, joints, texts = self._captioned(count, generator, seed)
            if task == Task.GENERATE:
                codes = self.encode(face_front(poses))
                pairs = zip(codes, texts, strict=True)
                return [self._generate(code, text, said, chance) for code, (text, said) in pairs]
            facts = torch.from_numpy(true_claims(joints, joints))
            rows = [
                self._describe(code, text, chance)
                for code, (text, _) in zip(self.encode(poses), texts, strict=True)
            ]
        else:
            brief = task == Task.EDIT and chance.random() < self.config.brief
            first, second, joints, others, texts = self._modified(count, generator, seed, brief)
            newest = others if task == Task.COMPARE else joints
            facts = torch.from_numpy(true_claims(joints, newest))
            rows = []
            codes = zip(self.encode(first), self.encode(second), strict=True)
            for (a, b), (text, said) in zip(codes, texts, strict=True):
                phrasing = choose_phrasing(task, chance, self.config.wording)
                if task == Task.COMPARE:
                    parts = ask(phrasing, first=a, second=b)
                    rows.append(render_sample(parts, text, self.vocabulary))
                else:
                    parts = ask(
                        phrasing, pose=a, text=as_typed(text, chance, self.config.plain_typing)
                    )
                    rows.append(render_sample(parts, b, self.vocabulary))
                    rows[-1].told = self._told(task, text, said)
        for row, fact in zip(rows, facts, strict=True):
            row.facts = fact
        return rows

    def _captioned(
        self, count: int, generator: torch.Generator, seed: int
    ) -> tuple[Rotations, Joints, Sequence[Told]]:
        if self.annotated is not None:
            poses, texts = self.annotated.draw_captions(count, generator, self.config.pool)
            return poses, self._joints(poses), [(text, None) for text in texts]
        poses = self.pool.draw(count, generator, self.config.pool)
        joints = self._joints(poses)
        return poses, joints, write_captions_with_codes(joints, seed=seed, indices=range(count))

    def _modified(
        self, count: int, generator: torch.Generator, seed: int, brief: bool
    ) -> tuple[Rotations, Rotations, Joints, Joints, Sequence[Told]]:
        if self.annotated is not None:
            config = self.config.pool
            first, second, texts = self.annotated.draw_modifiers(count, generator, config)
            joints, others = self._joints(first), self._joints(second)
            return first, second, joints, others, [(text, None) for text in texts]
        first, second = (self._brief_pairs if brief else self._pairs)(count, generator)
        joints, others = self._joints(first), self._joints(second)
        write = self._briefly if brief else write_modifiers_with_codes
        written = write(joints, others, seed=seed, indices=range(count))
        return first, second, joints, others, written

    def _pairs(self, count: int, generator: torch.Generator) -> tuple[Rotations, Rotations]:
        moments = round(count * self.config.moments) if self.pool.moves else 0
        one, two = self.pool.draw_moments(moments, generator, self.config.pool)
        first = self.pool.draw(count - moments, generator, self.config.pool)
        second = replace_limbs(first, self.pool, generator, self.config.pool)
        return torch.cat([one, first]), torch.cat([two, second])

    def _briefly(self, *joints: Joints, seed: int, indices: range) -> list[Modifier]:
        return write_brief_modifiers_with_codes(
            *joints, seed=seed, indices=indices, named_states=NAMED_STATES
        )

    def _brief_pairs(self, count: int, generator: torch.Generator) -> tuple[Rotations, Rotations]:
        """Return pairs that differ in one thing; rare states are reached more often."""
        first = self.pool.draw(CANDIDATES * count, generator, self.config.pool)
        second = replace_one(first, self.pool, generator, self.config.pool)
        if not count:  # nothing can be chosen of nothing
            return first, second
        rare = torch.from_numpy(rarity(self._joints(first), self._joints(second)))
        chosen = torch.multinomial(rare + COMMON, count, generator=generator)
        return first[chosen], second[chosen]

    def _describe(self, codes: Int[Tensor, " code"], text: str, chance: random.Random) -> Row:
        phrasing = choose_phrasing(Task.DESCRIBE, chance, self.config.wording)
        parts = ask(phrasing, pose=codes)
        return render_sample(parts, text, self.vocabulary)

    def _generate(
        self,
        codes: Int[Tensor, " code"],
        text: str,
        said: Iterable[Claim] | None,
        chance: random.Random,
    ) -> Row:
        if chance.random() < self.config.few_words:
            sentences = text.split(". ")
            text = ". ".join(sentences[: chance.randint(1, len(sentences))])
            said = None
        phrasing = choose_phrasing(Task.GENERATE, chance, self.config.wording)
        parts = ask(phrasing, text=as_typed(text, chance, self.config.plain_typing))
        row = render_sample(parts, codes, self.vocabulary)
        row.told = self._told(Task.GENERATE, text, said)
        return row

    def _told(
        self, task: Task, text: str, said: Iterable[Claim] | None
    ) -> Bool[Tensor, " claim"] | None:
        """Return the claims of a text; None for a source's own that cannot be read as a whole."""
        unread: Sequence[str] = ()
        if said is None and task == Task.EDIT:
            changes = read_change_text(text)
            said, unread = changes.changes, changes.unread
        elif said is None:
            statements = read(text)
            said, unread = statements.statements, statements.unread
        told = torch.from_numpy(claimed([said]))[0]
        if self.annotated is not None and (unread or not bool(told.any())):
            return None  # what is not understood would be learned as not said
        return told


def shares_of_tasks(
    shares: Sequence[tuple[Task, float]], tasks: Collection[Task]
) -> tuple[tuple[Task, float], ...]:
    """Return the shares of the tasks that a source has. Raises ConfigError if they are nothing."""
    found = tuple((task, share) for task, share in shares if task in tasks)
    if not sum(share for _, share in found):
        raise ConfigError(
            f"a source has examples of {', '.join(sorted(tasks))}, but the shares of tasks are "
            + ", ".join(f"{task} {share:g}" for task, share in shares)
        )
    return found


def as_typed(text: str, chance: random.Random, plain: float) -> str:
    """Return a text as people type it: a share `plain` in lower case, without a full stop."""
    return text.lower().rstrip(".") if chance.random() < plain else text


def replace_limbs(
    poses: Rotations, pool: PosePool, generator: torch.Generator, config: PoolConfig
) -> Rotations:
    """Return the poses with one to three limbs (never the root) taken from other frames."""
    others = pool.draw(len(poses), generator, config)
    order = torch.rand(len(poses), len(LIMBS) - 1, generator=generator).argsort(dim=1)
    limbs = torch.randint(1, 4, (len(poses), 1), generator=generator)
    chosen = order.argsort(dim=1) < limbs
    return _with_limbs(poses, others, functional.pad(chosen, (1, 0)))


def replace_one(
    poses: Rotations, pool: PosePool, generator: torch.Generator, config: PoolConfig
) -> Rotations:
    """Return the poses with one thing taken from other frames: an arm, both legs, a posture.

    A posture is how both legs are placed and the body leans; where the body faces is kept.
    """
    others = pool.draw(len(poses), generator, config)
    facing = poses[:, 0] @ without_yaw(poses[:, 0]).mT
    others = torch.cat([(facing @ without_yaw(others[:, 0]))[:, None], others[:, 1:]], dim=1)
    things = torch.zeros(len(THINGS), len(LIMBS), dtype=torch.bool)
    for thing, limbs in zip(things, THINGS, strict=True):
        thing[list(limbs)] = True
    which = torch.randint(len(THINGS), (len(poses),), generator=generator)
    return _with_limbs(poses, others, things[which])


def _with_limbs(
    poses: Rotations, others: Rotations, chosen: Bool[Tensor, "pose limb"]
) -> Rotations:
    """Return the poses with the chosen limbs of the others."""
    replaced = torch.zeros(poses.shape[:2], dtype=torch.bool)
    for i, limb in enumerate(LIMBS):
        replaced[:, SMPL.indices(*limb)] = chosen[:, i : i + 1]
    return torch.where(replaced[..., None, None], others, poses)
