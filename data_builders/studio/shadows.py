"""The soft shadow of people and things on the floor, on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_builders.studio.shading import Light
from unipose.render.compiled import compiled

SHADOW_CELLS = 96


@dataclass(frozen=True, kw_only=True, eq=False)
class Shadow:
    """How much of the lamp's light people take from the floor, on a grid."""

    strength: Float[np.ndarray, "cell cell"]
    """Rows along z, columns along x; 0 to 1."""
    low_x: float
    low_z: float
    cell: float


def cast_shadow(meshes: list[Float[np.ndarray, "_ 3"]], light: Light, cloudy: float) -> Shadow:
    """Return the shadow of some meshes on the floor; `cloudy` (0 to 1) makes it soft and weak."""
    slope = light.to_lamp / max(light.to_lamp[1], 0.35)
    boxes = np.empty((len(meshes), 2, 3))
    for mesh, box in zip(meshes, boxes):
        compiled(_bound)(mesh, box)
    low, high = boxes[:, 0].min(0), boxes[:, 1].max(0)
    reach = slope * high[1]
    low_x, low_z = (low[i] - max(reach[i], 0) - 0.4 for i in (0, 2))
    high_x, high_z = (high[i] - min(reach[i], 0) + 0.4 for i in (0, 2))
    cell = max(high_x - low_x, high_z - low_z) / SHADOW_CELLS
    grid = np.zeros((SHADOW_CELLS, SHADOW_CELLS))
    for mesh in meshes:
        compiled(_splat)(mesh, slope[0], slope[2], 0.35 * (1 - cloudy), low_x, low_z, cell, grid)
    compiled(_spread_out)(grid, 1 + int(0.08 / cell))
    return Shadow(
        strength=(0.75 - 0.3 * cloudy) * (1 - np.exp(-grid / (1500 * cell * cell))),
        low_x=float(low_x),
        low_z=float(low_z),
        cell=float(cell),
    )


def _bound(mesh: np.ndarray, box: np.ndarray) -> None:
    """Write the lowest and the highest x, y, z of a mesh (compiled)."""
    for k in range(3):
        box[0, k], box[1, k] = mesh[0, k], mesh[0, k]
        for i in range(1, len(mesh)):
            box[0, k] = min(box[0, k], mesh[i, k])
            box[1, k] = max(box[1, k], mesh[i, k])


def _splat(
    mesh: np.ndarray,
    slope_x: float,
    slope_z: float,
    cast: float,
    low_x: float,
    low_z: float,
    cell: float,
    grid: np.ndarray,
) -> None:
    """Add every second vertex to the grid, more if it is close to the floor (compiled)."""
    size = len(grid)
    for i in range(0, len(mesh), 2):
        column = int((mesh[i, 0] - slope_x * mesh[i, 1] - low_x) / cell)
        row = int((mesh[i, 2] - slope_z * mesh[i, 1] - low_z) / cell)
        if 0 <= row < size and 0 <= column < size:
            grid[row, column] += cast + 1.2 * np.exp(-max(mesh[i, 1], 0.0) / 0.15)


def _spread_out(grid: np.ndarray, reach: int) -> None:
    """Blur a grid twice with a box (compiled)."""
    size = len(grid)
    line = np.empty(size)
    for _ in range(2):
        for axis in range(2):
            for i in range(size):
                for k in range(size):
                    line[k] = grid[i, k] if axis == 0 else grid[k, i]
                total = 0.0
                for k in range(min(reach, size)):
                    total += line[k]
                for k in range(size):
                    if k + reach < size:
                        total += line[k + reach]
                    if k - reach - 1 >= 0:
                        total -= line[k - reach - 1]
                    if axis == 0:
                        grid[i, k] = total / (2 * reach + 1)
                    else:
                        grid[k, i] = total / (2 * reach + 1)
