"""Teach the landmark lifter: `accelerate launch -m train.landmark_lifter --preset mini`.

It learns from what the keypoint networks really see of the studio's people (`landmark_shards`), and
from any number of people made up in recorded poses with the errors of those (`landmark_batches`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.studio.config import SPLITS, StudioConfig
from train.landmark_batches import LandmarkBatch, Lenders, draw_batch, make_up_people
from train.landmark_shards import LandmarkPairs, LandmarkShardConfig, joined, make_pairs
from train.lifter_errors import measure_errors
from train.program import generator_of, run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.body.body import load_body
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.metrics import mpjpe, pa_mpjpe
from unipose.vision.body_landmarks import LandmarkedBody
from unipose.vision.crops import project
from unipose.vision.landmark_lifter import (
    LandmarkLifter,
    LandmarkLifterConfig,
    logged,
)
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes


@dataclass(frozen=True, kw_only=True)
class LandmarkTraining(RunSettings):
    """One training run."""

    network: LandmarkLifterConfig = field(default_factory=lambda: LandmarkLifterConfig(dropout=0.1))
    studio: StudioConfig = field(
        default_factory=lambda: StudioConfig(
            mixed=0.4, truncated=0.35, people=(0.45, 0.35, 0.15, 0.05)
        )
    )
    """Of training; held-out people are those of a studio with its own shares."""
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    out: Path = Path("runs/landmark_lifter")
    pairs: Path = Path("runs/landmarks")
    """Where the pairs are kept; several runs can share them."""
    pictures: int = 4950
    """Looked at before training; about 1.3 people in each, 0.1 s a person."""
    held_out: int = 350
    """Pictures of the recordings' val split, and as many of its test split at the end."""
    pool: PoolConfig = field(default_factory=lambda: PoolConfig(mixed=0.7, turn=0.3))
    made_up: float = 0.8
    """Share of a batch that is made up."""
    steps: int = 13_000
    batch: int = 512
    peak_rate: float = 1e-3
    weight_decay: float = 0.05
    clip: float = 1.0
    errors_of: int = 8192
    """Made-up people on whom it is measured in the end how far the lifter is off."""
    dropped: float = 0.3
    """How often landmarks are taken away; see `draw_batch`."""
    half: bool = True
    """Matrix products in bfloat16."""
    joint_weight: float = 10.0
    landmark_weight: float = 5.0
    rotation_weight: float = 1.0
    point_weight: float = 5.0
    camera_weight: float = 1.0
    beta_weight: float = 0.1


PRESETS = {
    "mini": LandmarkTraining(),
    "debug": LandmarkTraining(
        network=LandmarkLifterConfig(width=32, blocks=1),
        studio=StudioConfig(height_px=64, width_px=64),
        data=Path(),
        out=Path("runs/landmark_lifter_debug"),
        pairs=Path("runs/landmarks_debug"),
        pictures=4,
        held_out=4,
        steps=4,
        batch=8,
        errors_of=64,
        warmup=2,
        save_every=2,
        trackers=(),
    ),
}


