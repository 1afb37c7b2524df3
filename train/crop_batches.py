"""Batches to learn from: stored crops moved, zoomed, mirrored, coloured and covered at random."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from train.crop_shards import People
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.metrics import root_aligned
from unipose.vision.crops import SCALE, Crops, resample
from unipose.vision.pixels import IMAGENET_MEAN, IMAGENET_STD, normalised

LABEL_PX = 4
"""Side of the cells of which it is known what they show."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CropBatch:
    """What the network sees, and what it should say: in the axes of each crop's camera."""

    images: Float[Tensor, "person 3 side side"]
    rotations: Float[Tensor, "person 24 3 3"]
    betas: Float[Tensor, "person 10"]
    joints: Float[Tensor, "person 24 3"]
    """From the pelvis (metres)."""
    points: Float[Tensor, "person 24 2"]
    """In sides of the crop from its middle."""
    inside: Float[Tensor, "person 24"]
    parts: Int[Tensor, "person row column"]
    """What cells of LABEL_PX x LABEL_PX show: the region's position in REGIONS plus 1, or 0."""
    surface: Float[Tensor, "person row column 3"]
    """Where the body is that a cell shows, from the pelvis (metres); anything where parts is 0."""


def draw_batch(
    people: People, side_px: int, generator: torch.Generator | None, *, covered: float = 0.0
) -> CropBatch:
    """Return crops to learn from: moved, zoomed, mirrored, coloured and covered at random.

    `covered` is the share of crops of which a rectangle is painted over. Without a generator the
    crops are those of a detector, as they are.
    """
    count = len(people.betas)
    crops = Crops.around(people.boxes, scale=SCALE)
    if generator is not None:
        zoom = 0.88 + 0.3 * torch.rand(count, generator=generator)
        move = (torch.rand(count, 2, generator=generator) - 0.5) * 0.14
        crops = Crops(centre=crops.centre + move * crops.side[:, None], side=crops.side * zoom)
    stored = people.pixels.movedim(3, 1).float()
    scale = people.crops.side / stored.shape[2]  # pixels of the picture per stored pixel
    middle = torch.tensor([stored.shape[3] / 2, stored.shape[2] / 2])
    centre = (crops.centre - people.crops.centre) / scale[:, None] + middle
    images = resample(stored, centre, crops.side / scale, side_px, side_px, beyond="border")
    turns = crops.turns(people.focal_px, people.principal_px)  # picture from crop
    root = turns.mT @ people.rotations[:, 0]
    joints = root_aligned(people.joints) @ turns
    parts, surface = _shown(people, crops, turns, side_px // LABEL_PX)
    batch = CropBatch(
        images=images,
        rotations=torch.cat([root[:, None], people.rotations[:, 1:]], dim=1),
        betas=people.betas,
        joints=joints,
        points=crops.to_crop(people.joints_px),
        inside=people.inside,
        parts=parts,
        surface=surface,
    )
    if generator is None:
        return _normalised(batch)
    mirror = torch.rand(count, generator=generator) < 0.5
    return _normalised(_covered(_coloured(_mirrored(batch, mirror), generator), generator, covered))


def _shown(
    people: People, crops: Crops, turns: Float[Tensor, "person 3 3"], cells: int
) -> tuple[Int[Tensor, "person row column"], Float[Tensor, "person row column 3"]]:
    """Return which part each cell of the crops shows, and where it is from the pelvis (metres)."""
    rows, columns = people.parts.shape[1:]
    stored = torch.stack([people.parts.float(), people.depth.float() / 100], dim=1)
    step = people.crops.side / rows  # pixels of the picture per stored cell
    centre = (crops.centre - people.crops.centre) / step[:, None]
    centre = centre + torch.tensor([columns / 2, rows / 2])
    parts, depth = resample(stored, centre, crops.side / step, cells, cells, mode="nearest").unbind(
        1
    )
    place = (torch.arange(cells) + 0.5) / cells - 0.5
    y, x = (
        crops.centre[:, i, None, None] + crops.side[:, None, None] * across
        for i, across in ((1, place[:, None]), (0, place[None]))
    )
    pelvis = people.joints[:, 0]
    depth = depth + pelvis[:, 2, None, None]
    across = torch.stack(torch.broadcast_tensors(x, y), dim=-1) - people.principal_px[:, None, None]
    across = across / people.focal_px[:, None, None, None] * depth[..., None]
    seen = torch.cat([across, depth[..., None]], dim=-1) - pelvis[:, None, None]
    return parts.long(), torch.einsum("prci,pij->prcj", seen, turns)


def _normalised(batch: CropBatch) -> CropBatch:
    return _with(batch, images=normalised(batch.images, IMAGENET_MEAN, IMAGENET_STD))


def _with(batch: CropBatch, **changed: Tensor) -> CropBatch:
    return CropBatch(**(vars(batch) | changed))


def _other_side(region: str) -> str:
    side, _, limb = region.partition(" ")
    return {"left": f"right {limb}", "right": f"left {limb}"}.get(side, region)


_MIRRORED_PARTS = torch.tensor([0, *(1 + REGIONS.index(_other_side(name)) for name in REGIONS)])


def chosen_rows(
    chosen: Bool[Tensor, " row"], one: Shaped[Tensor, "row *"], other: Shaped[Tensor, "row *"]
) -> Shaped[Tensor, "row *"]:
    """Return those rows of `one` that are chosen, and the others of `other`.

    Chosen (True, False), of rows (1, 2) and (3, 4): (1, 4).
    """
    return torch.where(chosen.view(-1, *[1] * (other.ndim - 1)), one, other)


def _mirrored(batch: CropBatch, chosen: Bool[Tensor, " person"]) -> CropBatch:
    """Return the batch with the chosen crops mirrored: left is right in pixels and labels."""
    order = list(SMPL.mirror)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    either = partial(chosen_rows, chosen)

    return _with(
        batch,
        images=either(batch.images.flip(3), batch.images),
        rotations=either(batch.rotations[:, order] * flip[:, None] * flip, batch.rotations),
        joints=either(batch.joints[:, order] * flip, batch.joints),
        points=either(batch.points[:, order] * flip[:2], batch.points),
        inside=either(batch.inside[:, order], batch.inside),
        parts=either(_MIRRORED_PARTS[batch.parts].flip(2), batch.parts),
        surface=either(batch.surface.flip(2) * flip, batch.surface),
    )


def _coloured(batch: CropBatch, generator: torch.Generator) -> CropBatch:
    """Return the batch in other light: brightness, contrast and the colours' balance."""
    count = len(batch.images)
    gain = 1 + 0.4 * (torch.rand(count, 3, 1, 1, generator=generator) - 0.5)
    gain = gain * (0.7 + 0.6 * torch.rand(count, 1, 1, 1, generator=generator))
    shift = 60 * (torch.rand(count, 1, 1, 1, generator=generator) - 0.5)
    return _with(batch, images=(batch.images * gain + shift).clamp(0, 255))


def _covered(batch: CropBatch, generator: torch.Generator, share: float) -> CropBatch:
    """Return the batch with a rectangle of one colour over some crops."""
    count, _, height, width = batch.images.shape
    size = 0.1 + 0.3 * torch.rand(count, 2, generator=generator)
    start = torch.rand(count, 2, generator=generator) * (1 - size)
    colour = 255 * torch.rand(count, 3, 1, 1, generator=generator)
    chosen = torch.rand(count, generator=generator) < share
    y, x = (torch.arange(n)[None] / n for n in (height, width))
    rows = (y >= start[:, :1]) & (y < start[:, :1] + size[:, :1]) & chosen[:, None]
    columns = (x >= start[:, 1:]) & (x < start[:, 1:] + size[:, 1:])
    hidden = (rows[:, :, None] & columns[:, None])[:, None]
    return _with(batch, images=torch.where(hidden, colour, batch.images))
