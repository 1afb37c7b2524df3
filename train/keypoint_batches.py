"""Batches of people to learn keypoints from: moved, turned, mirrored, coloured and covered.

The augmentation of RTMPose and CIGPose (Jiang et al. 2023; mmpose's configurations), in their
order. A person's numbers hang on (seed, step, place in the batch) alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageFilter
from torch import Tensor

from unipose.body.keypoint_sets import KeypointSet
from unipose.body.people import Box
from unipose.errors import ConfigError
from unipose.wholebody.config import WholeBodyConfig
from unipose.wholebody.crops import AffineCrops, moved_by
from unipose.wholebody.network import normalised_crops

HALF_BODY, LEAST_FOR_HALF = 0.3, 9
"""How often a half of the body fills the crop, and from how many visible keypoints."""
UPPER_PREFERRED, HALF_PADDING = 0.7, 1.5
MOVED, MOVE = 0.3, 0.16
"""How often a crop is moved, and how far at most, in its own size."""
TURNED = 0.6
COLOUR_GAINS = (5 * 255 / 180, 30.0, 30.0)
"""Of hue, saturation and value, each of 0 to 255 (YOLOX)."""
BLURRED = 0.1
_LOWER = ("hip", "knee", "ankle", "toe", "heel")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How crops are changed; the published second stage leaves out moves and covers half."""

    turn: float = 80.0
    """Degrees at most."""
    zoom: tuple[float, float] = (0.6, 1.4)
    moved: float = MOVED
    covered: float = 1.0
    """How often a rectangle of 0.2 to 0.4 of each side is painted black."""

    def __post_init__(self) -> None:
        if not 0 < self.zoom[0] <= self.zoom[1] or self.turn < 0:
            raise ConfigError(f"expected zoom from, to and a turn of 0 or more, got {self}")


FIRST_STAGE = Augmentation()
SECOND_STAGE = Augmentation(turn=60.0, zoom=(0.75, 1.25), moved=0.0, covered=0.5)


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonSample:
    """One person to learn from: a picture (or part of one) and what is marked in it."""

    pixels: UInt8[np.ndarray, "height width 3"]
    points: Float[np.ndarray, "keypoint 2"]
    """Pixels of the picture."""
    marks: Int[np.ndarray, " keypoint"]
    """COCO's: 0 not labelled, 1 hidden, 2 seen."""
    box: Box


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointBatch:
    """What the network sees, and where the keypoints are in it."""

    images: Float[Tensor, "person 3 height width"]
    points: Float[Tensor, "person keypoint 2"]
    """Pixels of the crop."""
    marks: Float[Tensor, "person keypoint"]

    def to(self, device: torch.device) -> KeypointBatch:
        """Return the batch on a device."""
        return KeypointBatch(**{name: value.to(device) for name, value in vars(self).items()})


def draw_keypoint_batch(
    people: list[PersonSample],
    config: WholeBodyConfig,
    augmentation: Augmentation | None,
    *,
    seed: tuple[int, ...] = (0,),
) -> KeypointBatch:
    """Return crops to learn from; without `augmentation` the plain crops of boxes."""
    crops, points, marks = [], [], []
    for place, person in enumerate(people):
        if augmentation is None:
            crop, where = plain_crop(person, config)
            seen = person.marks
        else:
            random = np.random.default_rng((*seed, place))
            crop, where, seen = augmented_crop(person, config, augmentation, random)
        crops.append(crop)
        points.append(where)
        marks.append(seen)
    return KeypointBatch(
        images=normalised_crops(np.stack(crops)),
        points=torch.from_numpy(np.stack(points)).float(),
        marks=torch.from_numpy(np.stack(marks)).float(),
    )


def plain_crop(
    person: PersonSample, config: WholeBodyConfig
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "keypoint 2"]]:
    """Return the crop of a person's box, and their keypoints in it."""
    crops = AffineCrops.around([person.box], config.size)
    return _cut(person, crops, averaged=config.averaged)


