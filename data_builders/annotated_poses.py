"""Poses and pairs of poses with the texts that their source has for them: drawn, never written.

A text stays with its pose: no limb is replaced, no side mirrored, nobody tilted. The body is turned
about the vertical, of a pair both poses alike. The second faces as it did beside the first where
both are of one recording (a text may ask for a turn), and as the first does elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.pose_pool import PoolConfig, turn_at_random
from unipose.body.facing import without_yaw
from unipose.language.templates import Task


@dataclass(frozen=True, kw_only=True)
class AnnotatedPair:
    """Two poses by their positions, and how the first becomes the second."""

    first: int
    second: int
    texts: tuple[str, ...]
    same_world: bool
    """A turn of the whole body between them means something."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedPoses:
    """Poses of one source, which of them are described, and which pairs."""

    rotations: Float[Tensor, "pose 22 3 3"]
    captions: Sequence[tuple[int, tuple[str, ...]]] = ()
    """Position of a pose, and its descriptions."""
    pairs: Sequence[AnnotatedPair] = ()

    @property
    def tasks(self) -> frozenset[Task]:
        """What can be asked with these texts."""
        of_one = {Task.DESCRIBE, Task.GENERATE} if self.captions else set()
        return frozenset(of_one | ({Task.COMPARE, Task.EDIT} if self.pairs else set()))

    @property
    def texts(self) -> list[str]:
        """All texts, of poses first."""
        several = [texts for _, texts in self.captions] + [pair.texts for pair in self.pairs]
        return [text for texts in several for text in texts]

    def draw_captions(
        self, count: int, generator: torch.Generator, config: PoolConfig
    ) -> tuple[Float[Tensor, "count 22 3 3"], list[str]]:
        """Return `count` described poses, each with one of its texts."""
        drawn = [self.captions[i] for i in _positions(len(self.captions), count, generator)]
        poses = self.rotations[torch.tensor([pose for pose, _ in drawn])]
        texts = [_one(texts, generator) for _, texts in drawn]
        return turn_at_random(poses, generator, replace(config, tilt=0.0)), texts

    def draw_modifiers(
        self, count: int, generator: torch.Generator, config: PoolConfig
    ) -> tuple[Float[Tensor, "count 22 3 3"], Float[Tensor, "count 22 3 3"], list[str]]:
        """Return `count` pairs, each with one of its texts."""
        drawn = [self.pairs[i] for i in _positions(len(self.pairs), count, generator)]
        first = self.rotations[torch.tensor([pair.first for pair in drawn])]
        second = self.rotations[torch.tensor([pair.second for pair in drawn])]
        texts = [_one(pair.texts, generator) for pair in drawn]
        turned = turn_at_random(first, generator, replace(config, tilt=0.0))
        facing = first[:, 0] @ without_yaw(first[:, 0]).mT
        alike = facing @ without_yaw(second[:, 0])
        related = torch.tensor([pair.same_world for pair in drawn])[:, None, None]
        root = turned[:, 0] @ first[:, 0].mT @ torch.where(related, second[:, 0], alike)
        return turned, torch.cat([root[:, None], second[:, 1:]], dim=1), texts


def _positions(length: int, count: int, generator: torch.Generator) -> list[int]:
    return torch.randint(length, (count,), generator=generator).tolist()


def _one(texts: tuple[str, ...], generator: torch.Generator) -> str:
    return texts[int(torch.randint(len(texts), (), generator=generator))]
