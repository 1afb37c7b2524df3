"""Angles about a joint's own axes that make a rotation, near the angles that it had before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from unipose.files.motion import turn_about_axis

LOCKED_COSINE = 1e-6
"""Cosine of the middle angle below which the first and the last one turn about the same axis."""
ROUNDS = 60
"""Passes over the angles of a joint that cannot reach every rotation."""


def angles_near(
    rotation: Float[np.ndarray, "3 3"], axes: Sequence[int], near: Float[np.ndarray, " axis"]
) -> Float[np.ndarray, " axis"]:
    """Return angles (radians) with turn(axes[0]) @ turn(axes[1]) @ ... nearest to `rotation`.

    `axes` are different ones of x, y, z (0, 1, 2) in the order of multiplication. Of all that give
    the rotation these are the nearest to `near`: the other branch of the middle angle and whole
    turns count. Where the middle angle locks the others (gimbal), the last one keeps its value.
    With fewer than three axes not every rotation can be reached; the nearest one is.
    """
    if len(axes) < 3:
        return _whole_turns_near(_nearest_angles(rotation, axes, near), near)
    first, middle, last = axes
    parity = 1.0 if (middle - first) % 3 == 1 else -1.0
    sine = parity * rotation[first, last]
    cosine = float(np.hypot(rotation[first, first], rotation[first, middle]))
    if cosine < LOCKED_COSINE:
        rest = rotation @ turn_about_axis(float(near[2]), last).T
        a = np.arctan2(parity * rest[last, middle], rest[middle, middle])
        return _whole_turns_near(np.array([a, np.arctan2(sine, cosine), near[2]]), near)
    one = np.array(
        [
            np.arctan2(-parity * rotation[middle, last], rotation[last, last]),
            np.arctan2(sine, cosine),
            np.arctan2(-parity * rotation[first, middle], rotation[first, first]),
        ]
    )
    other = np.array([one[0] + np.pi, np.pi - one[1], one[2] + np.pi])
    both = [_whole_turns_near(angles, near) for angles in (one, other)]
    return min(both, key=lambda angles: float(np.abs(angles - near).sum()))


def product_of_turns(
    angles: Float[np.ndarray, " axis"], axes: Sequence[int]
) -> Float[np.ndarray, "3 3"]:
    """Return turn(axes[0], angles[0]) @ turn(axes[1], angles[1]) @ ..."""
    rotation = np.eye(3)
    for angle, axis in zip(angles, axes, strict=True):
        rotation = rotation @ turn_about_axis(float(angle), axis)
    return rotation


def _nearest_angles(
    rotation: Float[np.ndarray, "3 3"], axes: Sequence[int], start: Float[np.ndarray, " axis"]
) -> Float[np.ndarray, " axis"]:
    """Return the angles whose product is nearest to `rotation`, one angle after the other.

    The trace of rotation^T B turn(angle) A is a + b cos(angle) + c sin(angle), largest at
    atan2(c, b).
    """
    angles = start.copy()
    for _ in range(ROUNDS):
        for k, axis in enumerate(axes):
            before = product_of_turns(angles[:k], axes[:k])
            after = product_of_turns(angles[k + 1 :], axes[k + 1 :])
            turned = after @ rotation.T @ before
            second, third = (axis + 1) % 3, (axis + 2) % 3
            angles[k] = np.arctan2(
                turned[second, third] - turned[third, second],
                turned[second, second] + turned[third, third],
            )
    return angles


def _whole_turns_near(
    angles: Float[np.ndarray, " axis"], near: Float[np.ndarray, " axis"]
) -> Float[np.ndarray, " axis"]:
    return angles + 2 * np.pi * np.round((near - angles) / (2 * np.pi))
