"""What keypoint networks really see of the studio's people, beside the truth: pairs to learn from.

Pictures are rendered, looked at and thrown away; a pair is two kilobytes. Shard k holds the people
of pictures k * n to (k + 1) * n of one studio, and is complete or not there: a run that was
stopped, or wants more pictures, goes on with the shards that are missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Int8
from rich.progress import track
from torch import Tensor

from data_builders.studio import Studio, StudioConfig, StudioImage
from data_builders.studio.labels import OUTSIDE
from train.crop_shards import studio_of
from train.shard_folder import (
    claim_studio_shards,
    pictures_of,
    read_shard,
    shard_count,
    shard_path,
    write_shard,
)
from unipose.vision.body_landmarks import LANDMARKS, WHOLE_BODY_ROWS
from unipose.vision.keypoint_detector import KeypointDetector
from unipose.vision.landmark_lifter import SeenLandmarks

LEAST_SEEN = 0.35
"""Share of a person that must be seen (of what the picture could show of them)."""
LEAST_JOINTS = 6
"""Joints that must lie in the picture."""


@dataclass(frozen=True, kw_only=True)
class LandmarkShardConfig:
    """Which people are looked at."""

    studio: StudioConfig
    data: Path
    """Folder with a manifest.csv; "" renders made-up poses."""
    split: str
    pictures: int
    """Rounded up to whole shards."""
    per_shard: int = 50
    box_error: float = 0.0
    """Standard deviation of the edges of the boxes that are looked at, in sizes of the box."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkPairs:
    """People as the networks see them, and as they are; metres and pixels of the picture."""

    seen: SeenLandmarks
    boxes: Float[Tensor, "person 4"]
    """True ones."""
    rotations: Float[Tensor, "person 24 3 3"]
    """The root's has the axes of the picture's camera as the world."""
    betas: Float[Tensor, "person 10"]
    pelvis: Float[Tensor, "person 3"]
    """In the axes of the picture's camera, from its place."""
    shown: Int8[Tensor, "person landmark"]
    """OUTSIDE, HIDDEN or SEEN."""
    focal_px: Float[Tensor, " person"]
    principal_px: Float[Tensor, "person 2"]

    def __len__(self) -> int:
        return len(self.betas)

    def __getitem__(self, numbers: Int[Tensor, " some"]) -> LandmarkPairs:
        """Return these people."""
        values = {name: value[numbers] for name, value in vars(self).items() if name != "seen"}
        seen = {name: value[numbers] for name, value in vars(self.seen).items()}
        return LandmarkPairs(seen=SeenLandmarks(**seen), **values)


def joined(first: LandmarkPairs, second: LandmarkPairs) -> LandmarkPairs:
    """Return the people of both."""

    def both(one: object, other: object) -> dict[str, Tensor]:
        pairs = ((name, value, vars(other)[name]) for name, value in vars(one).items())
        return {name: torch.cat([a, b]) for name, a, b in pairs if name != "seen"}

    seen = SeenLandmarks(**both(first.seen, second.seen))
    return LandmarkPairs(seen=seen, **both(first, second))


_LAYOUT = np.dtype(
    [
        ("points", "f4", (LANDMARKS, 2)), ("scores", "f4", LANDMARKS), ("world", "f4", (33, 3)),
        ("boxes", "f4", 4), ("rotations", "f4", (24, 3, 3)), ("betas", "f4", 10),
        ("pelvis", "f4", 3), ("shown", "i1", LANDMARKS), ("focal_px", "f4"),
        ("principal_px", "f4", 2),
    ]
)  # fmt: skip


def make_pairs(folder: Path, config: LandmarkShardConfig) -> LandmarkPairs:
    """Make the shards that are missing in `folder`, and return the people of all of them.

    Raises ConfigError if the folder is of another studio, FileError for a damaged shard.
    """
    claim_studio_shards(folder, config, holds="people")
    shards = range(shard_count(config))
    missing = [k for k in shards if not shard_path(folder, k).exists()]
    detector = KeypointDetector() if missing else None
    for k in track(missing, description=f"looking at {config.split}", transient=True):
        assert detector is not None
        _make(folder, config, k, detector)
    return read_pairs([shard_path(folder, k) for k in shards])


def read_pairs(paths: list[Path]) -> LandmarkPairs:
    """Return the people of these shards; FileError for one that is damaged."""
    whole = np.concatenate([read_shard(path, _LAYOUT) for path in paths])
    values = {name: torch.from_numpy(whole[name].copy()) for name in _LAYOUT.names or ()}
    seen = SeenLandmarks(**{name: values.pop(name) for name in ("points", "scores", "world")})
    return LandmarkPairs(seen=seen, **values)


def _make(
    folder: Path, config: LandmarkShardConfig, shard: int, detector: KeypointDetector
) -> None:
    studio = studio_of(config.studio, config.data, config.split)
    numbers = pictures_of(config, shard)
    rows = [row for i in numbers for row in _people(studio, i, config, detector)]
    write_shard(shard_path(folder, shard), rows, _LAYOUT)


def _people(
    studio: Studio, index: int, config: LandmarkShardConfig, detector: KeypointDetector
) -> Iterator[tuple]:
    """Yield one row for each person of a picture of whom enough is seen."""
    image: StudioImage = studio.sample(index)
    random = np.random.default_rng([config.studio.seed, index])
    height, width = image.pixels.shape[:2]
    principal = np.array([width, height]) / 2 + np.array(image.camera.centre) * height
    for person in image.people:
        inside = person.joints_seen != OUTSIDE
        if person.box is None or person.seen_share < LEAST_SEEN or inside.sum() < LEAST_JOINTS:
            continue
        box = np.array(person.box)
        size = np.tile(box[2:] - box[:2], 2)
        left, top, right, bottom = box + size * config.box_error * random.normal(size=4).clip(-3, 3)
        seen = SeenLandmarks.of(detector.find(image.pixels, [(left, top, right, bottom)]))
        rotations = person.rotations.copy()
        rotations[0] = person.root_in_camera
        pelvis = image.camera.to_camera(torch.from_numpy(person.joints[:1])).numpy()[0]
        yield (
            seen.points[0].numpy(), seen.scores[0].numpy(), seen.world[0].numpy(), box, rotations,
            person.betas, pelvis, person.whole_body_seen[WHOLE_BODY_ROWS],
            image.camera.focal * height, principal,
        )  # fmt: skip