def augmented_crop(
    person: PersonSample,
    config: WholeBodyConfig,
    augmentation: Augmentation,
    random: np.random.Generator,
) -> tuple[
    UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "keypoint 2"], Int[np.ndarray, " keypoint"]
]:
    """Return a crop that was changed at random, keypoints in it, and their marks."""
    mirror = random.random() < 0.5
    crops = AffineCrops.around([person.box], config.size)
    if random.random() < HALF_BODY:
        half = half_body(person, config.keypoint_set, random)
        if half is not None:
            crops = AffineCrops.around([half], config.size, padding=HALF_PADDING)
    low, high = augmentation.zoom
    zoom = (low + high) / 2 + _narrow(random) * (high - low) / 2
    move = np.array([_narrow(random), _narrow(random)]) * MOVE
    moved = random.random() < augmentation.moved
    turn = np.deg2rad(_narrow(random) * augmentation.turn)
    turned = random.random() < TURNED
    crops = AffineCrops(
        centre=crops.centre + moved * move * crops.scale,
        scale=crops.scale * zoom,
        size=crops.size,
        angle=np.array([turned * turn]),
    )
    crop, points = _cut(person, crops, averaged=config.averaged)
    marks = person.marks
    if mirror:
        order = list(config.keypoint_set.mirror)
        crop, points, marks = crop[:, ::-1], points[order], marks[order]
        points = np.stack([config.width_px - 1 - points[:, 0], points[:, 1]], axis=1)
    return recoloured(crop, augmentation, random), points, marks


def half_body(
    person: PersonSample, keypoint_set: KeypointSet, random: np.random.Generator
) -> Box | None:
    """Return a box around the upper or lower half's keypoints; None if too few are labelled.

    Its middle is the mean of the keypoints, its size their extent; faces and hands belong to
    neither half.
    """
    names = keypoint_set.names
    whole = [i for i, name in enumerate(names) if "face" not in name and not name[-1].isdigit()]
    whole = [i for i in whole if not names[i].endswith("hand_root") and person.marks[i] > 0]
    if (person.marks > 0).sum() < LEAST_FOR_HALF:
        return None
    lower = [i for i in whole if names[i].endswith(_LOWER)]
    upper = [i for i in whole if i not in lower]
    enough = len(upper) >= 2, len(lower) >= 3
    if not any(enough):
        return None
    takes_upper = enough[0] and (not enough[1] or random.random() < UPPER_PREFERRED)
    points = person.points[upper if takes_upper else lower]
    middle, span = points.mean(axis=0), np.ptp(points, axis=0)
    if min(span) < 1:
        return None
    left, top, right, bottom = (*(middle - span / 2).tolist(), *(middle + span / 2).tolist())
    return left, top, right, bottom


def recoloured(
    crop: UInt8[np.ndarray, "h w 3"], augmentation: Augmentation, random: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """Return a crop in other light, sometimes blurred, with a black rectangle."""
    gains = random.uniform(-1, 1, 3) * COLOUR_GAINS * (random.random(3) < 0.5)
    shifted = np.asarray(Image.fromarray(crop).convert("HSV")) + gains.astype(np.int16)
    shifted[..., 0] %= 256
    hsv = shifted.clip(0, 255).astype(np.uint8)
    picture = Image.frombuffer("HSV", hsv.shape[1::-1], hsv.tobytes()).convert("RGB")
    if random.random() < BLURRED:
        picture = picture.filter(ImageFilter.BoxBlur(int(random.integers(1, 4))))
    if random.random() < BLURRED:
        picture = picture.filter(ImageFilter.MedianFilter(3 + 2 * int(random.integers(0, 2))))
    changed = np.array(picture)
    if random.random() < augmentation.covered:
        sides = np.array(changed.shape[:2])
        size = (sides * random.uniform(0.2, 0.4, 2)).astype(int)
        top, left = (random.uniform(0, 1, 2) * (sides - size)).astype(int)
        changed[top : top + size[0], left : left + size[1]] = 0
    return changed


def _cut(
    person: PersonSample, crops: AffineCrops, *, averaged: bool
) -> tuple[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "keypoint 2"]]:
    points = moved_by(person.points[None].astype(np.float64), crops.from_picture())
    return crops.cut(person.pixels, averaged=averaged)[0], points[0]


def _narrow(random: np.random.Generator) -> float:
    """Return a normal number between -1 and 1."""
    while abs(drawn := float(random.standard_normal())) > 1:
        pass
    return drawn
