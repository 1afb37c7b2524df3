"""Recorded movements in memory: what each was called, and still or moving pieces of them."""

from __future__ import annotations

import re
from bisect import bisect
from dataclasses import dataclass, replace
from itertools import accumulate
from math import cos, sin
from pathlib import Path

import numpy as np
from jaxtyping import Float
from rich.progress import track

from data_builders.mocap import Recording, choose, read_manifest
from data_builders.pose_pool import LIMBS, PosePool
from data_builders.studio.block_random import BlockRandom
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import ConfigError

PARTNERS = re.compile(r"(.*salsa/)(\d\d)\.bvh$")
"""Recordings of one dance: salsa/NN and salsa/(NN + 15) share a room."""

FLIP = np.array([-1.0, 1.0, 1.0])

_FLIPS = FLIP[:, None] * FLIP
_MIRROR = list(SMPL.mirror)
_LIMB_JOINTS = [SMPL.indices(*limb) for limb in LIMBS]


@dataclass(frozen=True, kw_only=True, eq=False)
class Take:
    """One recording: the poses of a person over time, and what they did."""

    name: str
    """The file, relative to the folder of recordings."""
    label: str
    source: str
    rotations: Float[np.ndarray, "frame 24 3 3"]
    """Local."""
    path: Float[np.ndarray, "frame 3"]
    """The root's translation (metres)."""
    partner: int = -1
    """Position of the take of the person they dance with; -1 for none."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """A piece of a take, as somebody performs it in the studio."""

    take: str
    """Name of the take; empty for a mixed pose."""
    frame: int
    """Where in the take it begins."""
    source: str
    label: str
    mirrored: bool
    rotations: Float[np.ndarray, "frame 24 3 3"]
    path: Float[np.ndarray, "frame 3"]

    def turned(self, angle: float) -> Clip:
        """Return the clip turned about the vertical through the world's origin (radians)."""
        cosine, sine = cos(angle), sin(angle)
        rotations, path = self.rotations.copy(), self.path.copy()
        for before, after in ((self.rotations[:, 0], rotations[:, 0]), (self.path, path)):
            after[:, 0] = cosine * before[:, 0] + sine * before[:, 2]
            after[:, 2] = cosine * before[:, 2] - sine * before[:, 0]
        return replace(self, rotations=rotations, path=path)


