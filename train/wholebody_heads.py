"""Teach keypoint heads over a frozen Pose-ViT: `accelerate launch -m train.wholebody_heads`.

The backbone's maps of every crop are computed once and kept, some copies of each person, each
moved, turned, coloured and covered differently. Then heads that differ in one thing alone can be
compared with several seeds each: `--preset compare` trains the head of RTMPose, with the graph,
with the intervention as it is published, and with scores that learn. `--preset mini` trains the
small whole-body network that comes along.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from jaxtyping import Float
from rich.progress import track
from torch import Tensor, nn

from data_builders.studio.config import SPLITS
from train.keypoint_batches import Augmentation, draw_keypoint_batch
from train.keypoint_scores import studio_scores
from train.keypoint_shards import KeypointShards, samples_of
from train.program import run_program, start_accelerator
from train.run_folder import RunFolder
from train.settings import RunSettings
from train.shard_folder import claim_folder, read_shard, shard_path, write_shard
from train.step_loop import StepLoop
from train.wholebody import PRESETS as NETWORK_PRESETS
from train.wholebody import WholeBodyTraining, keypoint_loss, studio_shards
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, keypoint_set
from unipose.errors import ConfigError
from unipose.vision.pose_vit_keypoints import PoseViTKeypoints, load_pose_vit
from unipose.wholebody.config import WholeBodyConfig

PLAIN = WholeBodyConfig(
    width_px=96, height_px=128, embedding=128, query=64, kernel=3, stride=16, averaged=True
)
KINDS: dict[str, tuple[WholeBodyConfig, float]] = {
    "plain": (PLAIN, 0.0),
    "graph": (replace(PLAIN, graph_layers=1), 0.0),
    "published": (replace(PLAIN, graph_layers=1, intervention="largest"), 0.0),
    "scored": (replace(PLAIN, graph_layers=1, intervention="largest"), 1.0),
}
"""Name of a head -> what it is, and how much its scores learn."""
MILD = Augmentation(turn=40.0, zoom=(0.75, 1.25), covered=0.4)
PER_SHARD = 500


@dataclass(frozen=True, kw_only=True)
class HeadTraining(RunSettings):
    """Runs of one or more heads over the same maps."""

    people: WholeBodyTraining = field(default_factory=lambda: NETWORK_PRESETS["small"])
    """Whose crops are looked at."""
    maps: Path = Path("runs/keypoint_maps")
    """Where the backbone's maps are kept."""
    copies: int = 2
    """Of each person."""
    augmentation: Augmentation = MILD
    keypoints: str = "coco-wholebody-133"
    """Or coco-17: the body alone, in a fifth of the time."""
    kinds: tuple[str, ...] = ("scored",)
    seeds: tuple[int, ...] = (0,)
    start: str = ""
    """Folder of a head to go on from, also of one that knows the body's keypoints alone."""
    weight_decay: float = 0.05
    clip: float = 35.0
    consistency_weight: float = 0.1
    half: bool = True
    """Matrix products in bfloat16."""

    def __post_init__(self) -> None:
        super().__post_init__()
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds or not self.seeds:
            raise ConfigError(
                f"expected kinds of {', '.join(KINDS)} and a seed or more, got {self.kinds} and "
                f"{self.seeds}"
            )

    def head(self, kind: str) -> tuple[WholeBodyConfig, float]:
        """Return what a kind of head is, and how much its scores learn."""
        architecture, score_weight = KINDS[kind]
        whole = keypoint_set(self.keypoints) == COCO_WHOLEBODY_133
        replaced = architecture.train_replaced if whole else 1
        return (
            replace(architecture, keypoints=self.keypoints, train_replaced=replaced), score_weight
        )  # fmt: skip


