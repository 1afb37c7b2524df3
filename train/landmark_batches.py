"""Batches for the landmark lifter: real pairs, and made-up ones with the errors of real ones.

Pairs are few, for a network has to look at each; recorded poses are many. A made-up person stands
in any recorded pose before any camera; of a few real pairs the one in the nearest pose lends its
errors, scores and what is covered or cut off, so that errors fit the pose they are made in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import log, pi

import roma
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from data_builders.pose_pool import PoolConfig, PosePool
from data_builders.studio.labels import OUTSIDE
from train.crop_batches import chosen_rows
from train.landmark_shards import LandmarkPairs
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.vision.body_landmarks import BLAZE, COCO, HIPS, LANDMARK_MIRROR, LandmarkedBody
from unipose.vision.crops import Crops
from unipose.vision.landmark_lifter import CropLandmarks, SeenLandmarks
from unipose.vision.mesh_recovery_protocol import LEVEL

LENDERS = 48
"""Real pairs of which the one in the nearest pose lends its errors."""
FOCAL_PX = 1000.0
"""Of the cameras before which people are made up: crops know no focal length."""
NEAREST_M, FURTHEST_M = 1.5, 9.0
BETA_LIMIT = 2.2
POINT_SHAKE, WORLD_SHAKE = 0.005, 0.02
"""Sides of the crop, and metres: drawn errors beside the real ones."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LandmarkBatch:
    """What the lifter sees, and what it should say: in the axes of each crop's camera."""

    seen: CropLandmarks
    rotations: Float[Tensor, "person 24 3 3"]
    betas: Float[Tensor, "person 10"]
    joints: Float[Tensor, "person 24 3"]
    """From the pelvis (metres)."""
    landmarks: Float[Tensor, "person landmark 3"]
    """From the pelvis (metres)."""
    camera: Float[Tensor, "person 3"]
    """Weak camera of the pelvis."""
    points: Float[Tensor, "person point 2"]
    """Where joints and landmarks are, in sides of the crop from its middle."""


def draw_batch(
    pairs: LandmarkPairs,
    body: LandmarkedBody,
    generator: torch.Generator | None,
    *,
    dropped: float = 0.0,
) -> LandmarkBatch:
    """Return people to learn from: their crops moved and zoomed, half of them mirrored.

    `dropped` is how often one of the networks, one half of the body or a few landmarks are not
    seen. Without a generator the crops are those of the true boxes, as they are.
    """
    count = len(pairs)
    crops = Crops.around(pairs.boxes)
    if generator is not None:
        zoom = 0.85 + 0.35 * torch.rand(count, generator=generator)
        move = (torch.rand(count, 2, generator=generator) - 0.5) * 0.16
        crops = Crops(centre=crops.centre + move * crops.side[:, None], side=crops.side * zoom)
    batch = _in_crops(pairs, crops, body)
    if generator is None:
        return batch
    chosen = torch.rand(count, generator=generator) < 0.5
    return _with_drops(_shaken(_mirrored(batch, chosen), generator), generator, dropped)


def _in_crops(pairs: LandmarkPairs, crops: Crops, body: LandmarkedBody) -> LandmarkBatch:
    joints, landmarks = body(pairs.rotations, pairs.betas)
    places = torch.cat([joints, landmarks], dim=1) + pairs.pelvis[:, None]
    turns = crops.turns(pairs.focal_px, pairs.principal_px)  # picture from crop
    root = turns.mT @ pairs.rotations[:, 0]
    return LandmarkBatch(
        seen=pairs.seen.in_crops(crops),
        rotations=torch.cat([root[:, None], pairs.rotations[:, 1:]], dim=1),
        betas=pairs.betas,
        joints=joints @ turns,
        landmarks=landmarks @ turns,
        camera=crops.weak_camera(pairs.pelvis, pairs.focal_px, pairs.principal_px),
        points=crops.to_crop(_pixels(places, pairs.focal_px, pairs.principal_px)),
    )


def _pixels(
    places: Float[Tensor, "person point 3"],
    focal_px: Float[Tensor, " person"],
    principal_px: Float[Tensor, "person 2"],
) -> Float[Tensor, "person point 2"]:
    across = places[..., :2] / places[..., 2:].clamp(min=0.1)
    return across * focal_px[:, None, None] + principal_px[:, None]


