"""Assistants whose truthfulness is known: one says and does what our writers say, one does not."""

from __future__ import annotations

import torch

from data_builders.posecodes.captions import write_captions
from eval.truth import front_joints
from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import PoseParseError


class LosslessTokenizer:
    """Its codes of a pose are the rotations themselves."""

    def codes(self, pose: Pose) -> torch.Tensor:
        return pose.rotations

    def pose(self, codes: torch.Tensor) -> Pose:
        return Pose(rotations=codes)


class HonestAssistant(LosslessTokenizer):
    """Describes with our writer; makes the poses it was told to remember for each text."""

    def __init__(self, body: Body, remembered: dict[str, Pose] | None = None) -> None:
        self.body = body
        self.remembered = remembered or {}
        self.batches: list[int] = []

    def describe_batch(self, poses: Pose) -> list[str]:
        self.batches.append(len(poses))
        return write_captions(front_joints(self.body, poses), seed=4, indices=range(len(poses)))

    def generate_batch(self, texts: list[str]) -> Pose:
        self.batches.append(len(texts))
        return Pose(rotations=torch.cat([self.remembered[text].rotations for text in texts]))

    def edit_batch(self, poses: Pose, texts: list[str]) -> Pose:
        return self.generate_batch(texts)


class BabblingAssistant(LosslessTokenizer):
    """Talks about other things, answers requests for a pose with words, and edits nothing."""

    def describe_batch(self, poses: Pose) -> list[str]:
        return ["The weather is fine. What a lovely day it is for a walk in the park."] * len(poses)

    def generate_batch(self, texts: list[str]) -> Pose:
        raise PoseParseError("expected one pose, the model answered with 0 poses")

    def edit_batch(self, poses: Pose, texts: list[str]) -> Pose:
        return poses
