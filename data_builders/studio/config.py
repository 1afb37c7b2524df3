"""What the studio's pictures show, and how often."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from unipose.errors import ConfigError
from unipose.render.mesh_buffer import MESHES

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class StudioConfig:
    """Shares are of all pictures, from 0 to 1."""

    seed: int = 0
    height_px: int = 256
    width_px: int = 256
    people: tuple[float, ...] = (0.62, 0.26, 0.09, 0.03)
    """How often 1, 2, 3 ... people are shown; sums to 1."""
    mixed: float = 0.2
    """Share of people whose limbs are taken from several recorded moments (no action label)."""
    mirrored: float = 0.5
    """Share of people shown with left and right exchanged."""
    touching: float = 0.3
    """Share of later people who are moved until they touch the others."""
    touch_gap_m: float = 0.004
    """Between people who were moved until they touch; below 0 they are pressed into each other."""
    partners: float = 0.15
    """Share of pictures with 2 people that show both dancers of one recording, where there are."""
    truncated: float = 0.2
    """Share of pictures taken too close to show the whole person."""
    occluded: float = 0.35
    """Share of pictures with something in front of somebody."""
    shape: float = 1.0
    """Standard deviation of the betas (in the body's own standard deviations)."""
    tilt: float = 0.06
    """Standard deviation of the camera's roll (radians)."""
    noise: float = 0.6
    """How strong the sensor's noise and the lens's blur may get; 0 for none."""
    picture_folder: Path | None = None
    """The user's own pictures, behind the people in `pictures` of all images."""
    pictures: float = 0.5
    contact_m: float = 0.02
    """Parts touch when two of their vertices are nearer than this (metres)."""
    frames: int = 16
    """Of a film."""
    fps: float = 10.0
    """Of a film."""

    def __post_init__(self) -> None:
        if self.height_px < 16 or self.width_px < 16:
            raise ConfigError(f"expected at least 16 pixels, got {self.height_px, self.width_px}")
        if not 1 <= len(self.people) <= MESHES or abs(sum(self.people) - 1) > 1e-6:
            raise ConfigError(
                f"people must be 1 to {MESHES} shares that sum to 1, got {self.people}"
            )
        shares = ("mixed", "mirrored", "touching", "partners", "truncated", "occluded", "pictures")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be from 0 to 1, got {getattr(self, name)}")
        if self.frames < 1 or not self.fps > 0:
            raise ConfigError(f"expected frames at a rate, got {self.frames} at {self.fps}")

    def of_split(self, split: str) -> StudioConfig:
        """Return the studio of a split: rooms, clothes and cameras of its own.

        Held-out people are in poses as they were recorded, not in mixed ones.
        """
        seed = self.seed + SPLITS.index(split)
        return replace(self, seed=seed, mixed=self.mixed if split == SPLITS[0] else 0.0)


DEBUG = StudioConfig(height_px=64, width_px=64, frames=3)