def _mirrored(batch: LandmarkBatch, chosen: Bool[Tensor, " person"]) -> LandmarkBatch:
    flip = torch.tensor([-1.0, 1.0, 1.0])
    joints = list(SMPL.mirror)
    order = [*joints, *(len(joints) + i for i in LANDMARK_MIRROR)]
    either = partial(chosen_rows, chosen)

    other = batch.seen.mirrored()
    seen = {name: either(value, vars(batch.seen)[name]) for name, value in vars(other).items()}
    return replace(
        batch,
        seen=CropLandmarks(**seen),
        rotations=either(Pose(rotations=batch.rotations).mirrored().rotations, batch.rotations),
        joints=either(batch.joints[:, joints] * flip, batch.joints),
        landmarks=either(batch.landmarks[:, LANDMARK_MIRROR] * flip, batch.landmarks),
        camera=either(batch.camera * torch.tensor([1.0, -1.0, 1.0]), batch.camera),
        points=either(batch.points[:, order] * flip[:2], batch.points),
    )


def _shaken(batch: LandmarkBatch, generator: torch.Generator) -> LandmarkBatch:
    """Return the batch seen a little otherwise: pairs are few, and real pictures are no renders."""
    seen = batch.seen
    count = len(seen.scores)
    points, world = (
        torch.randn(some.shape, generator=generator) for some in (seen.points, seen.world)
    )
    size = 1 + 0.08 * torch.randn(count, 1, 1, generator=generator)
    sure = (0.25 * torch.randn(count, 1, generator=generator)).exp()
    scores = seen.scores.clamp(min=1e-3) ** sure
    scores = scores + 0.04 * torch.randn(scores.shape, generator=generator)
    shaken = CropLandmarks(
        points=seen.points + POINT_SHAKE * points,
        scores=scores.clamp(1e-3, 1.0),
        world=seen.world * size + WORLD_SHAKE * world,
    )
    return replace(batch, seen=shaken)


def _with_drops(batch: LandmarkBatch, generator: torch.Generator, share: float) -> LandmarkBatch:
    """Return the batch with some landmarks not seen."""
    points = batch.seen.points
    count = len(points)

    def some(part: float, *shape: int) -> Bool[Tensor, "..."]:
        return torch.rand(count, *shape, generator=generator) < part

    gone = some(0.05, points.shape[1]) & some(share, 1)
    gone[:, :COCO] |= some(share / 6, 1)
    gone[:, COCO:] |= some(share / 6, 1) & ~gone[:, :COCO].all(1, keepdim=True)
    # beyond a line across the crop: what a door or a table covers
    angle = torch.rand(count, generator=generator) * 2 * pi
    ahead = torch.stack([angle.cos(), angle.sin()], dim=1)
    line = 0.05 + 0.4 * torch.rand(count, 1, generator=generator)
    gone |= ((points @ ahead[..., None])[..., 0] > line) & some(share / 4, 1)
    scores = torch.where(gone, 0.0, batch.seen.scores)
    return replace(batch, seen=replace(batch.seen, scores=scores))


@dataclass(frozen=True, kw_only=True, eq=False)
class Lenders:
    """Real pairs as those who lend their errors: in sides of their crops, and in metres."""

    landmarks: Float[Tensor, "person landmark 3"]
    """True, from the pelvis, in the axes of the crop's camera."""
    points: Float[Tensor, "person landmark 2"]
    """Errors."""
    scores: Float[Tensor, "person landmark"]
    world: Float[Tensor, "person blaze 3"]
    """Errors."""
    inside: Bool[Tensor, "person landmark"]
    """Whether the picture shows the landmark, covered or not."""
    edges: Float[Tensor, "person 4"]
    """Of the box, from those of the landmarks inside."""

    @classmethod
    def of(cls, pairs: LandmarkPairs, body: LandmarkedBody) -> Lenders:
        """Return the errors of pairs."""
        crops = Crops.around(pairs.boxes)
        batch = _in_crops(pairs, crops, body)
        points = batch.points[:, len(SMPL.joints) :]
        inside = pairs.shown != OUTSIDE
        box = crops.to_crop(pairs.boxes.view(-1, 2, 2)).flatten(1)
        return cls(
            landmarks=batch.landmarks,
            points=batch.seen.points - points,
            scores=batch.seen.scores,
            world=batch.seen.world - _from_hips(batch.landmarks),
            inside=inside,
            edges=box - _around(points, inside),
        )

    def nearest(
        self, landmarks: Float[Tensor, "other landmark 3"], generator: torch.Generator
    ) -> Int[Tensor, " other"]:
        """Return for each pose who of a few is in the nearest one."""
        few = torch.randint(len(self.scores), (len(landmarks), LENDERS), generator=generator)
        apart = self.landmarks[few, :COCO] - landmarks[:, None, :COCO]
        best = apart.square().sum((2, 3)).argmin(dim=1, keepdim=True)
        return few.gather(1, best)[:, 0]


