"""What the model says along the way about people nobody trains on: samples, and how true they are.

A few poses of the validation recordings are described, generated from what is written about them,
and edited; of a few pictures of theirs the pose is described and estimated. It is a small check, to
see where a run is going: eval measures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from data_builders.picture_pool import PicturedPerson
from data_builders.pose_pool import AS_RECORDED, PosePool
from data_builders.pose_talk import replace_limbs
from data_builders.posecodes.captions import write_captions
from data_builders.posecodes.modifiers import write_modifiers
from data_builders.posecodes.scores import score_changes, score_statements
from data_builders.training_sources import TrainingPoses, TrainingSource
from unipose.assistant import UniPose
from unipose.body.facing import face_front, front_facing_joints
from unipose.body.kinematics import forward_kinematics
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import ConfigError, PoseParseError
from unipose.metrics import mpjpe
from unipose.posecodes.reader import read_changes

SPARSE = 10.0
"""Frames per second of the recordings; more would be alike."""
PAIRS = 4
"""Pairs of poses that are drawn for each that is kept: some hardly differ."""


class HeldOut:
    """Held-out people, and the questions about them: the same ones at every glance."""

    def __init__(
        self,
        joints_at_rest: Float[Tensor, "24 3"],
        *,
        poses: PosePool | None = None,
        count: int = 0,
        seed: int = 0,
        shown: Sequence[PicturedPerson] = (),
    ) -> None:
        """Ask about `count` of the poses, and about whoever is shown of whom the pose is known."""
        self.joints_at_rest = joints_at_rest
        self.shown = [person for person in shown if person.rotations is not None]
        self.count = 0 if poses is None else count
        if poses is None:
            return
        generator = torch.Generator().manual_seed(seed)
        drawn = _pairs(poses, PAIRS * count, generator)
        before, after = (self.joints(some) for some in drawn)
        texts = write_modifiers(before, after, seed=seed, indices=range(len(before)))
        kept = [i for i, text in enumerate(texts) if read_changes(text)][:count]
        self.count = len(kept)
        self.first, self.second = (face_front(some[kept]) for some in drawn)
        self.changes = [texts[i] for i in kept]
        self.captions = write_captions(before[kept], seed=seed, indices=range(len(kept)))

    def joints(self, rotations: Float[Tensor, "pose _ 3 3"]) -> Float[np.ndarray, "pose 22 3"]:
        """Return joints (metres, pelvis in one place) of poses turned to the front."""
        return front_facing_joints(rotations[:, :POSED_JOINTS].float(), self.joints_at_rest)

    def ask(self, assistant: UniPose) -> dict[str, float | str]:
        """Return shares of what is said that are true (0 to 1), the error of estimates (mm), texts.

        An answer that is no pose is no right one: it counts as an unturned body.
        """
        of_poses = self._ask_of_poses(assistant) if self.count else {}
        return of_poses | (self._ask_of_pictures(assistant) if self.shown else {})

    def _ask_of_poses(self, assistant: UniPose) -> dict[str, float | str]:
        poses, before = Pose.from_rotations(self.first), self.joints(self.first)
        descriptions = assistant.describe_batch(poses)
        made, were_made = _asked(lambda i: assistant.generate(self.captions[i]), self.count)
        edited, were_edited = _asked(
            lambda i: assistant.edit(poses[i], self.changes[i]), self.count
        )
        return {
            "described_true": score_statements(
                descriptions, before, np.ones(self.count, dtype=bool)
            ).true,
            "generated_true": score_statements(self.captions, self.joints(made), were_made).true,
            "edited_true": score_changes(
                self.changes, before, self.joints(edited), were_edited
            ).true,
            "answers_that_were_no_pose": int((~were_made).sum() + (~were_edited).sum()),
            "described": descriptions[0],
        }

    def _ask_of_pictures(self, assistant: UniPose) -> dict[str, float | str]:
        truth = torch.stack([one.rotations for one in self.shown if one.rotations is not None])
        pictures = [one.picture for one in self.shown]
        descriptions = assistant.describe_batch(pictures)
        seen, were_seen = _asked(lambda i: assistant.estimate(pictures[i]), len(pictures))
        apart = mpjpe(
            forward_kinematics(seen[:, :POSED_JOINTS], self.joints_at_rest),
            forward_kinematics(truth, self.joints_at_rest),
        )
        known = np.ones(len(truth), dtype=bool)
        return {
            "image_true": score_statements(descriptions, self.joints(truth), known).true,
            "estimate_mpjpe_mm": float(apart.mean() * 1000),
            "estimates_that_were_none": int((~were_seen).sum()),
            "image": descriptions[0],
        }


def _pairs(
    poses: PosePool, count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "pose 22 3 3"], Float[Tensor, "pose 22 3 3"]]:
    """Return two moments of a recording each; where there are none, poses with other limbs."""
    if poses.moves:
        return poses.draw_moments(count, generator, AS_RECORDED)
    first = poses.draw(count, generator, AS_RECORDED)
    return first, replace_limbs(first, poses, generator, AS_RECORDED)


def read_poses(data: Path, sources: Sequence[TrainingSource] = ()) -> PosePool:
    """Return the poses of the sources' or recordings' validation split, or made-up ones.

    Raises ConfigError for sources and recordings without that split.
    """
    try:
        return TrainingPoses.read(data, sources, split="val", fps=SPARSE).pool
    except ConfigError as error:
        raise ConfigError(f"{error}; --checked 0 trains without asking held-out people") from error


def _asked(
    ask: Callable[[int], Pose], count: int
) -> tuple[Float[Tensor, "pose 24 3 3"], Bool[np.ndarray, " pose"]]:
    """Return the answers to questions 0 to count - 1, and which of them were a pose."""
    made = np.ones(count, dtype=bool)
    rotations = torch.eye(3).repeat(count, 24, 1, 1)
    for i in range(count):
        try:
            rotations[i] = ask(i).rotations[0].float()
        except PoseParseError:
            made[i] = False
    return rotations, made
