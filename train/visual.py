"""Teach the projector what the eyes see: `accelerate launch -m train.visual --preset mini`.

UniPose's second stage: nothing learns but the projector, on pictures whose pose is to be read off,
described and compared, always in the same words.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from data_builders.image_talk import ImageTalkConfig
from data_builders.studio import StudioConfig
from data_builders.training_sources import parse_sources
from train.mesh_recovery import MINI as MINI_EYE
from train.program import run_program
from train.run_folder import RunFolder
from train.stages import Stage, choose_what_learns
from train.training_loop import run_loop, start
from train.vision_training import (
    VisionEncoderSources,
    VisionTrainingConfig,
    held_out_people,
    image_talk,
    open_start,
    read_shown,
)
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.eyes import EyesConfig
from unipose.language.rendering import Row
from unipose.language.templates import Task, Wording
from unipose.vision.pose_vit import PoseViTConfig

PUBLISHED = ((Task.ESTIMATE, 0.5), (Task.IMAGE_TO_TEXT, 0.25), (Task.IMAGE_DIFF, 0.25))
"""Shares of the published second stage: 100k pictures to estimate, 50k texts, 50k changes."""


@dataclass(frozen=True, kw_only=True)
class VisualConfig(VisionTrainingConfig):
    """One run of the second stage."""

    start: Path = Path("runs/align/model")
    out: Path = Path("runs/visual")
    eyes: VisionEncoderSources = field(
        default_factory=lambda: VisionEncoderSources(
            config=EyesConfig(pose=MINI_EYE.vit, clip=None, head=MINI_EYE.head, most=3),
            pose="runs/mesh_recovery_2/model/model.safetensors",
        )
    )
    image_talk: ImageTalkConfig = field(
        default_factory=lambda: ImageTalkConfig(shares=PUBLISHED, wording=Wording.FIXED)
    )
    steps: int = 3000
    batch: int = 16
    peak_rate: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        for source in parse_sources(self.sources):
            if not source.pictured:
                raise ConfigError(f"this stage learns from pictures, and {source.name} has none")


PRESETS = {
    "mini": VisualConfig(),
    "debug": VisualConfig(
        start=Path(),
        eyes=VisionEncoderSources(
            config=EyesConfig(
                pose=PoseViTConfig(
                    image_px=32, dropped_px=8, width=16, depth=1, heads=2, feed_forward=32
                ),
                clip=None,
            )
        ),
        data=Path(),
        studio=StudioConfig(height_px=64, width_px=64, frames=2, fps=2.0),
        stills=4,
        films=2,
        out=Path("runs/visual_debug"),
        steps=4,
        batch=4,
        warmup=2,
        save_every=2,
        checked=0,
        trackers=(),
    ),
    # 32 samples per step: 8 on each of 4 GPUs; two epochs of 200k. Rates and steps as published.
    "paper": VisualConfig(
        start=Path("runs/align_paper/model"),
        eyes=VisionEncoderSources(
            config=EyesConfig(), pose="tokenhmr_model.ckpt", clip="clip_vit_l_14_336.safetensors",
            llava="llava-v1.6-mistral-7b",
        ),
        pictures=Path("runs/imagescript"),
        kept=0,
        out=Path("runs/visual_paper"),
        steps=12_500,
        batch=8,
        pieces=1,
        peak_rate=5e-5,
        warmup=375,
        betas=(0.9, 0.999),
        weight_decay=0.0,
        code_weight=1.0,
        geometry_weight=0.0,
        claim_weight=0.0,
        shown_weight=0.0,
    ),
}  # fmt: skip


def main(config: VisualConfig) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start(config)
    torch.manual_seed(config.seed)
    body = load_body()
    shown, report = read_shown(config)
    if accelerator.is_main_process:
        sys.stderr.write(report)
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        model, vocabulary = open_start(config, body)
        pictures = image_talk(config, model, vocabulary, body, shown)
    choose_what_learns(model, Stage.VISUAL)

    def draw(place: int) -> tuple[list[Row], None]:
        return pictures.draw(config.batch, seed=config.seed, step=place), None

    held_out = None
    if config.checked and accelerator.is_main_process:
        held_out = held_out_people(config, model, body)
    run_loop(accelerator, run, model, vocabulary, draw, config, name="visual", held_out=held_out)


if __name__ == "__main__":
    run_program(main, PRESETS)
