"""Teach a Pose-ViT to see people: `accelerate launch -m train.mesh_recovery --preset mini`.

HMR 2.0's training on pictures of our own studio, where everything is known: 2D and 3D joints, pose,
shape. `--preset mini` trains a small Pose-ViT with its head from nothing; `--preset paper` is
ViT-H/16, which starts from a published checkpoint (`--start PATH`) or from nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from data_builders.studio.config import SPLITS, StudioConfig
from tokenizer.rotations import rotations_from_6d
from train.crop_batches import LABEL_PX, CropBatch, draw_batch
from train.crop_shards import CropShards, ShardConfig, render_shards
from train.muon import MuonAndAdamW
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.step_loop import StepLoop
from unipose.body.body import Body, load_body
from unipose.body.regions import REGIONS
from unipose.metrics import mpjpe, pa_mpjpe, root_aligned
from unipose.vision.crops import SCALE, Crops, project
from unipose.vision.mesh_recovery import (
    MeshHeadConfig,
    MeshRecoveryConfig,
    MeshRecoveryNetwork,
)
from unipose.vision.mesh_recovery_protocol import RecoveredMeshes
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViTConfig
from unipose.vision.votes import Votes, nearness

MINI = MeshRecoveryConfig(
    vit=PoseViTConfig(
        image_px=128,
        dropped_px=16,
        width=192,
        depth=3,
        heads=4,
        feed_forward=512,
        stem=((4, 48, 1), (2, 96, 1), (2, 192, 1)),
    ),
    head=MeshHeadConfig(width=192, depth=2, heads=4, head_width=48, feed_forward=384, votes=True),
)
"""unipose-mini: crops of 128 x 96 px, a map of 8 x 6 x 192."""


@dataclass(frozen=True, kw_only=True)
class MeshRecoveryTraining(RunSettings):
    """One training run."""

    network: MeshRecoveryConfig
    studio: StudioConfig = field(
        default_factory=lambda: StudioConfig(height_px=224, width_px=224, mixed=0.4)
    )
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv; "" trains on made-up poses."""
    out: Path = Path("runs/mesh_recovery")
    crops: Path = Path("runs/crops")
    """Where the rendered crops are kept; several runs can share them."""
    start: str = ""
    """A published checkpoint (HMR 2.0) to start from."""
    pictures: int = 160_000
    """Rendered before training; about 1.2 people in each."""
    held_out: int = 1500
    """Pictures of the recordings' val split, and as many of its test split at the end."""
    workers: int = 2
    """Processes that render; 0 renders in this one."""
    steps: int = 12_000
    batch: int = 64
    muon: bool = True
    """Muon learns small networks from nothing in fewer pictures; False is AdamW for all."""
    peak_rate: float = 8e-3
    weight_decay: float = 0.05
    clip: float = 1.0
    half: bool = True
    """Matrix products in bfloat16."""
    joint_weight: float = 10.0
    rotation_weight: float = 1.0
    point_weight: float = 5.0
    beta_weight: float = 0.1
    vote_weight: float = 0.5
    """Of the joints that the places of the map vote for, where the head counts votes."""
    part_weight: float = 1.0
    surface_weight: float = 2.0
    """Of which part of the body, and which point of it, is seen in each cell: a training aid."""
    covered: float = 0.3
    """Share of crops of which a rectangle is painted over."""


PRESETS = {
    "mini": MeshRecoveryTraining(network=MINI),
    "mini_again": MeshRecoveryTraining(
        network=MINI,
        start="runs/mesh_recovery/model/model.safetensors",
        out=Path("runs/mesh_recovery_2"),
        steps=16_000,
        peak_rate=5e-3,
    ),
    "debug": MeshRecoveryTraining(
        network=MeshRecoveryConfig(
            vit=PoseViTConfig(
                image_px=64, dropped_px=8, width=32, depth=2, heads=2, feed_forward=64,
                stem=((2, 8, 0), (2, 16, 1)),
            ),
            head=MeshHeadConfig(
                width=32, depth=1, heads=2, head_width=16, feed_forward=32, votes=True
            ),
        ),
        studio=StudioConfig(height_px=64, width_px=64),
        data=Path(),
        out=Path("runs/mesh_recovery_debug"),
        crops=Path("runs/crops_debug"),
        pictures=8,
        held_out=4,
        workers=0,
        steps=4,
        batch=4,
        warmup=2,
        save_every=2,
        trackers=(),
    ),
    "paper": MeshRecoveryTraining(
        network=MeshRecoveryConfig(vit=PAPER_POSE_VIT),
        studio=StudioConfig(height_px=512, width_px=512, mixed=0.4),
        out=Path("runs/mesh_recovery_paper"),
        crops=Path("runs/crops_paper"),
        pictures=1_000_000,
        workers=16,
        steps=1_000_000,
        batch=48,
        muon=False,
        peak_rate=1e-5,
        warmup=0,
        weight_decay=1e-4,
        part_weight=0.0,
        surface_weight=0.0,
    ),
}  # fmt: skip


