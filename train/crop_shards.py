"""Crops of people rendered ahead of training: files that are read in place, complete or not there.

Rendering a person costs about as much as one training step on it, so pictures are taken once and
seen several times, each time cut, coloured and covered differently. Shard k holds pictures
k * n to (k + 1) * n of one studio (`train.shard_folder`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Int8, UInt8
from torch import Tensor

from data_builders.pose_pool import PosePool
from data_builders.studio import Motions, Studio, StudioConfig, StudioImage, StudioPerson
from data_builders.studio.labels import OUTSIDE
from train.shard_folder import (
    ShardRows,
    StudioShards,
    claim_studio_shards,
    make_missing,
    pictures_of,
    shard_count,
    shard_path,
    write_shard,
)
from unipose.body.body import load_body
from unipose.vision.crops import SCALE, Crops

ROOM = 1.25
"""How much larger a stored crop is than the one that is looked at: room to move and to zoom."""
LEAST_SEEN = 0.35
"""Share of a person that must be seen (of what the picture could show of them)."""
LEAST_JOINTS = 8
"""Joints that must lie in the picture."""
CELL = 2
"""Stored pixels per side that share one label."""


@dataclass(frozen=True, kw_only=True)
class ShardConfig:
    """Which people are rendered, and how large."""

    studio: StudioConfig
    data: Path
    """Folder with a manifest.csv; "" renders made-up poses."""
    split: str
    pictures: int
    """Rounded up to whole shards."""
    per_shard: int = 500
    height_px: int = 160
    width_px: int = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class People:
    """A batch of stored crops with their labels; metres and pixels of the picture."""

    pixels: UInt8[Tensor, "person height width 3"]
    crops: Crops
    """What the stored pixels span (their height is the side)."""
    boxes: Float[Tensor, "person 4"]
    rotations: Float[Tensor, "person 24 3 3"]
    """The root's has the axes of the picture's camera as the world."""
    betas: Float[Tensor, "person 10"]
    joints: Float[Tensor, "person 24 3"]
    """In the axes of the picture's camera, from its place."""
    joints_px: Float[Tensor, "person 24 2"]
    inside: Float[Tensor, "person 24"]
    """1 for joints that lie in the picture."""
    parts: UInt8[Tensor, "person row column"]
    """What each cell of the stored crop shows of the person: the region's position in REGIONS, plus
    1; 0 for everything else. A cell is CELL x CELL stored pixels."""
    depth: Int8[Tensor, "person row column"]
    """How much further than the pelvis it is, along the picture's axis (centimetres)."""
    focal_px: Float[Tensor, " person"]
    principal_px: Float[Tensor, "person 2"]


