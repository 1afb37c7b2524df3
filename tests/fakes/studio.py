"""A studio of made-up movements that takes small pictures."""

from __future__ import annotations

import numpy as np
import roma
import torch

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.motions import Take
from unipose.body.body import load_body


def made_up_motions() -> Motions:
    """Return two people who wave while they walk, and who are each other's partners."""
    generator = torch.Generator().manual_seed(5)
    takes = []
    for i in range(2):
        still = torch.randn(24, 3, generator=generator) * 0.3
        wave = torch.randn(24, 3, generator=generator) * 0.3
        moments = torch.linspace(0, 6.28, 60).sin()[:, None, None]
        turns = still + moments * wave
        turns[:, 0] = 0.0
        path = np.zeros((60, 3))
        path[:, 2] = np.linspace(0, 1, 60)
        path[:, 0] = 0.9 * i
        takes.append(
            Take(
                name=f"made/up_{i}",
                label="wave with the left hand",
                source="made up",
                rotations=roma.rotvec_to_rotmat(turns).numpy(),
                path=path,
                partner=1 - i,
            )
        )
    return Motions(takes, fps=30.0)


def make_studio(**settings) -> Studio:
    settings = {"height_px": 96, "width_px": 112, "people": (0.4, 0.4, 0.2)} | settings
    return Studio(StudioConfig(**settings), made_up_motions(), load_body())