def train_step(
    network: nn.Module, body: LandmarkedBody, batch: LandmarkBatch, config: LandmarkTraining
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the loss of one batch and its parts."""
    with torch.autocast(batch.rotations.device.type, torch.bfloat16, enabled=config.half):
        found: RecoveredMeshes = network(batch.seen)
    joints, landmarks = body(found.rotations, found.betas)
    points = project(torch.cat([joints, landmarks], dim=1), found.camera)
    losses = {
        "joints": (joints - batch.joints).abs().sum(-1).mean(),
        "landmarks": (landmarks - batch.landmarks).abs().sum(-1).mean(),
        # what lies far outside of the crop counts no more than what lies at its edge
        "points": (points - batch.points).abs().sum(-1).clamp(max=1.0).mean(),
        "rotations": F.mse_loss(found.rotations, batch.rotations) * 9,
        "camera": F.smooth_l1_loss(logged(found.camera), logged(batch.camera)),
        "betas": F.mse_loss(found.betas, batch.betas),
    }
    weights = {
        "joints": config.joint_weight,
        "landmarks": config.landmark_weight,
        "points": config.point_weight,
        "rotations": config.rotation_weight,
        "camera": config.camera_weight,
        "betas": config.beta_weight,
    }
    return torch.stack([weights[name] * part for name, part in losses.items()]).sum(), losses


@torch.no_grad()
def validate(
    network: LandmarkLifter, body: LandmarkedBody, pairs: LandmarkPairs
) -> dict[str, float]:
    """Return the errors (mm, pelvis on pelvis) on all people, and those of the mean pose."""
    batch = draw_batch(pairs, body, None)
    found = network.lift(batch.seen)
    mean = batch.rotations.mean(0)
    u, _, v = torch.linalg.svd(mean)
    mean = (u @ v).expand_as(batch.rotations)
    scores = {}
    for name, rotations, betas in (
        ("", found.rotations, found.betas), ("mean_pose_", mean, torch.zeros_like(batch.betas)),
    ):  # fmt: skip
        joints, _ = body(rotations, betas)
        said, truth = joints[:, :POSED_JOINTS], batch.joints[:, :POSED_JOINTS]
        scores[f"{name}mpjpe_mm"] = float(mpjpe(said, truth).mean()) * 1000
        scores[f"{name}pa_mpjpe_mm"] = float(pa_mpjpe(said, truth).mean()) * 1000
    points = project(torch.cat(body(found.rotations, found.betas), dim=1), found.camera)
    apart = (points - batch.points)[:, len(SMPL.joints) :].norm(dim=-1)
    inside = pairs.shown > 0
    scores["points_percent"] = float(apart[inside].mean()) * 100
    return scores


def main(config: LandmarkTraining) -> None:
    """Look at the pictures that are missing, train, save, and tell the errors on test people."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    run = RunFolder(config.out, config, accelerator)
    with accelerator.main_process_first():  # one process looks, the others find what is there
        pairs, val = (_pairs(config, split) for split in SPLITS[:2])
    pool = PosePool.read_or_make(config.data, "train")
    body = LandmarkedBody(load_body())
    lenders = Lenders.of(pairs, body)
    network = LandmarkLifter(config.network)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=0.0, weight_decay=config.weight_decay, fused=True
    )
    loop = StepLoop(
        accelerator, run, network, optimizer, config, name="landmark lifter", clip=config.clip,
        log_every=100,
    )  # fmt: skip
    real = max(1, round(config.batch * (1 - config.made_up)))
    for step, generator in loop.steps():
        network.train()
        torch.manual_seed(step)  # what is left out, also on resume
        with torch.no_grad():
            some = pairs[torch.randint(len(pairs), (real,), generator=generator)]
            made_up = make_up_people(
                config.batch - real, pool, lenders, body, generator, config=config.pool
            )
            batch = draw_batch(joined(some, made_up), body, generator, dropped=config.dropped)
        loop.learn(step, *train_step(loop.trained, body, batch, config))
        if loop.saves(step):
            network.eval()
            loop.save(step, validate(network, body, val))
    if loop.is_main:
        network.eval()
        generator = generator_of(seed=config.seed, step=config.steps)
        made_up = make_up_people(
            config.errors_of, pool, lenders, body, generator, config=config.pool
        )
        network.errors = measure_errors(
            network, body, draw_batch(made_up, body, generator, dropped=config.dropped), pairs
        )
        network.save_pretrained(config.out / "model")
        loop.end(validate(network, body, _pairs(config, "test")))


def _pairs(config: LandmarkTraining, split: str) -> LandmarkPairs:
    """Return the pairs of a split; held-out people stand in a studio with its own shares."""
    learns = split == SPLITS[0]
    ours = config.studio
    plain = StudioConfig(seed=ours.seed, height_px=ours.height_px, width_px=ours.width_px)
    shards = LandmarkShardConfig(
        studio=(ours if learns else plain).of_split(split),
        data=config.data,
        split=split,
        pictures=config.pictures if learns else config.held_out,
        box_error=0.04 if learns else 0.0,
    )
    return make_pairs(config.pairs / split, shards)


if __name__ == "__main__":
    run_program(main, PRESETS)
