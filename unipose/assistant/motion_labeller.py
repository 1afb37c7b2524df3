"""Which of some actions a motion is: the one whose name lies nearest in the motion-text space."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.body.pose import Pose
from unipose.language.text_features import BaseModelText, TextEncoder, plain_label
from unipose.retrieval.motion_text import (
    EMBEDDED_SPACE,
    FPS,
    MotionTextModel,
    facing_motion,
)
from unipose.vision.gaps import bridge_poses

SECONDS_APART = 0.5
"""Between pictures, and between poses without a frame rate, as in training; on validation anything
from 0.1 to 1 finds as many right actions."""


class MotionLabeller:
    """Compares motions with names of actions."""

    def __init__(self, space: MotionTextModel, texts: TextEncoder) -> None:
        self.space, self.texts = space, texts
        self._names: dict[str, Float[Tensor, " feature"]] = {}

    @classmethod
    def load(cls) -> MotionLabeller:
        """Load the embedded space.

        Raises MissingFileError, which says how to get it, if the base that reads the names is not
        installed.
        """
        space = MotionTextModel.from_pretrained(EMBEDDED_SPACE)
        return cls(space, BaseModelText(space.config.text_layer))

    @torch.no_grad()
    def nearest(self, motion: Pose, actions: Sequence[str]) -> str:
        """Return which of the actions a motion of one or more poses is nearest to."""
        seen = self.space.encode_motion(facing_motion(_at_clock(motion).rotations)[None])
        new = [action for action in actions if action not in self._names]
        if new:
            features = self.texts([plain_label(action) for action in new])
            self._names |= zip(new, self.space.encode_text(features))
        names = torch.stack([self._names[action] for action in actions])
        return actions[int((names @ seen[0]).argmax())]


def _at_clock(motion: Pose) -> Pose:
    """Return the motion at the space's poses per second."""
    step = SECONDS_APART if motion.fps is None else 1 / motion.fps
    seconds = torch.arange(len(motion)) * step
    ticks = torch.arange(int(float(seconds[-1]) * FPS + 1e-6) + 1) / FPS
    ((_, found),) = bridge_poses(motion, seconds, ticks, longest_s=2 * step)
    return found
