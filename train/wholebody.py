"""Teach whole-body keypoints: `accelerate launch -m train.wholebody --preset small`.

RTMPose's and CIGPose's training: SimCC targets, two stages of augmentation, an average of the
weights. On the studio's people by default, or on public data sets (`--sources coco=FOLDER`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from data_builders.studio.config import SPLITS, StudioConfig
from train.averaged_weights import AveragedWeights
from train.keypoint_batches import (
    FIRST_STAGE,
    SECOND_STAGE,
    Augmentation,
    KeypointBatch,
    PersonSample,
    draw_keypoint_batch,
)
from train.keypoint_records import RecordedPeople
from train.keypoint_scores import studio_scores
from train.keypoint_shards import (
    KeypointShardConfig,
    KeypointShards,
    render_keypoint_shards,
    samples_of,
)
from train.muon import MuonAndAdamW
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings, cosine
from train.step_loop import StepLoop
from unipose.errors import ConfigError
from unipose.wholebody.config import WholeBodyConfig, published
from unipose.wholebody.keypoint_head import KeypointLogits
from unipose.wholebody.losses import intervention_losses
from unipose.wholebody.network import WholeBodyNetwork
from unipose.wholebody.simcc import simcc_targets

SMALL = WholeBodyConfig(
    width_px=96, height_px=128, deepen=0.167, widen=0.1875, embedding=128, query=64, kernel=3,
    graph_layers=1, intervention="largest", averaged=True,
)  # fmt: skip
"""A network for two cores: 1.3 million weights."""


@dataclass(frozen=True, kw_only=True)
class WholeBodyTraining(RunSettings):
    """One training run."""

    network: WholeBodyConfig
    sources: tuple[str, ...] = ()
    """Public data sets (`NAME=FOLDER`, see docs/sources.md); none: the studio's people."""
    studio: StudioConfig = field(
        default_factory=lambda: StudioConfig(
            mixed=0.4, occluded=0.6, truncated=0.3, people=(0.5, 0.32, 0.13, 0.05)
        )
    )
    data: Path = Path("../shared/mocap")
    """Folder with a manifest.csv for the studio; "" renders made-up poses."""
    out: Path = Path("runs/wholebody")
    crops: Path = Path("runs/keypoint_crops")
    """Where rendered crops are kept; several runs can share them."""
    crop_size: tuple[int, int] = (144, 192)
    """Width and height at which crops are rendered; networks see them at their own."""
    pictures: int = 20_000
    """Rendered before training; about 1.4 people in each."""
    held_out: int = 500
    """Pictures of the recordings' val split, and as many of its test split at the end."""
    workers: int = 2
    """Processes that render; 0 renders in this one."""
    start: str = ""
    """A published checkpoint whose backbone is the first one, or a folder of ours to go on from."""
    weight_decay: float = 0.05
    clip: float = 35.0
    """0: gradients are taken as they are (CrowdPose)."""
    first: Augmentation = FIRST_STAGE
    second: Augmentation = SECOND_STAGE
    second_stage: float = 150 / 420
    """Share of the steps, at the end."""
    phases: tuple[tuple[float, float], ...] = ((0.5, 1.0), (1.0, 0.05))
    """Where the rate gets to: (share of the steps, share of its peak), along half a cosine."""
    consistency_weight: float = 0.1
    score_weight: float = 0.0
    """Of teaching the first logits that confounder scores are read off; 0 is the published code,
    whose scores come from layers that never learn."""
    muon: bool = False
    """Muon learns small networks from nothing in fewer pictures; False is AdamW for all."""
    half: bool = False
    """Matrix products in bfloat16."""

    def __post_init__(self) -> None:
        super().__post_init__()
        ends = [share for share, _ in self.phases]
        if not ends or ends != sorted(ends) or ends[-1] != 1 or not 0 <= self.second_stage <= 1:
            raise ConfigError(
                f"phases go up to 1 and second_stage is a share, got {self.phases} and "
                f"{self.second_stage}"
            )

    def rate(self, step: int) -> float:
        """Return the learning rate of a step: warm-up, then from phase to phase."""
        if step < self.warmup:
            return self.peak_rate * (step + 1) / self.warmup
        done, start, height = step / self.steps, 0.0, 1.0
        for end, goal in self.phases:
            if done < end:
                fall = cosine(step, steps=round(end * self.steps), warmup=round(start * self.steps),
                              peak=1.0)  # fmt: skip
                return self.peak_rate * (goal + (height - goal) * fall)
            start, height = end, goal
        return self.peak_rate * height

    def augmentation(self, step: int) -> Augmentation:
        """Return how a step's crops are changed."""
        return self.second if step >= (1 - self.second_stage) * self.steps else self.first


