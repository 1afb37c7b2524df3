"""Teach all tasks in many words: `accelerate launch -m train.instruct --preset mini`.

UniPose's third stage: poses, texts and pictures in one batch, each task asked in any of a hundred
sentences. Adapters, embeddings and projector learn; a small model learns whole. The adapters are
those of the first stage and go on learning, they are not merged.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from math import floor
from pathlib import Path

import torch

from data_builders.image_talk import ImageTalkConfig
from data_builders.pose_talk import TalkConfig
from data_builders.training_sources import TrainingPoses, parse_sources
from train import align, visual
from train.held_out import read_poses
from train.program import run_program
from train.run_folder import RunFolder
from train.stages import Stage, choose_what_learns
from train.training_loop import run_loop, start
from train.vision_training import (
    VisionEncoderSources,
    VisionTrainingConfig,
    encoder_of,
    held_out_people,
    image_talk,
    open_start,
    read_shown,
)
from unipose.body.body import load_body
from unipose.errors import ConfigError
from unipose.language.rendering import Practice, Row
from unipose.language.templates import Task, Wording


@dataclass(frozen=True, kw_only=True)
class InstructConfig(VisionTrainingConfig):
    """One run of the third stage."""

    start: Path = Path("runs/align/model")
    """A large model comes from train.visual. The small one's eyes guess at poses in codes, which it
    can read from the first stage on."""
    out: Path = Path("runs/instruct")
    eyes: VisionEncoderSources = field(default_factory=lambda: visual.PRESETS["mini"].eyes)
    image_talk: ImageTalkConfig = field(default_factory=ImageTalkConfig)
    talk: TalkConfig = field(default_factory=lambda: TalkConfig(wording=Wording.INSTRUCT))
    without: tuple[str, ...] = ()
    """Parts of the model (see `train.stages`) that stay as they are."""
    seen: float = 0.5
    """Share of samples that are about pictures (or ask of poses what is asked of pictures); not
    asked where `sources` has both kinds: their own shares say it."""
    steps: int = 1800
    peak_rate: float = 5e-4
    warmup: int = 100
    practice: int = 32
    """Pairs per step by which reading and writing poses is practised without words."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.seen <= 1.0:
            raise ConfigError(f"expected a share of samples from 0 to 1, got seen={self.seen}")

    @property
    def picture_share(self) -> float:
        """Share of samples that are about pictures."""
        shares: dict[bool, float] = {True: 0.0, False: 0.0}
        for source in parse_sources(self.sources):
            shares[source.pictured] += source.share
        return shares[True] / sum(shares.values()) if all(shares.values()) else self.seen


PRESETS = {
    "mini": InstructConfig(),
    # after the rest: what is asked in few words; little learns, so that little is shipped again
    "mini_words": InstructConfig(
        start=Path("runs/instruct/model"),
        out=Path("runs/words"),
        without=("poses", "embeddings", "projector"),
        talk=TalkConfig(wording=Wording.INSTRUCT, brief=0.6),
        shown_weight=1.0,
        steps=1000,
        peak_rate=4e-4,
    ),
    "debug": InstructConfig(
        start=Path(),
        eyes=visual.PRESETS["debug"].eyes,
        image_talk=ImageTalkConfig(
            shares=(
                (Task.IMAGE_TO_TEXT, 0.3), (Task.IMAGE_DIFF, 0.2), (Task.ESTIMATE, 0.3),
                (Task.CONTACTS, 0.2),
            )
        ),
        data=Path(),
        studio=visual.PRESETS["debug"].studio,
        stills=4,
        films=2,
        out=Path("runs/instruct_debug"),
        steps=4,
        batch=6,
        practice=4,
        warmup=2,
        save_every=2,
        checked=0,
        trackers=(),
    ),
    # 32 samples per step: 8 on each of 4 GPUs; 38,750 samples per epoch: 5k + 5k of each pair of
    # tasks without pictures, 6,250 of each with. The published checkpoint is of the fourth epoch.
    "paper": InstructConfig(
        start=Path("runs/visual_paper/model"),
        eyes=visual.PRESETS["paper"].eyes,
        image_talk=ImageTalkConfig(
            shares=tuple((task, 1 / 3) for task in (Task.IMAGE_TO_TEXT, Task.IMAGE_DIFF,
                                                    Task.ESTIMATE))
        ),
        talk=replace(
            align.PUBLISHED_TALK,
            shares=tuple((task, 0.25) for task in (Task.DESCRIBE, Task.GENERATE, Task.COMPARE,
                                                   Task.EDIT)),
            wording=Wording.INSTRUCT,
        ),
        seen=18_750 / 38_750,
        pictures=Path("runs/imagescript"),
        refined=True,
        kept=0,
        out=Path("runs/instruct_paper"),
        steps=4_840,
        batch=8,
        pieces=1,
        peak_rate=5e-5,
        warmup=146,
        betas=(0.9, 0.999),
        weight_decay=0.0,
        code_weight=1.0,
        geometry_weight=0.0,
        claim_weight=0.0,
        shown_weight=0.0,
        practice=0,
    ),
}  # fmt: skip


def main(config: InstructConfig) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start(config)
    torch.manual_seed(config.seed)
    body = load_body()
    told = [source for source in parse_sources(config.sources) if not source.pictured]
    poses = TrainingPoses.read(config.data, told)
    shown, report = read_shown(config)
    if accelerator.is_main_process:
        sys.stderr.write(poses.report + report)
    asks = config.checked > 0 and accelerator.is_main_process
    others = read_poses(config.data, told) if asks else None
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        model, vocabulary = open_start(config, body)
        pictures = image_talk(config, model, vocabulary, body, shown)
    choose_what_learns(model, Stage.INSTRUCT, without=config.without)
    talk = poses.talk(
        joints_at_rest=body.rest_joints,
        encode=encoder_of(model),
        vocabulary=vocabulary,
        config=config.talk,
    )

    def draw(place: int) -> tuple[list[Row], Practice | None]:
        # over many steps, not in each, the share comes out right
        wanted = config.batch * config.picture_share
        seen = floor((place + 1) * wanted) - floor(place * wanted)
        rows = pictures.draw(seen, seed=config.seed, step=place) if seen else []
        if seen < config.batch:
            rows += talk.draw(config.batch - seen, seed=config.seed, step=place)
        if not config.practice:
            return rows, None
        return rows, talk.practise(config.practice, seed=config.seed, step=place)

    held_out = None
    if others is not None:
        held_out = held_out_people(config, model, body, others)
    run_loop(accelerator, run, model, vocabulary, draw, config, name="instruct", held_out=held_out)


if __name__ == "__main__":
    run_program(main, PRESETS)
