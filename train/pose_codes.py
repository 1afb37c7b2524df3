"""Train a pose tokenizer: `accelerate launch -m train.pose_codes --preset mini`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.pose_pool import LIMBS, PoolConfig, PosePool
from data_builders.training_sources import TrainingPoses, parse_sources
from tokenizer.codec import (
    LEFT_ARM,
    LEFT_LEG,
    PAPER,
    RIGHT_ARM,
    RIGHT_LEG,
    TRUNK,
    CodecConfig,
    JointGroup,
    PoseTokenizer,
)
from tokenizer.rotations import rotations_to_6d
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.body.body import Body, load_body
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.metrics import mpjpe, pa_mpjpe

MINI = CodecConfig(
    groups=(
        JointGroup((0,), 2),
        JointGroup(TRUNK, 4),
        JointGroup(LEFT_ARM, 4),
        JointGroup(RIGHT_ARM, 4),
        JointGroup(LEFT_LEG, 3),
        JointGroup(RIGHT_LEG, 3),
    ),
    network="perceptron",
    width=512,
    quantiser="residual_fsq",
    stages=2,
    latent=4,
    levels=(8, 8, 8, 4),
)
"""unipose-mini: codes belong to one limb each, coarse before fine."""


@dataclass(frozen=True, kw_only=True)
class PoseCodesConfig(RunSettings):
    """One training run of a pose tokenizer."""

    codec: CodecConfig
    pool: PoolConfig = field(default_factory=PoolConfig)
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    sources: tuple[str, ...] = ()
    """Sources of poses in place of `data`: NAME=FOLDER?share=NUMBER&... (docs/training_data.md)."""
    out: Path = Path("runs/pose_codes")
    steps: int = 40_000
    batch: int = 256
    peak_rate: float = 4e-4
    weight_decay: float = 1e-5
    rotation_weight: float = 20.0
    joint_weight: float = 100.0
    vertex_weight: float = 100.0
    commitment_weight: float = 1.0
    sampled_vertices: int = 256
    """Vertices drawn per step, by area, for the vertex loss; 0 takes all, weighted by area."""
    joint_noise: float = 0.05
    """Noise on the 6D entries of one limb in half of the batch (input only)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        parse_sources(self.sources)


PRESETS = {
    "mini": PoseCodesConfig(codec=MINI, steps=4500, peak_rate=1e-3, save_every=500),
    "smol": PoseCodesConfig(
        codec=replace(MINI, search_rounds=2),
        out=Path("runs/pose_codes_smol"),
        steps=4500,
        peak_rate=1e-3,
        save_every=1500,
    ),
    "debug": PoseCodesConfig(
        codec=replace(MINI, width=32),
        data=Path(),
        out=Path("runs/pose_codes_debug"),
        steps=4,
        batch=8,
        warmup=2,
        save_every=2,
        trackers=(),
    ),
    "paper": PoseCodesConfig(
        codec=PAPER,
        pool=PoolConfig(mixed=0.0, yaw=0.785, tilt=0.349),
        out=Path("runs/pose_codes_paper"),
        steps=200_000,
        peak_rate=2e-4,
        sampled_vertices=0,
    ),
}


def add_joint_noise(
    sixd: Float[Tensor, "batch joint 6"], generator: torch.Generator, scale: float
) -> Float[Tensor, "batch joint 6"]:
    """Return `sixd` with noise on one random limb of every second pose.

    The published code adds in place to an indexed copy, which changes nothing; this does not.
    """
    limb_of_joint = torch.zeros(sixd.shape[1], dtype=torch.long)
    for i, limb in enumerate(LIMBS):
        limb_of_joint[SMPL.indices(*limb)] = i
    limb = torch.randint(len(LIMBS), (len(sixd), 1), generator=generator)
    chosen = (limb_of_joint == limb) & (torch.rand(len(sixd), 1, generator=generator) < 0.5)
    noise = torch.randn(sixd.shape, generator=generator) * scale
    return sixd + noise * chosen[..., None]