WHOLEBODY_PHASES = (
    (135 / 420, 1.0), (270 / 420, 0.05), (330 / 420, 0.05), (1.0, 0.001),
)  # fmt: skip
PRESETS = {
    "small": WholeBodyTraining(
        network=SMALL, steps=1000, batch=32, peak_rate=5e-3, warmup=50, save_every=250,
        pictures=3000, second_stage=0.3, phases=((0.3, 1.0), (1.0, 0.01)), score_weight=1.0,
        first=Augmentation(turn=45.0, zoom=(0.7, 1.3), covered=0.5),
        second=Augmentation(turn=30.0, zoom=(0.8, 1.25), moved=0.0, covered=0.3),
        muon=True, half=True,
    ),
    "debug": WholeBodyTraining(
        network=replace(
            SMALL, width_px=64, height_px=64, widen=0.125, embedding=16, query=8, train_replaced=13
        ),
        studio=StudioConfig(height_px=64, width_px=64),
        data=Path(),
        out=Path("runs/wholebody_debug"),
        crops=Path("runs/keypoint_crops_debug"),
        pictures=4,
        held_out=4,
        workers=0,
        steps=4,
        batch=4,
        peak_rate=1e-3,
        warmup=2,
        save_every=2,
        trackers=(),
    ),
    "paper-m": WholeBodyTraining(  # 8 processes of 64; 118k people, 420 rounds
        network=published("cigpose-m-wholebody-256x192"), sources=("coco_wholebody=../coco",),
        out=Path("runs/cigpose_m"), steps=97_000, batch=64, peak_rate=2e-3, warmup=1000,
        phases=WHOLEBODY_PHASES, half=True,
    ),
    "paper-l": WholeBodyTraining(
        network=published("cigpose-l-wholebody-384x288"), sources=("coco_wholebody=../coco",),
        out=Path("runs/cigpose_l"), steps=194_000, batch=32, peak_rate=2e-3, warmup=1000,
        phases=WHOLEBODY_PHASES, half=True,
    ),
    "paper-x": WholeBodyTraining(
        network=published("cigpose-x-wholebody-384x288"), sources=("coco_wholebody=../coco",),
        out=Path("runs/cigpose_x"), steps=194_000, batch=32, peak_rate=2e-3, warmup=1000,
        phases=WHOLEBODY_PHASES, half=True,
        first=Augmentation(turn=90.0, zoom=(0.5, 1.5)),
        second=Augmentation(turn=90.0, zoom=(0.5, 1.5), moved=0.0, covered=0.5),
    ),
    "paper-coco-m": WholeBodyTraining(  # one process
        network=published("cigpose-m-coco-256x192"), sources=("coco=../coco",),
        out=Path("runs/cigpose_coco_m"), steps=164_000, batch=384, peak_rate=1e-3, warmup=1000,
        second_stage=30 / 420, half=True,
    ),
    "paper-crowdpose-m": WholeBodyTraining(
        network=published("cigpose-m-crowdpose-256x192"), sources=("crowdpose=../crowdpose",),
        out=Path("runs/cigpose_crowdpose_m"), steps=117_000, batch=64, peak_rate=4e-5, warmup=1000,
        second_stage=30 / 210, clip=0.0, half=True,
    ),
}  # fmt: skip


@runtime_checkable
class SamplesByNumber(Protocol):
    """People to learn from."""

    def __len__(self) -> int: ...

    def samples(self, numbers: Int[np.ndarray, " person"]) -> list[PersonSample]:
        """Return these people."""
        ...


@dataclass(frozen=True)
class StudioSamples:
    """The studio's people, as they were rendered."""

    shards: KeypointShards

    def __len__(self) -> int:
        return len(self.shards)

    def samples(self, numbers: Int[np.ndarray, " person"]) -> list[PersonSample]:
        """Return these people."""
        return samples_of(self.shards[numbers])


class KeypointLearner(nn.Module):
    """The network that learns and the average of its weights."""

    def __init__(self, network: WholeBodyNetwork) -> None:
        super().__init__()
        self.network = network
        self.average = AveragedWeights(network)

    def forward(self, images: Float[Tensor, "person 3 height width"]) -> object:
        """Return the network's logits."""
        return self.network(images)

    def averaged(self) -> WholeBodyNetwork:
        """Return the network with the averaged weights, ready to be asked."""
        network = WholeBodyNetwork(self.network.config)
        network.load_state_dict(self.average.weights(), strict=True)
        return network.eval()


