"""Who names actions without a base model: whether the left elbow is bent."""

from __future__ import annotations

import torch

from unipose.assistant.motion_labeller import MotionLabeller
from unipose.retrieval.motion_text import MotionTextConfig, MotionTextModel

LEFT_ELBOW = 18


class BentElbowTexts(MotionTextModel):
    """A space of two directions, the elbow is bent and it is straight; remembers what it saw."""

    def __init__(self) -> None:
        super().__init__(MotionTextConfig(encoder="statistics", latent=4, text_width=2))
        self.frames: list[int] = []

    def encode_motion(self, rotations, present=None):
        self.frames.append(rotations.shape[1])
        cosine = rotations[:, :, LEFT_ELBOW].diagonal(dim1=-2, dim2=-1).sum(-1) / 2 - 0.5
        bent = 1 - cosine.mean(1)
        return torch.stack([bent, 1 - bent], dim=1)

    def encode_text(self, features):
        return features


def bent_elbow_labeller() -> MotionLabeller:
    """Return one who knows names with "bend" in them from others."""

    def texts(names):
        return torch.tensor([[1.0, 0.0] if "bend" in name else [0.0, 1.0] for name in names])

    return MotionLabeller(BentElbowTexts(), texts)