def train_step(
    codec: torch.nn.Module,
    body: Body,
    rotations: Float[Tensor, "batch 22 3 3"],
    generator: torch.Generator,
    config: PoseCodesConfig,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the loss of one batch and its parts.

    Mean squared errors of rotation matrices, joints, and vertices by the area they stand for
    (supplement, eq. 1): all vertices weighted, or some drawn with the area as probability.
    """
    noisy = add_joint_noise(rotations_to_6d(rotations), generator, config.joint_noise)
    rebuilt, _, commitment = codec(noisy)
    hands = torch.eye(3, device=rotations.device).expand(2 * len(rotations), 2, 3, 3)
    both = torch.cat([torch.cat([rebuilt, rotations]), hands], dim=1)
    if config.sampled_vertices:
        drawn = torch.multinomial(body.vertex_areas, config.sampled_vertices, generator=generator)
        mesh = body.some_vertices(both, drawn)
        weights = torch.full_like(mesh.vertices[0, :, 0], 1 / len(drawn))
    else:
        mesh, weights = body(both), body.vertex_areas
    joints, true_joints = mesh.joints[:, :POSED_JOINTS].chunk(2)
    vertices, true_vertices = mesh.vertices.chunk(2)
    losses = {
        "rotations": (rebuilt - rotations).square().mean(),
        "joints": (joints - true_joints).square().mean(),
        "vertices": ((vertices - true_vertices).square().mean(-1) * weights).sum(-1).mean(),
    }
    loss = (
        config.rotation_weight * losses["rotations"]
        + config.joint_weight * losses["joints"]
        + config.vertex_weight * losses["vertices"]
        + config.commitment_weight * commitment
    )
    return loss, losses


@torch.no_grad()
def validate(codec: PoseTokenizer, body: Body, pool: PosePool, count: int) -> dict[str, float]:
    """Return errors (mm) and codebook use on `count` evenly spaced poses of the pool."""
    rotations = pool.rotations[:: max(1, len(pool) // count)]
    codes = codec.encode(rotations_to_6d(rotations))
    rebuilt = codec.rotations(codes)
    hands = torch.eye(3).expand(len(rotations), 2, 3, 3)
    joints = body.joints(torch.cat([rebuilt, hands], dim=1))[:, :POSED_JOINTS]
    truth = body.joints(torch.cat([rotations, hands], dim=1))[:, :POSED_JOINTS]
    return {
        "mpjpe_mm": float(mpjpe(joints, truth).mean() * 1000),
        "pa_mpjpe_mm": float(pa_mpjpe(joints, truth).mean() * 1000),
        "codebook_use": len(codes.unique()) / codec.config.codes,
    }


def main(config: PoseCodesConfig) -> None:
    """Train, log, save; resumes by itself from the newest checkpoint in the run folder."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    torch.manual_seed(config.seed)
    codec = PoseTokenizer(config.codec)
    body = load_body()
    sources = parse_sources(config.sources)
    poses = TrainingPoses.read(config.data, sources)
    if accelerator.is_main_process:
        sys.stderr.write(poses.report)
    pool, held_out = poses.pool, TrainingPoses.read(config.data, sources, split="val").pool
    optimizer = torch.optim.AdamW(
        codec.parameters(), lr=0.0, betas=(0.9, 0.99), weight_decay=config.weight_decay, fused=True
    )
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
    loop = StepLoop(accelerator, run, codec, optimizer, config, name="pose codes")
    for step, generator in loop.steps():
        codec.train()
        rotations = pool.draw(config.batch, generator, config.pool)
        loop.learn(step, *train_step(loop.trained, body, rotations, generator, config))
        if loop.saves(step):
            codec.eval()
            loop.save(step, validate(codec, body, held_out, 2000))
    if loop.is_main:
        codec.save_pretrained(config.out / "codec")
        loop.end()


if __name__ == "__main__":
    run_program(main, PRESETS)
