"""Where people stand: beside each other or just touching, never inside each other."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unipose.render.compiled import compiled

CELL = 0.035
"""Metres; a little more than the mesh's edges are long."""
CELLS = 128


def slide(
    others: list[Float[np.ndarray, "vertex 3"]],
    mesh: Float[np.ndarray, "vertex 3"],
    direction: tuple[float, float],
) -> float:
    """Return how far along `direction` (x and z, unit) a mesh must go to touch the others.

    It comes in from far away along the direction's line. Seen along that line both sides are
    height fields on a grid, and the smallest gap between the two is the way that is left. -inf if
    it would pass without touching anything.
    """
    near = np.full((CELLS, CELLS), -np.inf)
    far = np.full((CELLS, CELLS), np.inf)
    for other in others:
        compiled(_reach)(other, *direction, 1.0, near)
    compiled(_reach)(mesh, *direction, -1.0, far)
    return float((near - far).max())


def _reach(
    mesh: np.ndarray, ahead_x: float, ahead_z: float, sign: float, field: np.ndarray
) -> None:
    """Write the furthest (sign 1) or nearest (sign -1) place along the direction (compiled)."""
    cells = len(field)
    for i in range(len(mesh)):
        along = mesh[i, 0] * ahead_x + mesh[i, 2] * ahead_z
        across = mesh[i, 0] * ahead_z - mesh[i, 2] * ahead_x
        column, row = int(across / CELL + cells / 2), int(mesh[i, 1] / CELL)
        if 0 <= column < cells and 0 <= row < cells:
            field[row, column] = (
                max(field[row, column], along) if sign > 0 else min(field[row, column], along)
            )
