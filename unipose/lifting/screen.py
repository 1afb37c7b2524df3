"""What lifters read: keypoints in units of the screen; and what they refuse.

x' = 2 x / width - 1, y' = 2 y / width - height / width (Pavllo et al. 2019): x runs from -1 to 1,
y keeps the picture's aspect.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from unipose.errors import LiftingError

LARGEST_ON_SCREEN = 4.0
"""Screens: a keypoint further off was projected from a joint beside or behind the camera."""
LARGEST_M = 3.0
"""Metres from the root: nobody is longer; millimetres read as metres are."""
SMALLEST_M = 0.05
"""Metres: joints that lie all within this of the root are no person."""


def on_screen(
    points_px: Float[Tensor, "*batch 2"], size_px: tuple[int, int]
) -> Float[Tensor, "*batch 2"]:
    """Return pixels in units of a screen of this width and height; LiftingError if it has none."""
    width, height = size_px
    if min(size_px) < 1:
        raise LiftingError(f"expected a picture's width and height, got {width} x {height} pixels")
    return points_px * (2 / width) - points_px.new_tensor([1.0, height / width])


def usable(
    seen: Float[Tensor, "frame joint 2"], truth: Float[Tensor, "frame joint 3"]
) -> Bool[Tensor, " frame"]:
    """Return which frames a lifter can learn from: see `check_frames`."""
    return ~(_problems(seen, truth)[1].any(dim=0))


def check_seen(seen: Float[Tensor, "frame joint 2"], joints: int) -> None:
    """Raise LiftingError, naming the first wrong frame, for keypoints that cannot be lifted.

    Wrong are another number of joints than the lifter's, NaN (a missing joint), and coordinates
    far off the screen (a joint behind the camera, or pixels that were never normalised).
    """
    _check_joints(seen, joints)
    _tell(*_problems(seen, None))


def check_frames(
    seen: Float[Tensor, "frame joint 2"], truth: Float[Tensor, "frame joint 3"], joints: int
) -> None:
    """Raise LiftingError, naming the first wrong frame, for pairs that nothing can be learned from.

    As `check_seen`, and joints further than LARGEST_M from the root (millimetres for metres) or
    all within SMALLEST_M of it.
    """
    _check_joints(seen, joints)
    _check_joints(truth, joints)
    if len(seen) != len(truth):
        raise LiftingError(f"{len(seen)} frames of keypoints beside {len(truth)} of joints")
    _tell(*_problems(seen, truth))


def _check_joints(points: Tensor, joints: int) -> None:
    if points.shape[1] != joints:
        raise LiftingError(
            f"expected {joints} joints in each frame, got {points.shape[1]}: these are of another "
            "skeleton; map them by name (Keypoints.mapped_to)"
        )


def _problems(
    seen: Float[Tensor, "frame joint 2"], truth: Float[Tensor, "frame joint 3"] | None
) -> tuple[list[str], Bool[Tensor, "problem frame"]]:
    """Return what can be wrong, and in which frames it is."""
    largest = seen.abs().amax(dim=(1, 2))
    found = {
        "a keypoint that is missing (NaN or infinite)": ~seen.isfinite().all(-1).all(-1),
        "a keypoint far off the screen: behind the camera, or in pixels": (
            largest > LARGEST_ON_SCREEN
        ),
    }
    if truth is not None:
        reach = truth.norm(dim=-1).amax(dim=1)
        found |= {
            "a joint that is missing (NaN or infinite)": ~truth.isfinite().all(-1).all(-1),
            f"a joint more than {LARGEST_M:g} m from the root: millimetres for metres, or not "
            "centred": reach > LARGEST_M,
            f"all joints within {SMALLEST_M:g} m of the root: no person, or kilometres for "
            "metres": reach < SMALLEST_M,
        }
    return list(found), torch.stack(list(found.values()))


def _tell(problems: list[str], wrong: Bool[Tensor, "problem frame"]) -> None:
    if not bool(wrong.any()):
        return
    frame = int(wrong.any(dim=0).nonzero()[0])
    problem = problems[int(wrong[:, frame].nonzero()[0])]
    raise LiftingError(
        f"frame {frame} has {problem} ({int(wrong.any(dim=0).sum())} frames of {wrong.shape[1]} "
        "are like that); leave them out"
    )