def _layout(config: ShardConfig) -> np.dtype:
    cells = (config.height_px // CELL, config.width_px // CELL)
    return np.dtype(
        [
            ("pixels", "u1", (config.height_px, config.width_px, 3)), ("parts", "u1", cells),
            ("depth", "i1", cells), ("centre", "f4", 2),
            ("side", "f4"), ("boxes", "f4", 4), ("rotations", "f4", (24, 3, 3)),
            ("betas", "f4", 10), ("joints", "f4", (24, 3)), ("joints_px", "f4", (24, 2)),
            ("inside", "f4", 24), ("focal_px", "f4"), ("principal_px", "f4", 2),
        ]
    )  # fmt: skip


class CropShards(ShardRows):
    """All people of a folder of shards, by number."""

    def __init__(self, folder: Path, config: ShardConfig) -> None:
        super().__init__(folder, config, _layout(config))

    def __getitem__(self, numbers: Int[Tensor, " person"]) -> People:
        """Return these people."""
        rows = self.rows(numbers.numpy())
        values = {name: torch.from_numpy(rows[name].copy()) for name in rows.dtype.names or ()}
        crops = Crops(centre=values.pop("centre"), side=values.pop("side"))
        return People(crops=crops, **values)


def render_shards(folder: Path, config: ShardConfig, *, workers: int) -> CropShards:
    """Render the shards that are missing in `folder`, and return all of them.

    `workers` 0 renders in this process. Raises ConfigError if the folder is of another studio.
    """
    render_missing(folder, config, _layout(config), _people, workers=workers)
    return CropShards(folder, config)


@runtime_checkable
class RenderedShards(StudioShards, Protocol):
    """Shards whose pictures are rendered, each of one split."""

    @property
    def studio(self) -> StudioConfig:
        """What renders them."""
        ...

    @property
    def split(self) -> str:
        """Whose recordings people are posed by."""
        ...


def render_missing(
    folder: Path,
    config: RenderedShards,
    layout: np.dtype,
    people: Callable[[StudioImage, Any], Iterator[tuple]],
    *,
    workers: int,
) -> None:
    """Render the shards that are missing in `folder`; `people` yields a picture's rows.

    `workers` 0 renders in this process. Raises ConfigError if the folder is of another studio.
    """
    claim_studio_shards(folder, config, holds="crops")
    make_missing(
        folder, shard_count(config), partial(_render, folder, config, layout, people),
        workers=workers, description=f"rendering {config.split}",
    )  # fmt: skip


def _render(
    folder: Path,
    config: RenderedShards,
    layout: np.dtype,
    people: Callable[[StudioImage, Any], Iterator[tuple]],
    shard: int,
) -> None:
    studio = studio_of(config.studio, config.data, config.split)
    rows = [row for i in pictures_of(config, shard) for row in people(studio.sample(i), config)]
    write_shard(shard_path(folder, shard), rows, layout)


@cache
def studio_of(config: StudioConfig, data: Path, split: str) -> Studio:
    """Return the studio of a split, once a process."""
    made_up = data == Path()
    motions = PosePool.random(64, seed=1) if made_up else Motions.read(data, split)
    return Studio(config, motions, load_body())


def _people(image: StudioImage, config: ShardConfig) -> Iterator[tuple]:
    """Yield one row for each person of whom enough is seen."""
    height, width = image.pixels.shape[:2]
    focal = np.float32(image.camera.focal * height)
    principal = np.array([width, height]) / 2 + np.array(image.camera.centre) * height
    for person in image.people:
        inside = person.joints_seen != OUTSIDE
        if person.box is None or person.seen_share < LEAST_SEEN or inside.sum() < LEAST_JOINTS:
            continue
        box = torch.tensor([person.box])
        crop = Crops.around(box, scale=SCALE * ROOM)
        square = crop.cut(torch.from_numpy(image.pixels), config.height_px)[0]
        cut = (config.height_px - config.width_px) // 2
        pixels = square[:, :, cut : cut + config.width_px].movedim(0, 2).round().byte().numpy()
        rotations = person.rotations.copy()
        rotations[0] = person.root_in_camera
        in_camera = image.camera.to_camera(torch.from_numpy(person.joints)).numpy()
        yield (
            pixels, *_cells(image, person, crop, in_camera[0, 2], config), crop.centre[0].numpy(),
            crop.side[0].numpy(), box[0].numpy(), rotations, person.betas, in_camera,
            np.nan_to_num(person.joints_px), inside, focal, principal,
        )  # fmt: skip


def _cells(
    image: StudioImage, person: StudioPerson, crop: Crops, pelvis: float, config: ShardConfig
) -> tuple[UInt8[np.ndarray, "row column"], Int8[np.ndarray, "row column"]]:
    """Return what is seen of a person in the middle of each cell, and how far behind the pelvis."""
    step = float(crop.side[0]) / config.height_px * CELL  # pixels of the picture per cell
    rows, columns = config.height_px // CELL, config.width_px // CELL
    left, top = crop.centre[0].numpy() - np.array([columns, rows]) / 2 * step
    x = np.floor(left + (np.arange(columns) + 0.5) * step).astype(int)
    y = np.floor(top + (np.arange(rows) + 0.5) * step).astype(int)
    height, width = image.pixels.shape[:2]
    within = ((y >= 0) & (y < height))[:, None] & ((x >= 0) & (x < width))
    at = np.ix_(y.clip(0, height - 1), x.clip(0, width - 1))
    shows = within & (image.instances[at] == person.number + 1)
    behind = np.where(shows, image.depth[at] - pelvis, 0.0) * 100
    return np.where(shows, image.parts[at], 0).astype(np.uint8), behind.clip(-127, 127).astype(
        np.int8
    )
