"""From light to a picture file's bytes: exposure, lens blur, noise, sRGB, JPEG and PNG."""

from __future__ import annotations

import io

import numpy as np
from jaxtyping import Float, Int8, UInt8
from PIL import Image

from unipose.render.compiled import compiled

STEPS = 4096
"""Of the table from linear light to sRGB."""


def make_curve() -> Float[np.ndarray, " step"]:
    """Return sRGB values (0 to 255) for light from 0 to 2: the eye's curve, a soft shoulder."""
    light = np.arange(STEPS) / STEPS * 2
    light = np.where(light < 0.7, light, 0.7 + 0.3 * (1 - np.exp(-(light - 0.7) / 0.3)))
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return (srgb * 255).astype(np.float32)


def develop(
    picture: Float[np.ndarray, "height width 3"],
    mesh: UInt8[np.ndarray, "height width"],
    *,
    curve: Float[np.ndarray, " step"],
    grain: Int8[np.ndarray, "256 256 3"],
    at: tuple[int, int],
    gain: float,
    noise: float,
    blur: bool,
) -> UInt8[np.ndarray, "height width 3"]:
    """Return sRGB bytes of a picture in linear light; `noise` is a deviation out of 255.

    Pixels beside another `mesh` become a mean with their neighbours: outlines have no steps.
    """
    if blur:
        sharp, picture = picture, np.empty_like(picture)
        compiled(_soften)(sharp, picture)
    pixels = np.empty(picture.shape, dtype=np.uint8)
    compiled(_expose)(picture, mesh, curve, grain, at[0], at[1], gain, noise / 32, pixels)
    return pixels


def encode_jpeg(pixels: UInt8[np.ndarray, "height width 3"], *, quality: int = 90) -> bytes:
    """Return the bytes of a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="JPEG", quality=quality)
    return file.getvalue()


def encode_png(pixels: UInt8[np.ndarray, "height width *channel"]) -> bytes:
    """Return the bytes of a PNG file (masks: one channel)."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG", compress_level=3)
    return file.getvalue()


def _soften(sharp: np.ndarray, soft: np.ndarray) -> None:
    """Write each pixel's mean with its neighbours: 1 2 1 along rows and columns (compiled)."""
    height, width, _ = sharp.shape
    for y in range(height):
        top, bottom = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            for k in range(3):
                beside = sharp[y, left, k] + sharp[y, right, k]
                beside += sharp[top, x, k] + sharp[bottom, x, k]
                corners = sharp[top, left, k] + sharp[top, right, k]
                corners += sharp[bottom, left, k] + sharp[bottom, right, k]
                soft[y, x, k] = sharp[y, x, k] * 0.25 + beside * 0.125 + corners * 0.0625


def _expose(
    picture: np.ndarray,
    mesh: np.ndarray,
    curve: np.ndarray,
    grain: np.ndarray,
    row: int,
    column: int,
    gain: float,
    noise: float,
    pixels: np.ndarray,
) -> None:
    """Write the bytes (compiled)."""
    height, width = mesh.shape
    steps = len(curve)
    for y in range(height):
        top, bottom = max(y - 1, 0), min(y + 1, height - 1)
        for x in range(width):
            left, right = max(x - 1, 0), min(x + 1, width - 1)
            own = mesh[y, x]
            edge = (
                own != mesh[y, left]
                or own != mesh[y, right]
                or own != mesh[top, x]
                or own != mesh[bottom, x]
            )
            for k in range(3):
                light = np.float64(picture[y, x, k])
                if edge:
                    around = picture[y, left, k] + picture[y, right, k]
                    around += picture[top, x, k] + picture[bottom, x, k]
                    light = 0.52 * light + 0.12 * around
                step = int(light * gain * (steps / 2))
                value = curve[min(max(step, 0), steps - 1)]
                value += noise * grain[(y + row) & 255, (x + column) & 255, k]
                pixels[y, x, k] = int(min(max(value, 0.0), 255.0) + 0.5)
