"""Samples of several sources in one batch, each source as often as its share says."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from data_builders.pose_talk import PoseTalk
from unipose.errors import ConfigError
from unipose.language.rendering import Practice, Row


@runtime_checkable
class Talk(Protocol):
    """Whatever draws samples: the same (seed, step), the same samples."""

    def draw(self, count: int, *, seed: int, step: int) -> list[Row]:
        """Return `count` samples."""
        ...


class MixedTalk:
    """Draws each sample from one of several talks, chosen by its share of all shares."""

    def __init__(
        self, talks: Sequence[Talk], shares: Sequence[float], *, practice: PoseTalk | None = None
    ) -> None:
        """`practice` is asked for pairs without words."""
        self.talks, self.shares, self.practice = talks, shares, practice

    def draw(self, count: int, *, seed: int, step: int) -> list[Row]:
        """Return `count` samples."""
        chance = random.Random(f"{seed} {step} sources")
        drawn = chance.choices(range(len(self.talks)), self.shares, k=count)
        rows: list[Row] = []
        for i, talk in enumerate(self.talks):
            wanted = drawn.count(i)
            if wanted:  # no two talks make the same choices
                own = random.Random(f"{seed} {i}").getrandbits(31)
                rows += talk.draw(wanted, seed=own, step=step)
        return rows

    def practise(self, count: int, *, seed: int, step: int) -> Practice:
        """Return `count` pairs without words, of all sources."""
        if self.practice is None:
            raise ConfigError("there are no poses to practise with")
        return self.practice.practise(count, seed=seed, step=step)
