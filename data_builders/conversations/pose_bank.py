"""Poses and films to talk about, drawn once from recordings and ready to be measured."""

from __future__ import annotations

import torch

from data_builders.pose_pool import PoolConfig, PosePool
from unipose.body.pose import Pose
from unipose.posecodes.questions import Film, ShownPose, show_film, show_pose

TALKED_ABOUT = PoolConfig(mixed=0.3, turn=0.15, tilt=0.0)
"""Mostly as recorded; some limbs exchanged, so that more kinds of poses are met."""
FILM_S = 4.0
"""Seconds of a film."""


def bank_of_poses(pool: PosePool, count: int, *, seed: int) -> list[ShownPose]:
    """Return `count` poses of a pool; the same seed gives the same poses."""
    generator = torch.Generator().manual_seed(seed)
    drawn = pool.draw(count, generator, TALKED_ABOUT)
    return [show_pose(Pose.from_rotations(drawn[i : i + 1])) for i in range(count)]


def bank_of_films(pool: PosePool, count: int, *, seed: int) -> list[Film]:
    """Return `count` stretches of recordings, of FILM_S seconds or what the pool has of them."""
    generator = torch.Generator().manual_seed(seed)
    length = max(2, min(len(pool), round(FILM_S * pool.fps)))
    films = []
    for _ in range(count):
        start = int(torch.randint(len(pool) - length + 1, (1,), generator=generator))
        frames = pool.rotations[start : start + length]
        films.append(show_film(Pose.from_rotations(frames, fps=pool.fps)))
    return films