class Motions:
    """All takes of a split; every draw is a function of the generator handed over."""

    def __init__(self, takes: list[Take], *, fps: float) -> None:
        if not takes or not sum(len(take.rotations) for take in takes):
            raise ConfigError("the studio has no recorded poses to show")
        self.takes = takes
        self.fps = fps
        self.ends = list(accumulate(len(take.rotations) for take in takes))
        self.paired = [i for i, take in enumerate(takes) if take.partner >= 0]

    @classmethod
    def read(
        cls, folder: str | Path, split: str = "train", *, fps: float = 30.0, only: str = ""
    ) -> Motions:
        """Return the recordings of a split ("" for all) in a folder with a manifest."""
        recordings = choose(read_manifest(folder), split=split, only=only)
        place = {recording.path: i for i, recording in enumerate(recordings)}
        return cls(
            [
                _take(recording, fps, place)
                for recording in track(recordings, description=f"reading {split}", transient=True)
            ],
            fps=fps,
        )

    @classmethod
    def from_pool(cls, pool: PosePool) -> Motions:
        """Return the poses of a pool; they stay on the spot and nobody knows what they do."""
        rotations = np.tile(np.eye(3), (len(pool), len(SMPL.joints), 1, 1))
        rotations[:, :POSED_JOINTS] = pool.rotations.double().numpy()
        recording = pool.recording.numpy()
        starts = np.flatnonzero(np.diff(recording, prepend=recording[0] - 1))
        takes = [
            Take(
                name=f"pool/{i}",
                label="",
                source="pool",
                rotations=some,
                path=np.zeros((len(some), 3)),
            )
            for i, some in enumerate(np.split(rotations, starts[1:]))
        ]
        return cls(takes, fps=pool.fps)

    def draw(self, random: BlockRandom, *, frames: int, fps: float, mirrored: bool) -> Clip:
        """Return a clip of `frames` poses at `fps`; every recorded pose is as likely to begin it.

        A take that ends too early shows its last pose until the clip is over.
        """
        first = random.below(self.ends[-1])
        take = bisect(self.ends, first)
        start = first - self.ends[take] + len(self.takes[take].rotations)
        if frames > 1:
            length = int((frames - 1) * self.fps / fps) + 1
            start = max(0, min(start, len(self.takes[take].rotations) - length))
        return self._clip(take, start, frames, fps, mirrored)

    def draw_partners(
        self, random: BlockRandom, *, frames: int, fps: float, mirrored: bool
    ) -> tuple[Clip, Clip]:
        """Return what two people who dance with each other do at the same time."""
        take = self.paired[random.below(len(self.paired))]
        partner = self.takes[take].partner
        length = min(len(self.takes[i].rotations) for i in (take, partner))
        last = max(1, length - int((frames - 1) * self.fps / fps))
        start = random.below(last)
        first, second = (self._clip(i, start, frames, fps, mirrored) for i in (take, partner))
        return first, second

    def draw_mixed(self, random: BlockRandom, *, mirrored: bool) -> Clip:
        """Return one pose with each limb from another recorded moment."""
        rotations = np.tile(np.eye(3), (1, len(SMPL.joints), 1, 1))
        for joints in _LIMB_JOINTS:
            clip = self.draw(random, frames=1, fps=1.0, mirrored=mirrored)
            rotations[:, joints] = clip.rotations[:, joints]
        return Clip(
            take="",
            frame=0,
            source="mixed",
            label="",
            mirrored=mirrored,
            rotations=rotations,
            path=np.zeros((1, 3)),
        )

    def _clip(self, take: int, start: int, frames: int, fps: float, mirrored: bool) -> Clip:
        took = self.takes[take]
        last = len(took.rotations) - 1
        at = [min(start + round(i * self.fps / fps), last) for i in range(frames)]
        rotations, path, label = took.rotations[at], took.path[at], took.label
        if mirrored:
            rotations = rotations[:, _MIRROR] * _FLIPS
            path, label = path * FLIP, mirror_words(label)
        return Clip(
            take=took.name,
            frame=start,
            source=took.source,
            label=label,
            mirrored=mirrored,
            rotations=rotations,
            path=path,
        )


def mirror_words(text: str) -> str:
    """Exchange left and right: "kick with the left foot" -> "kick with the right foot"."""
    swap = {"left": "right", "right": "left", "Left": "Right", "Right": "Left"}
    return re.sub(r"\b(?:left|right)\b", lambda m: swap[m[0]], text, flags=re.IGNORECASE)


def multiply(
    first: Float[np.ndarray, "*#batch a b"], second: Float[np.ndarray, "*#batch b c"]
) -> Float[np.ndarray, "*out a c"]:
    """Return the matrix product, summed in order: the same bits on every machine."""
    total = first[..., :, 0, None] * second[..., None, 0, :]
    for k in range(1, first.shape[-1]):
        total = total + first[..., :, k, None] * second[..., None, k, :]
    return total


def _take(recording: Recording, fps: float, place: dict[str, int]) -> Take:
    pose = recording.open(fps=min(fps, recording.fps))
    rotations = pose.rotations.numpy().astype(np.float32)
    path = np.zeros((len(pose), 3)) if pose.translation is None else pose.translation.numpy()
    return Take(
        name=recording.path,
        label=recording.label,
        source=recording.source,
        rotations=rotations,
        path=path.astype(np.float64),
        partner=_partner(recording.path, place),
    )


def _partner(path: str, place: dict[str, int]) -> int:
    found = PARTNERS.match(path)
    if found is None:
        return -1
    number = int(found[2])
    others = [f"{found[1]}{other:02d}.bvh" for other in (number + 15, number - 15)]
    return next((place[other] for other in others if other in place), -1)