PRESETS = {
    "compare": HeadTraining(
        out=Path("runs/wholebody_heads"), keypoints="coco-17", kinds=tuple(KINDS), seeds=(0, 1, 2),
        steps=600, batch=32, peak_rate=2e-3, warmup=20, save_every=600,
    ),
    "mini": HeadTraining(
        out=Path("runs/wholebody_mini"), kinds=("plain",), steps=230, batch=32, peak_rate=1.5e-3,
        warmup=10, save_every=230, start="runs/wholebody_heads/plain-0/model",
    ),
    "debug": HeadTraining(
        people=NETWORK_PRESETS["debug"], out=Path("runs/wholebody_heads_debug"),
        maps=Path("runs/keypoint_maps_debug"), copies=1, kinds=("plain", "scored"), steps=4,
        batch=4, peak_rate=1e-3, warmup=2, save_every=2, trackers=(),
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptMaps:
    """The backbone's maps of crops, and where the keypoints are in these."""

    maps: Float[Tensor, "crop channel row column"]
    points: Float[Tensor, "crop keypoint 2"]
    """Pixels of the crop."""
    marks: Float[Tensor, "crop keypoint"]


def keep_maps(config: HeadTraining) -> KeptMaps:
    """Compute the maps that are missing, and return all of them."""
    settings = {
        "copies": config.copies, "augmentation": config.augmentation,
        "crops": str(config.people.crops), "pictures": config.people.pictures,
    }  # fmt: skip
    claim_folder(config.maps, settings, holds="maps")
    shards = studio_shards(config.people, SPLITS[0])
    network = PoseViTKeypoints(PLAIN, load_pose_vit())
    vit, count = network.backbone.config, len(COCO_WHOLEBODY_133)
    layout = np.dtype(
        [
            ("maps", "f2", (vit.width, vit.rows, vit.columns)), ("points", "f4", (count, 2)),
            ("marks", "i1", count),
        ]
    )  # fmt: skip
    numbers = np.arange(len(shards) * config.copies)
    pieces = [numbers[i : i + PER_SHARD] for i in range(0, len(numbers), PER_SHARD)]
    missing = [k for k in range(len(pieces)) if not shard_path(config.maps, k).exists()]
    for k in track(missing, description="looking at crops", transient=True):
        rows = []
        for some in np.array_split(pieces[k], -(-len(pieces[k]) // 50)):
            people = samples_of(shards[some % len(shards)])
            batch = draw_keypoint_batch(
                people, PLAIN, config.augmentation, seed=(config.seed, int(some[0]))
            )
            maps = network.features(batch.images).half().numpy()
            rows += list(zip(maps, batch.points.numpy(), batch.marks.numpy(), strict=True))
        write_shard(shard_path(config.maps, k), rows, layout)
    whole = np.concatenate(
        [read_shard(shard_path(config.maps, k), layout) for k in range(len(pieces))]
    )
    return KeptMaps(
        maps=torch.from_numpy(whole["maps"].copy()),
        points=torch.from_numpy(whole["points"].copy()),
        marks=torch.from_numpy(whole["marks"].copy()).float(),
    )


def train_step(
    head: nn.Module, kept: KeptMaps, numbers: Tensor, config: HeadTraining, score_weight: float
) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
    """Return the loss of one batch and its parts."""
    maps, count = kept.maps[numbers].float(), len(keypoint_set(config.keypoints))
    with torch.autocast(maps.device.type, torch.bfloat16, enabled=config.half):
        said = head(maps)
    return keypoint_loss(
        said, kept.points[numbers, :count], kept.marks[numbers, :count], PLAIN.size,
        consistency_weight=config.consistency_weight, score_weight=score_weight,
    )  # fmt: skip


def main(config: HeadTraining) -> None:
    """Keep the maps, then train one head after the other; resumes by itself from what is there."""
    accelerator = start_accelerator(
        trackers=config.trackers, folder=config.out, threads=config.threads
    )
    kept, val = keep_maps(config), studio_shards(config.people, SPLITS[1])
    for seed in config.seeds:
        for kind in config.kinds:
            train_head(config, kind, seed, kept, val, accelerator)


def train_head(
    config: HeadTraining,
    kind: str,
    seed: int,
    kept: KeptMaps,
    val: KeypointShards,
    accelerator: Accelerator,
) -> None:
    """Train one head in a folder KIND-SEED of its own; nothing is done if it is there."""
    folder = config.out / f"{kind}-{seed}"
    if (folder / "model" / "model.safetensors").exists():
        return
    architecture, score_weight = config.head(kind)
    config = replace(config, out=folder, kinds=(kind,), seeds=(seed,), seed=seed)
    run = RunFolder(folder, config)
    torch.manual_seed(seed)
    network = PoseViTKeypoints(architecture, load_pose_vit())
    if config.start:
        start_from_head(network, Path(config.start))
    optimizer = _optimizer(network.head, config)
    loop = StepLoop(
        accelerator, run, network.head, optimizer, config, name=folder.name, clip=config.clip
    )
    for step, generator in loop.steps():
        network.train()
        numbers = torch.randint(len(kept.maps), (config.batch,), generator=generator)
        loop.learn(step, *train_step(loop.trained, kept, numbers, config, score_weight))
        if loop.saves(step):
            loop.save(step, studio_scores(network.eval(), val))
    network.eval().save_pretrained(folder / "model")


@torch.no_grad()
def start_from_head(network: PoseViTKeypoints, folder: Path) -> None:
    """Take over a trained head's weights; a keypoint that it lacks starts as the nearest it has.

    A finger starts as its wrist, a toe as its ankle, a point of the face as the nose. Layers that
    the other head does not have stay as they are.
    """
    given = PoseViTKeypoints.from_pretrained(folder)
    index = given.config.keypoint_set.index
    names = network.config.keypoint_set.names
    rows = [index[name if name in index else nearest_of_body(name)] for name in names]
    theirs = given.head.state_dict()
    for name, own in network.head.state_dict().items():
        if name in theirs:
            of_keypoints = name.startswith(("final_layer.", "cim."))
            own.copy_(theirs[name][rows] if of_keypoints else theirs[name])


def nearest_of_body(name: str) -> str:
    """Return the keypoint of COCO's 17 that one of the face, a hand or a foot is nearest to."""
    side, _, rest = name.partition("_")
    if side not in ("left", "right"):
        return "nose"
    return f"{side}_ankle" if rest in ("big_toe", "small_toe", "heel") else f"{side}_wrist"


def _optimizer(head: nn.Module, config: HeadTraining) -> torch.optim.Optimizer:
    """Return AdamW; what is no matrix is not decayed."""
    wide, thin = [[w for w in head.parameters() if (w.ndim > 1) == wide] for wide in (True, False)]
    return torch.optim.AdamW(
        [{"params": wide}, {"params": thin, "weight_decay": 0.0}],
        lr=0.0, weight_decay=config.weight_decay, fused=True,
    )  # fmt: skip


if __name__ == "__main__":
    run_program(main, PRESETS)
