"""What a lifter is: any network from 2D keypoints over some frames to 3D joints."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

SeenRows = Float[Tensor, "row frame joint 2"]
"""Screen-normalised keypoints (unipose.lifting.screen) of some frames each."""
SaidRows = Float[Tensor, "row said joint 3"]
"""Joints from the root, in the camera's axes (metres): of all frames, or of the middle one."""


@runtime_checkable
class TaskNet(Protocol):
    """A lifter ("task-net" in SEAL-Pose); an `nn.Module` that also learns."""

    frames: int
    """How many frames it looks at; 1 for one that lifts pictures."""

    def __call__(self, seen: SeenRows) -> SaidRows:
        """Return the joints of all frames, or of the middle one alone."""
        ...


def of_frames_said(
    rows: Float[Tensor, "row frame joint axis"], said: SaidRows
) -> Float[Tensor, "pose joint axis"]:
    """Return what belongs to the frames that a lifter says, one pose a row.

    rows    frames 0 1 2 3 4      said    one frame    ->  frame 2
    rows    frames 0 1 2 3 4      said    five frames  ->  frames 0 1 2 3 4
    """
    if rows.shape[1] != said.shape[1]:
        assert said.shape[1] == 1
        middle = rows.shape[1] // 2
        rows = rows[:, middle : middle + 1]
    return rows.flatten(0, 1)