def joints_of(found: RecoveredMeshes, body: Body) -> Float[Tensor, "person 24 3"]:
    """Return the joints from the pelvis (metres, axes of the crop's camera)."""
    return root_aligned(body.joints(found.rotations, found.betas))


@dataclass(frozen=True, kw_only=True, eq=False)
class CropLabels:
    """What each cell of LABEL_PX x LABEL_PX of the crops is said to show."""

    parts: Float[Tensor, "person row column part"]
    """Logits: nobody, then REGIONS."""
    surface: Float[Tensor, "person row column 3"]
    """From the pelvis (metres, axes of the crop's camera)."""


class Learner(nn.Module):
    """The network, and what helps it learn and is left behind.

    Every place of the Pose-ViT's map tells for each of its cells which part of the body is seen
    there, and which point of it: thousands of answers a crop, where a pose is one. They teach the
    map what the few queries of the head would teach it slowly.
    """

    def __init__(self, network: MeshRecoveryNetwork) -> None:
        super().__init__()
        self.network = network
        vit = network.config.vit
        self.across = vit.patch_px // LABEL_PX
        self.cells = nn.Linear(vit.width, self.across**2 * (1 + len(REGIONS) + 3))

    def forward(
        self, images: Float[Tensor, "person 3 side side"]
    ) -> tuple[RecoveredMeshes, Votes | None, CropLabels]:
        """Return what the head says, what the places vote for and what their cells show."""
        head = self.network.smpl_head
        features = self.network.backbone(images)
        votes = None if head.voting is None else head.voting(features)
        cells = self.cells(features.movedim(1, 3)).float()  # person row column (cells, answers)
        cells = cells.unflatten(3, (self.across, self.across, -1)).transpose(2, 3)
        cells = cells.flatten(3, 4).flatten(1, 2)  # person row column answer
        parts, surface = cells.split([1 + len(REGIONS), 3], dim=-1)
        return head(features, votes), votes, CropLabels(parts=parts, surface=surface)


def train_step(
    learner: nn.Module, body: Body, batch: CropBatch, config: MeshRecoveryTraining
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the loss of one batch and its parts: 3D and 2D joints (L1), pose, shape (L2)."""
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=config.half):
        found, votes, shown = learner(batch.images)
    joints = joints_of(found, body)
    losses = {
        "joints": _apart(joints, batch.joints),
        "points": _apart(project(joints, found.camera), batch.points, batch.inside),
        "rotations": F.mse_loss(found.rotations, batch.rotations) * 9,
        "betas": F.mse_loss(found.betas, batch.betas),
    } | _shown_losses(shown, batch)
    weights = {
        "joints": config.joint_weight,
        "points": config.point_weight,
        "rotations": config.rotation_weight,
        "betas": config.beta_weight,
        "voted joints": config.vote_weight * config.joint_weight,
        "voted points": config.vote_weight * config.point_weight,
        "places": config.vote_weight,
        "parts": config.part_weight,
        "surface": config.surface_weight,
    }
    if votes is not None:
        near = nearness(batch.points, config.network.vit)
        losses |= {
            "voted joints": _apart(votes.joints, batch.joints),
            "voted points": _apart(votes.points, batch.points, batch.inside),
            "places": -(near * votes.weight).sum() / near.sum().clamp(min=1),
        }
    return torch.stack([weights[name] * part for name, part in losses.items()]).sum(), losses


def _shown_losses(shown: CropLabels, batch: CropBatch) -> dict[str, Tensor]:
    """Return the losses of what the cells show; half of that of the parts is of the body's."""
    cut = (batch.parts.shape[2] - shown.parts.shape[2]) // 2
    seen = slice(cut, cut + shown.parts.shape[2])
    truth, surface = batch.parts[:, :, seen], batch.surface[:, :, seen]
    wrong = F.cross_entropy(shown.parts.movedim(3, 1), truth, reduction="none")
    body = (truth > 0).float()
    apart = (shown.surface - surface).abs().sum(-1).clamp(max=1.0)
    count = body.sum().clamp(min=1)
    return {
        "parts": (wrong * body).sum() / count + wrong.mean(),
        "surface": (apart * body).sum() / count,
    }


def _apart(
    found: Float[Tensor, "person 24 axis"],
    truth: Float[Tensor, "person 24 axis"],
    counts: Float[Tensor, "person 24"] | None = None,
) -> Float[Tensor, ""]:
    """Return the mean L1 distance, of those joints that count; what is far off counts as 1."""
    apart = (found - truth).abs().sum(-1)
    if counts is None:
        return apart.mean()
    return (apart.clamp(max=1.0) * counts).sum() / counts.sum().clamp(min=1)


@torch.no_grad()
def validate(
    network: MeshRecoveryNetwork, body: Body, shards: CropShards, config: MeshRecoveryTraining
) -> dict[str, float]:
    """Return the errors (mm, pelvis on pelvis) on all people, and those of the mean pose."""
    totals: dict[str, list[Tensor]] = {}
    device = next(network.parameters()).device
    for some in torch.arange(len(shards)).split(128):
        batch = draw_batch(shards[some], network.config.vit.image_px, None)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.half):
            found = network(batch.images.to(device))
        joints = joints_of(found, body).cpu()
        mean = _mean_body(network, len(some), device)
        for name, value in {
            "mpjpe_mm": mpjpe(joints, batch.joints),
            "pa_mpjpe_mm": pa_mpjpe(joints, batch.joints),
            "mean_pose_mpjpe_mm": mpjpe(joints_of(mean, body).cpu(), batch.joints),
            "mean_pose_pa_mpjpe_mm": pa_mpjpe(joints_of(mean, body).cpu(), batch.joints),
        }.items():
            totals.setdefault(name, []).append(value)
    return {name: float(torch.cat(values).mean() * 1000) for name, values in totals.items()}


