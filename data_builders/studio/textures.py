"""Tiles of smooth noise that clothes, floors, walls and the sensor's grain are made of."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int8

TILE = 128
"""Pixels along a tile's side; a power of two, so that a place wraps by a bit mask."""

KINDS = 6
"""Tiles of a bank: coarse and fine clouds, then streaks (wood, grass)."""


def make_textures(seed: int) -> Float[np.ndarray, "kind tile tile"]:
    """Return tileable noise from 0 to 1, mean near 0.5; rows wrap around, columns too."""
    random = np.random.default_rng((seed, 77))
    tiles = []
    for kind in range(KINDS):
        tile = np.zeros((TILE, TILE))
        strength = 1.0
        for cells in (4, 8, 16, 32, 64)[kind % 3 :]:
            rows = max(1, cells // 8) if kind >= 3 else cells
            tile += strength * _smooth(random.random((rows, cells)))
            strength *= 0.55
        low, high = np.percentile(tile, (2, 98))
        tiles.append(np.clip((tile - low) / (high - low), 0, 1))
    return np.stack(tiles).astype(np.float32)


def make_grain(seed: int) -> Int8[np.ndarray, "256 256 3"]:
    """Return a tile of sensor noise: normal, standard deviation 32."""
    random = np.random.default_rng((seed, 78))
    return np.clip(random.normal(0.0, 32, (256, 256, 3)), -127, 127).astype(np.int8)


def _smooth(grid: Float[np.ndarray, "row column"]) -> Float[np.ndarray, "tile tile"]:
    """Return a coarse grid blown up to a tile, smooth and without a seam."""
    for axis in (0, 1):
        cells = grid.shape[axis]
        at = np.arange(TILE) * (cells / TILE)
        low = at.astype(int)
        part = at - low
        part = part * part * (3 - 2 * part)
        part = part[:, None] if axis == 0 else part[None]
        first = np.take(grid, low % cells, axis=axis)
        second = np.take(grid, (low + 1) % cells, axis=axis)
        grid = first * (1 - part) + second * part
    return grid
