"""People as a detector finds them, beside their true joints: for lifters of a detector's keypoints.

The studio's people with the keypoints that our detector really found (`landmark_shards`), and any
number of people made up in recorded poses with the errors of those (`landmark_batches`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from data_builders.pose_pool import PoolConfig, PosePool
from train.landmark_batches import LandmarkBatch, Lenders, draw_batch, make_up_people
from train.landmark_shards import LandmarkPairs, read_pairs
from train.program import generator_of
from unipose.body.body import load_body
from unipose.body.keypoint_sets import COCO_17
from unipose.errors import MissingFileError
from unipose.lifting.keypoint_lifter import on_person
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.screen import usable
from unipose.vision.body_landmarks import COCO, LandmarkedBody

CHUNK = 2048


@dataclass(frozen=True, kw_only=True)
class DetectedPeopleConfig:
    """How many people are made up, and from what."""

    pairs: Path
    """Folder of `train.landmark_lifter`'s shards: train, val and test."""
    recordings: Path
    """Folder with a manifest.csv; "" makes poses up."""
    made_up: int = 60_000
    seed: int = 0


def detected_people(config: DetectedPeopleConfig, split: str) -> LiftingData:
    """Return people of a split; made-up ones in training alone, real pairs twice (once mirrored).

    Raises MissingFileError if there are no shards.
    """
    shards = sorted((config.pairs / split).glob("shard-*.npy"))
    if not shards:
        raise MissingFileError(
            config.pairs / split, "holds no people that a detector has looked at.",
            "python -m train.landmark_lifter makes them.",
        )  # fmt: skip
    pairs, body = read_pairs(shards), LandmarkedBody(load_body())
    if split != "train":
        return _data([draw_batch(pairs, body, None)])
    pool = PosePool.read_or_make(config.recordings, "train")
    lenders, batches = Lenders.of(pairs, body), []
    for number in range(2):
        generator = generator_of(seed=config.seed, step=number)
        batches.append(draw_batch(pairs, body, generator))
    for number, start in enumerate(range(0, config.made_up, CHUNK)):
        generator = generator_of(seed=config.seed, step=2 + number)
        batches.append(_made_up(min(CHUNK, config.made_up - start), pool, lenders, body, generator))
    return _data(batches)


def _made_up(
    count: int,
    pool: PosePool,
    lenders: Lenders,
    body: LandmarkedBody,
    generator: torch.Generator,
) -> LandmarkBatch:
    people: LandmarkPairs = make_up_people(
        count, pool, lenders, body, generator, config=PoolConfig(mixed=0.7, turn=0.3)
    )
    return draw_batch(people, body, generator)


def _data(batches: list[LandmarkBatch]) -> LiftingData:
    """Return COCO's keypoints of people and their joints from the hips' middle, crop's axes."""
    seen = on_person(torch.cat([batch.seen.points[:, :COCO] for batch in batches]))
    joints = torch.cat([batch.landmarks[:, :COCO] for batch in batches])
    hips = COCO_17.indices("left_hip", "right_hip")
    truth = joints - joints[:, hips].mean(dim=1, keepdim=True)
    kept = usable(seen, truth)
    return LiftingData(
        keypoint_set=COCO_17,
        seen=seen[kept],
        truth=truth[kept],
        sequence=torch.zeros(int(kept.sum()), dtype=torch.long),
        names=(SequenceName(subject="", action="", camera="detector"),),
        fps=30.0,
    )