def _from_hips(landmarks: Float[Tensor, "person landmark 3"]) -> Float[Tensor, "person blaze 3"]:
    assert landmarks.shape[1] == COCO + BLAZE
    return landmarks[:, COCO:] - landmarks[:, HIPS].mean(dim=1, keepdim=True)


def _around(
    points: Float[Tensor, "person point 2"], inside: Bool[Tensor, "person point"]
) -> Float[Tensor, "person 4"]:
    """Return the box of the points inside."""
    low = torch.where(inside[..., None], points, torch.inf).amin(dim=1)
    high = torch.where(inside[..., None], points, -torch.inf).amax(dim=1)
    return torch.cat([low, high], dim=1)


def make_up_people(
    count: int,
    pool: PosePool,
    lenders: Lenders,
    body: LandmarkedBody,
    generator: torch.Generator,
    *,
    config: PoolConfig,
    rolled: float = 0.1,
) -> LandmarkPairs:
    """Return people in recorded poses before drawn cameras, seen with errors of real pairs.

    `rolled` is the share of cameras held in any direction: somebody may hang upside down.
    """
    rotations = torch.eye(3).repeat(count, len(SMPL.joints), 1, 1)
    rotations[:, :POSED_JOINTS] = pool.draw(count, generator, config)
    elevation = (0.15 + 0.25 * torch.randn(count, generator=generator)).clamp(-0.5, 1.3)
    roll = 0.1 * torch.randn(count, generator=generator)
    anyhow = torch.rand(count, generator=generator) < rolled
    roll = torch.where(anyhow, (torch.rand(count, generator=generator) * 2 - 1) * pi, roll)
    none = torch.zeros_like(roll)
    camera = roma.rotvec_to_rotmat(torch.stack([none, none, roll], dim=1)) @ LEVEL
    camera = camera @ roma.rotvec_to_rotmat(torch.stack([elevation, none, none], dim=1))
    rotations[:, 0] = camera @ rotations[:, 0]
    betas = torch.randn(count, 10, generator=generator).clamp(-BETA_LIMIT, BETA_LIMIT)
    near, far = log(NEAREST_M), log(FURTHEST_M)
    depth = (near + (far - near) * torch.rand(count, generator=generator)).exp()
    across = (torch.rand(count, 2, generator=generator) - 0.5) * 0.6
    pelvis = torch.cat([across, torch.ones(count, 1)], dim=1) * depth[:, None]
    focal, principal = torch.full((count,), FOCAL_PX), torch.zeros(count, 2)

    _, landmarks = body(rotations, betas)
    points = _pixels(landmarks + pelvis[:, None], focal, principal)
    chosen = lenders.nearest(landmarks, generator)
    inside = lenders.inside[chosen]
    # the box grows with the crop, whose side it gives: two rounds settle both
    tight = _around(points, inside)
    box = tight
    for _ in range(2):
        box = tight + lenders.edges[chosen] * Crops.around(_with_area(box)).side[:, None]
    crops = Crops.around(_with_area(box))
    return LandmarkPairs(
        seen=SeenLandmarks(
            points=points + lenders.points[chosen] * crops.side[:, None, None],
            scores=lenders.scores[chosen],
            world=_from_hips(landmarks) + lenders.world[chosen],
        ),
        boxes=_with_area(box),
        rotations=rotations,
        betas=betas,
        pelvis=pelvis,
        shown=inside.to(torch.int8),
        focal_px=focal,
        principal_px=principal,
    )


def _with_area(box: Float[Tensor, "person 4"]) -> Float[Tensor, "person 4"]:
    return torch.cat([box[:, :2], torch.maximum(box[:, 2:], box[:, :2] + 1.0)], dim=1)