def train_step(
    learner: nn.Module, batch: KeypointBatch, config: WholeBodyTraining
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the loss of one batch and its parts."""
    with torch.autocast(batch.images.device.type, torch.bfloat16, enabled=config.half):
        said = learner(batch.images)
    return keypoint_loss(
        said, batch.points, batch.marks, config.network.size,
        consistency_weight=config.consistency_weight, score_weight=config.score_weight,
    )  # fmt: skip


def keypoint_loss(
    said: KeypointLogits,
    points: Float[Tensor, "person keypoint 2"],
    marks: Float[Tensor, "person keypoint"],
    size: tuple[int, int],
    *,
    consistency_weight: float,
    score_weight: float,
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the weighted loss of logits beside marked keypoints (crop pixels), and its parts."""
    x, y, weight = simcc_targets(points, (marks > 0).float(), size)
    losses = intervention_losses(said, (x, y), weight, scored=score_weight > 0)
    weights = {"keypoints": 1.0, "consistency": consistency_weight, "score": score_weight}
    return torch.stack([weights[name] * part for name, part in losses.items()]).sum(), losses


def main(config: WholeBodyTraining) -> None:
    """Render or open the data, train, log, save; resumes by itself from what is there."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        run = RunFolder(config.out, config, accelerator)
        people = people_of(config)
        val, test = (studio_shards(config, split) for split in SPLITS[1:])
    network = WholeBodyNetwork(config.network)
    start_from(network, config.start)
    learner = KeypointLearner(network)
    optimizer = make_optimizer(network, config)
    loop = StepLoop(
        accelerator, run, learner, optimizer, config, name="whole-body keypoints", clip=config.clip
    )
    for step, _ in loop.steps():
        learner.train()
        seed = (config.seed, step, accelerator.process_index)
        numbers = np.random.default_rng(seed).integers(0, len(people), config.batch)
        batch = draw_keypoint_batch(
            people.samples(numbers), config.network, config.augmentation(step), seed=seed
        ).to(accelerator.device)
        loop.learn(step, *train_step(loop.trained, batch, config))
        learner.average.update(network, step)
        if loop.saves(step):
            loop.save(step, studio_scores(learner.averaged(), val))
    if loop.is_main:
        learner.averaged().save_pretrained(config.out / "model")
        loop.end(studio_scores(learner.averaged(), test))


def people_of(config: WholeBodyTraining) -> SamplesByNumber:
    """Return the people of training: those of the sources, or the studio's."""
    if config.sources:
        return RecordedPeople.read(config.sources, config.network.keypoint_set)
    return StudioSamples(studio_shards(config, SPLITS[0]))


def studio_shards(config: WholeBodyTraining, split: str) -> KeypointShards:
    """Return the studio's people of a split; held-out ones stand in a studio of its own shares."""
    learns = split == SPLITS[0]
    ours = config.studio
    plain = StudioConfig(
        seed=ours.seed, height_px=ours.height_px, width_px=ours.width_px, occluded=ours.occluded
    )
    pictures = config.pictures if learns else config.held_out
    shards = KeypointShardConfig(
        studio=(ours if learns else plain).of_split(split),
        data=config.data,
        split=split,
        pictures=pictures,
        per_shard=min(250, pictures),
        size=config.crop_size,
    )
    return render_keypoint_shards(config.crops / split, shards, workers=config.workers)


def start_from(network: WholeBodyNetwork, start: str) -> None:
    """Load a published backbone (.pth), or of a folder of ours all weights of the same shape."""
    if not start:
        return
    path = Path(start)
    if path.is_dir():
        given = WholeBodyNetwork.from_pretrained(path).state_dict()
        own = network.state_dict()
        fitting = {
            name: value for name, value in given.items()
            if name in own and own[name].shape == value.shape
        }  # fmt: skip
        network.load_state_dict(own | fitting, strict=True)
    else:
        network.load_published_backbone(path)


def make_optimizer(network: nn.Module, config: WholeBodyTraining) -> torch.optim.Optimizer:
    """Return AdamW; norms and biases are not decayed, all else is (ScaleNorm, gamma, beta too).

    With Muon its matrices are those between layers; those that answer, and a convolution of each
    channel alone, stay with AdamW.
    """
    norms = [
        name for name, module in network.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]  # fmt: skip
    plain: list[Tensor] = []
    decayed: list[Tensor] = []
    matrices: list[Tensor] = []
    for name, weight in network.named_parameters():
        owner, _, own = name.rpartition(".")
        if config.muon and own == "weight" and weight.ndim > 1 and not _answers(name, weight):
            matrices.append(weight)
        else:
            (plain if owner in norms or own == "bias" else decayed).append(weight)
    if config.muon:
        others = [*decayed, *plain]
        return MuonAndAdamW(matrices, others, lr=0.0, weight_decay=config.weight_decay)
    return torch.optim.AdamW(
        [{"params": decayed}, {"params": plain, "weight_decay": 0.0}],
        lr=0.0, weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip


def _answers(name: str, weight: Tensor) -> bool:
    """Whether the rows of a matrix are no directions of one space."""
    answering = ("cls_x", "cls_y", "initial_pred_x", "initial_pred_y", "canonical_features")
    return name.split(".")[-2] in answering or weight.shape[1] == 1


if __name__ == "__main__":
    run_program(main, PRESETS)
