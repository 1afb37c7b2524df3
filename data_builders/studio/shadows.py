"""The soft shadow of people and things on the floor, on a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from data_builders.studio.shading import Light
from data_builders.studio.skinning import bound
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
    lamp_x, lamp_y, lamp_z = light.to_lamp.tolist()
    slope_x, slope_z = lamp_x / max(lamp_y, 0.35), lamp_z / max(lamp_y, 0.35)
    boxes = np.empty((len(meshes), 2, 3))
    for mesh, box in zip(meshes, boxes):
        compiled(bound)(mesh, box)
    low_x, _, low_z = boxes[:, 0].min(0).tolist()
    high_x, top, high_z = boxes[:, 1].max(0).tolist()
    low_x, low_z = low_x - max(slope_x * top, 0) - 0.4, low_z - max(slope_z * top, 0) - 0.4
    high_x, high_z = high_x - min(slope_x * top, 0) + 0.4, high_z - min(slope_z * top, 0) + 0.4
    cell = max(high_x - low_x, high_z - low_z) / SHADOW_CELLS
    grid = np.zeros((SHADOW_CELLS, SHADOW_CELLS))
    for mesh in meshes:
        compiled(_splat)(mesh, slope_x, slope_z, 0.35 * (1 - cloudy), low_x, low_z, cell, grid)
    compiled(_spread_out)(grid, 1 + int(0.08 / cell))
    compiled(_darken)(grid, 0.75 - 0.3 * cloudy, 1500 * cell * cell)
    return Shadow(strength=grid, low_x=low_x, low_z=low_z, cell=cell)


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
            grid[row, column] += cast
            if mesh[i, 1] < 0.9:
                grid[row, column] += 1.2 * np.exp(-max(mesh[i, 1], 0.0) / 0.15)


def _darken(grid: np.ndarray, most: float, dense: float) -> None:
    """Turn what lies in the cells into shares of light, `most` at most (compiled)."""
    for row in range(len(grid)):
        for column in range(len(grid)):
            if grid[row, column] > 0:
                grid[row, column] = most * (1 - np.exp(-grid[row, column] / dense))


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
