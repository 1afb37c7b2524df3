"""Arrays of many shapes become poses: widths tell which axes are joints, what is left is time."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import roma
import torch
from jaxtyping import Float

from unipose.errors import FileError

ROOT = (1,)
BODY = (23, 21)
WHOLE = (24, 22, 52, 54, 55)
"""How many joints a root, a body without its root, and a whole pose have: SMPL, SMPL-H, SMPL-X."""

Part = tuple[str, np.ndarray, tuple[int, ...]]
"""Name of an array, the array, and how many joints it may have."""


def rotations_of(parts: list[Part], path: Path) -> Float[np.ndarray, "person pose joint 3 3"]:
    """Return the local rotations that one array, or a root's and a body's, hold together.

    A joint is 3 numbers (axis-angle) or 3 x 3; joints lie in one axis or flat. All axes before
    them are time, wherever they are 1; of two that are not, the first counts people:

        root (22, 3), body (22, 69)              -> 22 poses
        root (1, 40, 3), body (1, 40, 63)        -> 40 poses
        root (3, 3), body (23, 3, 3)             -> 1 pose, of matrices
        root (3, 3), body (3, 69)                -> 3 poses
        root (2, 40, 3), body (2, 40, 63)        -> 2 people, 40 poses each

    Raises FileError if a shape is none of these, or the parts hold different numbers of poses.
    """
    readings = []
    for name, array, joints in parts:
        found = _readings(array, joints)
        if not found:
            widths = ", ".join(str(3 * n) for n in sorted(joints))
            width = array.shape[-1] if array.ndim else 1
            raise FileError(
                path,
                f"{name} has the shape {array.shape}, rows of {width} numbers; expected rows of "
                f"{widths} (axis-angle), or matrices of as many joints.",
            )
        readings.append(found)
    fitting = [
        combined
        for combined in product(*readings)
        if len({part.shape[:2] for part in combined}) == 1
    ]
    if not fitting:
        shapes = " and ".join(f"{name} {array.shape}" for name, array, _ in parts)
        raise FileError(path, f"{shapes} hold different numbers of poses.")
    alike = [combined for combined in fitting if len({part.ndim for part in combined}) == 1]
    return np.concatenate([_matrices(part) for part in (alike or fitting)[0]], axis=2)


def _readings(array: np.ndarray, joints: tuple[int, ...]) -> list[np.ndarray]:
    """Return each way to read an array as (person, pose, joint, 3) or (..., joint, 3, 3)."""
    shape, found = array.shape, []
    for count in joints:
        tails = [((3 * count,), (count, 3)), ((count, 3), (count, 3))]
        tails += [((count, 3, 3), (count, 3, 3)), ((9 * count,), (count, 3, 3))]
        tails += [((3, 3), (1, 3, 3))] if count == 1 else []
        for tail, wanted in tails:
            before = time_axes(shape[: -len(tail)]) if shape[-len(tail) :] == tail else None
            if before is not None:
                found.append(array.reshape(*before, *wanted))
    return found


def time_axes(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Return how many people and poses the axes before the joints hold; None if too many do."""
    counted = [size for size in shape if size != 1]
    if len(counted) > 2:
        return None
    people, poses = [1, 1, *counted][-2:]
    return people, poses


def _matrices(part: np.ndarray) -> np.ndarray:
    if part.ndim == 5:
        return part
    return roma.rotvec_to_rotmat(torch.from_numpy(np.ascontiguousarray(part))).numpy()