def _mean_body(network: MeshRecoveryNetwork, people: int, device: torch.device) -> RecoveredMeshes:
    """Return what the network would say without looking: the mean of its training data."""
    head = network.smpl_head
    mean = rotations_from_6d(head.init_body_pose.unflatten(1, (-1, 6)))
    return RecoveredMeshes(
        rotations=mean.expand(people, -1, -1, -1),
        betas=torch.zeros(people, 10, device=device),
        camera=head.init_cam.expand(people, -1),
    )


def main(config: MeshRecoveryTraining) -> None:
    """Render, train, log, save; resumes by itself from what is there."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        shards, val, test = (
            render_shards(config.crops / split, _shards(config, split), workers=config.workers)
            for split in SPLITS
        )
    body = load_body().to(accelerator.device)
    network = MeshRecoveryNetwork(config.network)
    if config.start:
        network.load_published(config.start)
    else:
        _start_from_the_mean(network, shards)
    learner = Learner(network)
    optimizer = _optimizer(learner, config)
    loop = StepLoop(
        accelerator, run, learner, optimizer, config, name="mesh recovery", clip=config.clip
    )
    side = config.network.vit.image_px
    for step, generator in loop.steps():
        learner.train()
        numbers = torch.randint(len(shards), (config.batch,), generator=generator)
        batch = draw_batch(shards[numbers], side, generator, covered=config.covered)
        batch = CropBatch(
            **{name: value.to(accelerator.device) for name, value in vars(batch).items()}
        )
        torch.manual_seed(int(generator.initial_seed()) % 2**63)  # skipped blocks, also on resume
        loop.learn(step, *train_step(loop.trained, body, batch, config))
        if loop.saves(step):
            network.eval()
            loop.save(step, validate(network, body, val, config))
    if loop.is_main:
        network.eval()
        network.save_pretrained(config.out / "model")
        loop.end(validate(network, body, test, config))


ANSWERING = ("cells", "vote", "decpose", "decshape", "deccam")
"""Layers whose outputs are answers: their rows are no directions of one space."""


def _optimizer(learner: Learner, config: MeshRecoveryTraining) -> torch.optim.Optimizer:
    inner: list[Tensor] = []
    others: list[Tensor] = []
    for name, weight in learner.named_parameters():
        matrix = name.endswith("weight") and weight.ndim in (2, 4)
        answers = name.split(".")[-2] in ANSWERING if "." in name else False
        (inner if config.muon and matrix and not answers else others).append(weight)
    if config.muon:
        return MuonAndAdamW(inner, others, lr=0.0, weight_decay=config.weight_decay)
    wide, thin = [[w for w in others if (w.ndim > 1) == wide] for wide in (True, False)]
    return torch.optim.AdamW(
        [{"params": wide}, {"params": thin, "weight_decay": 0.0}],
        lr=0.0, weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip


def _shards(config: MeshRecoveryTraining, split: str) -> ShardConfig:
    """Return what is rendered of a split."""
    size = config.network.vit.image_px * 5 // 4
    pictures = config.pictures if split == "train" else config.held_out
    return ShardConfig(
        studio=config.studio.of_split(split),
        data=config.data,
        split=split,
        pictures=pictures,
        per_shard=min(500, pictures),
        height_px=size,
        width_px=size * 4 // 5,
    )


def _start_from_the_mean(network: MeshRecoveryNetwork, shards: CropShards) -> None:
    """Set the head's mean pose and camera to those of the first people of the training data."""
    people = shards[torch.arange(min(2000, len(shards)))]
    batch = draw_batch(people, 16, None)
    crops = Crops.around(people.boxes, scale=SCALE)
    camera = crops.weak_camera(people.joints[:, 0], people.focal_px, people.principal_px)
    network.smpl_head.set_mean(batch.rotations, camera)


if __name__ == "__main__":
    run_program(main, PRESETS)
