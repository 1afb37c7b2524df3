"""Poses to train on: recorded ones, their mirror images, and new ones mixed out of their joints.

Half an hour of recordings leaves most poses unseen. A mixed pose takes each joint (or each limb)
from another recorded frame and turns it a little further: every joint stays near what a person's
joint was seen to do, so anatomical limits hold joint by joint, while the combinations are new.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import roma
import torch
from jaxtyping import Float, Int
from rich.progress import track
from torch import Tensor

from data_builders.mocap import read_manifest
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import ConfigError

LIMBS = (
    ("pelvis",),
    ("spine1", "spine2", "spine3", "neck", "head"),
    ("left_collar", "left_shoulder", "left_elbow", "left_wrist"),
    ("right_collar", "right_shoulder", "right_elbow", "right_wrist"),
    ("left_hip", "left_knee", "left_ankle", "left_foot"),
    ("right_hip", "right_knee", "right_ankle", "right_foot"),
)
"""Joints that a limb-wise mix takes from one frame."""


@dataclass(frozen=True, kw_only=True)
class PoolConfig:
    """What a drawn batch is made of."""

    mixed: float = 0.6
    """Share of poses mixed from several frames; half of them joint by joint, half limb by limb."""
    turn: float = 0.25
    """Standard deviation (radians) of the extra turn of each joint of a mixed pose."""
    yaw: float = 3.1416
    """The whole body turns about the vertical by up to this angle (radians) either way."""
    tilt: float = 0.35
    """... and about the two horizontal axes by up to this angle (UniPose: 20 degrees)."""


AS_RECORDED = PoolConfig(mixed=0.0, turn=0.0, tilt=0.0)
"""Poses of recordings, but for left and right and where they face."""


@dataclass(frozen=True, kw_only=True)
class PoolPart:
    """Poses of a pool that follow each other and are drawn alike: those of one source."""

    poses: int
    share: float = 1.0
    """How often a pose is drawn here, beside the shares of the other parts."""
    fps: float
    moves: bool
    """Whether any two of them are moments of one recording."""


class PosePool:
    """Recorded poses held in memory, and batches drawn from them."""

    def __init__(
        self,
        rotations: Float[Tensor, "pose 22 3 3"],
        recording: Int[Tensor, " pose"] | None = None,
        *,
        fps: float = 30.0,
    ) -> None:
        if not len(rotations):
            raise ConfigError("the pose pool is empty: no recording of this split was found")
        self.rotations = rotations
        self.recording = torch.zeros(len(rotations)) if recording is None else recording
        """Which recording a pose is from; poses of one recording follow each other in time."""
        moves = bool((self.recording[1:] == self.recording[:-1]).any())
        self.parts: tuple[PoolPart, ...] = (PoolPart(poses=len(rotations), fps=fps, moves=moves),)

    def __len__(self) -> int:
        return len(self.rotations)

    @property
    def moves(self) -> bool:
        """Whether there are two moments of any recording."""
        return any(part.moves for part in self.parts)

    @property
    def fps(self) -> float:
        """Frames per second of all recordings. Raises ConfigError where they differ."""
        rates = {part.fps for part in self.parts if part.moves or not self.moves}
        if len(rates) > 1:
            raise ConfigError(f"these recordings have {rates} frames per second, not all the same")
        return rates.pop()

    @classmethod
    def mix(cls, pools: Sequence[PosePool], shares: Sequence[float]) -> PosePool:
        """Return the poses of several pools; each is drawn from as often as its share says.

        Shares count beside each other: 3 and 1 are three of four and one of four. Moments of
        recordings are drawn from the pools that have any.
        """
        starts = [0]
        for pool in pools:
            assert len(pool.parts) == 1, "a mixed pool is not mixed again"
            starts.append(starts[-1] + int(pool.recording.max()) + 1)
        mixed = cls(
            torch.cat([pool.rotations for pool in pools]),
            torch.cat([pool.recording.long() + start for pool, start in zip(pools, starts)]),
        )
        mixed.parts = tuple(
            replace(pool.parts[0], share=share) for pool, share in zip(pools, shares, strict=True)
        )
        return mixed

    def part(self, number: int) -> PosePool:
        """Return one of the pools that were mixed; it shares their memory."""
        before = sum(part.poses for part in self.parts[:number])
        own = slice(before, before + self.parts[number].poses)
        return PosePool(self.rotations[own], self.recording[own], fps=self.parts[number].fps)

    @classmethod
    def read(
        cls, folder: str | Path, split: str, *, fps: float = 30.0, skip_groups: tuple[str, ...] = ()
    ) -> PosePool:
        """Return the poses of all recordings of `split` in a folder with a manifest."""
        recordings = [
            recording
            for recording in read_manifest(folder)
            if recording.split == split and recording.group not in skip_groups
        ]
        poses = [
            recording.open(fps=fps).rotations[:, :POSED_JOINTS].float()
            for recording in track(recordings, description=f"reading {split}", transient=True)
        ]
        if not poses:
            raise ConfigError(f"no recording of the split {split!r} in {folder}")
        lengths = torch.tensor([len(some) for some in poses])
        return cls(torch.cat(poses), torch.arange(len(poses)).repeat_interleave(lengths), fps=fps)

    @classmethod
    def read_or_make(
        cls, folder: Path, split: str, *, made_up: int = 64, seed: int = 1
    ) -> PosePool:
        """Return what `read` does, or for the folder "" (debug presets) so many made-up poses."""
        return cls.random(made_up, seed=seed) if folder == Path() else cls.read(folder, split)

    @classmethod
    def random(cls, count: int, *, seed: int) -> PosePool:
        """Return made-up poses (for the debug presets and tests): small turns of every joint."""
        generator = torch.Generator().manual_seed(seed)
        turns = torch.randn(count, POSED_JOINTS, 3, generator=generator) * 0.4
        return cls(roma.rotvec_to_rotmat(turns))

    def draw(
        self, count: int, generator: torch.Generator, config: PoolConfig
    ) -> Float[Tensor, "count 22 3 3"]:
        """Return `count` poses; the same generator state gives the same poses."""
        return turn_at_random(
            self._mirror(self._mix(count, generator, config), generator), generator, config
        )

    def draw_moments(
        self, count: int, generator: torch.Generator, config: PoolConfig
    ) -> tuple[Float[Tensor, "count 22 3 3"], Float[Tensor, "count 22 3 3"]]:
        """Return pairs of one recording, 0.2 to 2 seconds apart; the second keeps the first's root.

        Where a recording is too short for the drawn distance, the pair is one pose twice.
        """
        parts = self._choose_parts(count, generator, moving=True)
        frames = self._choose_frames(parts, 1, generator)[:, 0]
        fps = torch.tensor([part.fps for part in self.parts])[parts]
        apart = (0.2 + 1.8 * torch.rand(count, generator=generator)) * fps
        later = (frames + apart.long()).clamp(max=len(self) - 1)
        later = torch.where(self.recording[later] == self.recording[frames], later, frames)
        pairs = self.rotations[torch.stack([frames, later], dim=1)].flatten(1, 2)
        first, second = self._mirror(pairs, generator).split(POSED_JOINTS, dim=1)
        first = turn_at_random(first, generator, config)
        return first, torch.cat([first[:, :1], second[:, 1:]], dim=1)

    def _choose_parts(
        self, count: int, generator: torch.Generator, *, moving: bool = False
    ) -> Int[Tensor, " count"]:
        """Return a part for each of so many poses, by their shares; `moving`: one that moves."""
        if len(self.parts) == 1:
            return torch.zeros(count, dtype=torch.long)
        moving = moving and self.moves
        shares = [part.share * (part.moves or not moving) for part in self.parts]
        edges = (torch.tensor(shares, dtype=torch.float64) / sum(shares)).cumsum(0)[:-1]
        drawn = torch.rand(count, generator=generator, dtype=torch.float64)
        return torch.bucketize(drawn, edges, right=True)

    def _choose_frames(
        self, parts: Int[Tensor, " count"], each: int, generator: torch.Generator
    ) -> Int[Tensor, "count each"]:
        """Return `each` positions of poses within each of the parts."""
        if len(self.parts) == 1:
            return torch.randint(len(self), (len(parts), each), generator=generator)
        poses = torch.tensor([part.poses for part in self.parts])
        first = (poses.cumsum(0) - poses)[parts]
        drawn = torch.rand(len(parts), each, generator=generator, dtype=torch.float64)
        return first[:, None] + (drawn * poses[parts][:, None]).long()

    def _mix(
        self, count: int, generator: torch.Generator, config: PoolConfig
    ) -> Float[Tensor, "count 22 3 3"]:
        limb_of_joint = torch.zeros(POSED_JOINTS, dtype=torch.long)
        for i, limb in enumerate(LIMBS):
            limb_of_joint[SMPL.indices(*limb)] = i
        parts = self._choose_parts(count, generator)
        frames = self._choose_frames(parts, POSED_JOINTS, generator)
        kind = torch.rand(count, 1, generator=generator)
        frames = torch.where(kind < config.mixed / 2, frames, frames[:, limb_of_joint])
        frames = torch.where(kind < config.mixed, frames, frames[:, :1])
        rotations = self.rotations[frames, torch.arange(POSED_JOINTS)]
        turned = (kind < config.mixed)[..., None] * config.turn
        turns = torch.randn(count, POSED_JOINTS, 3, generator=generator) * turned
        turns = turns * torch.rand(count, 1, 1, generator=generator)
        return rotations @ roma.rotvec_to_rotmat(turns)

    def _mirror(
        self, rotations: Float[Tensor, "count joint 3 3"], generator: torch.Generator
    ) -> Float[Tensor, "count joint 3 3"]:
        """Return every second pose (or pair of poses, 44 joints) with left and right exchanged."""
        flip = torch.tensor([-1.0, 1.0, 1.0])
        order = torch.tensor(SMPL.mirror[:POSED_JOINTS])
        order = torch.cat([order, order + POSED_JOINTS])[: rotations.shape[1]]
        mirrored = rotations[:, order] * flip[:, None] * flip
        chosen = torch.rand(len(rotations), 1, 1, 1, generator=generator) < 0.5
        return torch.where(chosen, mirrored, rotations)


def turn_at_random(
    rotations: Float[Tensor, "count 22 3 3"], generator: torch.Generator, config: PoolConfig
) -> Float[Tensor, "count 22 3 3"]:
    """Return the poses, each turned and tilted as a whole."""
    turn = torch.rand(len(rotations), 3, generator=generator) * 2 - 1
    about_y = turn[:, 1:2] * torch.tensor([[0.0, config.yaw, 0.0]])
    tilted = turn * torch.tensor([config.tilt, 0.0, config.tilt])
    root = roma.rotvec_to_rotmat(about_y) @ roma.rotvec_to_rotmat(tilted) @ rotations[:, 0]
    return torch.cat([root[:, None], rotations[:, 1:]], dim=1)
