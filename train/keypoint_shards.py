"""Crops of the studio's people with their 133 keypoints, rendered ahead of training.

Pictures are taken once and seen several times, each time cut, turned, coloured and covered
differently. See `train.shard_folder` for how they are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from data_builders.studio import StudioConfig, StudioImage
from data_builders.studio.labels import OUTSIDE
from train.crop_shards import render_missing
from train.keypoint_batches import PersonSample
from train.shard_folder import ShardRows
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133
from unipose.wholebody.crops import PADDING, AffineCrops, moved_by

ROOM = 1.25
"""How much more a stored crop spans than the one that is looked at: room to turn and to zoom."""
LEAST_SEEN = 0.2
"""Share of a person that must be seen (of what the picture could show of them)."""
LEAST_KEYPOINTS = 5
"""Of COCO's 17 that must lie in the picture."""


@dataclass(frozen=True, kw_only=True)
class KeypointShardConfig:
    """Which people are rendered, and how large."""

    studio: StudioConfig
    data: Path
    """Folder with a manifest.csv; "" renders made-up poses."""
    split: str
    pictures: int
    """Rounded up to whole shards."""
    per_shard: int = 250
    size: tuple[int, int] = (192, 256)
    """Width and height of the crops that are looked at; stored ones are larger by ROOM."""

    @property
    def stored(self) -> tuple[int, int]:
        """Width and height of the stored crops."""
        return round(self.size[0] * ROOM), round(self.size[1] * ROOM)


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedCrops:
    """Stored crops of people with what is marked in them; pixels of the stored crop."""

    pixels: UInt8[np.ndarray, "person height width 3"]
    points: Float[np.ndarray, "person 133 2"]
    marks: Int[np.ndarray, "person 133"]
    """OUTSIDE, HIDDEN or SEEN: COCO's v."""
    boxes: Float[np.ndarray, "person 4"]
    """Left, top, right, bottom of what is seen."""
    area: Float[np.ndarray, " person"]
    """Pixels that show the person."""

    def __len__(self) -> int:
        return len(self.area)


def _layout(config: KeypointShardConfig) -> np.dtype:
    width, height = config.stored
    count = len(COCO_WHOLEBODY_133)
    return np.dtype(
        [
            ("pixels", "u1", (height, width, 3)), ("points", "f4", (count, 2)),
            ("marks", "i1", count), ("boxes", "f4", 4), ("area", "f4"),
        ]
    )  # fmt: skip


class KeypointShards(ShardRows):
    """All people of a folder of shards, by number."""

    def __init__(self, folder: Path, config: KeypointShardConfig) -> None:
        super().__init__(folder, config, _layout(config))
        self.config = config

    def __getitem__(self, numbers: Int[np.ndarray, " person"]) -> MarkedCrops:
        """Return these people."""
        rows = self.rows(numbers)
        return MarkedCrops(**{name: rows[name] for name in rows.dtype.names or ()})


def render_keypoint_shards(
    folder: Path, config: KeypointShardConfig, *, workers: int
) -> KeypointShards:
    """Render the shards that are missing in `folder`, and return all of them.

    `workers` 0 renders in this process. Raises ConfigError if the folder is of another studio.
    """
    render_missing(folder, config, _layout(config), _people, workers=workers)
    return KeypointShards(folder, config)


def _people(image: StudioImage, config: KeypointShardConfig) -> Iterator[tuple]:
    """Yield one row for each person of whom enough is seen."""
    for person in image.people:
        inside = (person.whole_body_seen[:17] != OUTSIDE).sum()
        if person.box is None or person.seen_share < LEAST_SEEN or inside < LEAST_KEYPOINTS:
            continue
        crop = AffineCrops.around([person.box], config.stored, padding=PADDING * ROOM)
        there = crop.from_picture()
        points = np.nan_to_num(person.whole_body_px)[None]
        corners = np.array(person.box).reshape(1, 2, 2)
        shrunk = float(config.stored[0] / crop.scale[0, 0])
        yield (
            crop.cut(image.pixels, averaged=True)[0], moved_by(points, there)[0],
            person.whole_body_seen, moved_by(corners, there).reshape(4),
            person.seen_px * shrunk**2,
        )  # fmt: skip


def samples_of(people: MarkedCrops) -> list[PersonSample]:
    """Return stored people as what batches are drawn from."""
    rows = zip(people.pixels, people.points, people.marks, people.boxes.tolist(), strict=True)
    return [
        PersonSample(pixels=pixels, points=points, marks=marks, box=tuple(box))
        for pixels, points, marks, box in rows
    ]
