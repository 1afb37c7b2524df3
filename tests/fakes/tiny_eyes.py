"""An assistant that can see, with eyes of a few thousand random weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from tests.fakes.tiny_model import tiny_assistant
from unipose.assistant import UniPose
from unipose.language.eyes import EyesConfig
from unipose.vision.clip import ClipConfig
from unipose.vision.mesh_recovery import MeshHeadConfig
from unipose.vision.pose_vit import PoseViTConfig

TINY_EYES = EyesConfig(
    pose=PoseViTConfig(
        image_px=32, dropped_px=8, patch_px=16, width=16, depth=1, heads=2, feed_forward=32
    ),
    clip=None,
)
"""Pictures of 4 patches."""

GUESSING_EYES = replace(
    TINY_EYES,
    head=MeshHeadConfig(width=8, depth=1, heads=2, head_width=4, feed_forward=8, votes=True),
)
"""The same, with a guess at the pose."""

TINY_CLIP = """{"embed_dim": 8, "vision_cfg": {"image_size": 28, "layers": 2, "width": 16,
"head_width": 8, "patch_size": 7}, "text_cfg": {}}"""


def tiny_clip(folder: Path) -> ClipConfig:
    """Return a CLIP of 16 patches, described by a file in `folder`."""
    (folder / "clip.json").write_text(TINY_CLIP)
    return ClipConfig(model=str(folder / "clip.json"))


def seeing_assistant(eyes: EyesConfig = TINY_EYES, seed: int = 0) -> UniPose:
    """Return the tiny assistant with eyes."""
    blind = tiny_assistant(seed)
    blind.model.add_eyes(eyes)
    vocabulary = replace(
        blind.vocabulary, patches=blind.model.patches, pictures=blind.model.pictures
    )
    return UniPose(blind.model, vocabulary)


def some_pixels(seed: int = 0, *, height: int = 40, width: int = 50) -> torch.Tensor:
    """Return a picture of noise."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(256, (height, width, 3), generator=generator, dtype=torch.uint8)
