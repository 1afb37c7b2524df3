"""Films for eval.adaptation: held-out motions in the studio, cut off or covered, with noisy 2D.

A film is one recording, 30 frames a second. A third of the films show the whole person, in a third
the picture ends above the legs (or beside an arm), in a third something stands in front. Film
number i is a function of (recordings, seed, i); the noise of its keypoints of one more number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from data_builders.studio import Motions, Studio, StudioConfig, StudioImage
from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN
from data_builders.studio.motions import Take
from eval.pictures import as_seen
from unipose.adaptation.film_keypoints import BODY_AND_FEET
from unipose.body.body import Body
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box
from unipose.errors import ConfigError
from unipose.language.text_features import plain_label
from unipose.vision.crops import Crops

PARTS = ("whole", "cut off", "covered")
HARD = PARTS[1:]
LABELS = {
    "walk": "walk", "walking": "walking", "slow walk": "walk", "running": "running", "run": "run",
    "run, leap": "run", "run/jog, veer right": "run/jog", "run/jog, veer left": "run/jog",
    "run/jog, sudden stop": "run/jog", "run, veer left": "run", "run, veer right": "run",
    "run, 90-degree left turn": "run turn left", "basketball signal": "basketball signal",
    "forward jump": "forward jump", "get up from ground": "get up face down",
    "jog in a left circle, 4 steps, starting with the right foot": "run/jog",
    "sneak, 2 steps, starting with the left foot": "walk",
    "hop on both legs, 1 hop": "jump", "jump and spin kick": "jump kick",
}  # fmt: skip
"""What held-out recordings are called -> the entry of the motion dictionary that a person picks."""
LEAST_FRAMES = 36
SIDE_PX = 160


@dataclass(frozen=True, kw_only=True)
class Keypoint2DNoise:
    """How a detector errs, in shares of the crop's side."""

    spread: float = 0.012
    """Of every keypoint, in each frame anew."""
    drift: float = 0.008
    """Of every keypoint, for half a second."""
    outliers: float = 0.03
    outlier_spread: float = 0.08
    missing: float = 0.04
    """Of those that are seen."""
    guessed: float = 0.7
    """Share of those behind the person's own body that are marked all the same."""
    guess_spread: float = 0.03


@dataclass(frozen=True, kw_only=True, eq=False)
class BenchmarkFilm:
    """One person's film with its truth."""

    key: str
    part: str
    """One of PARTS."""
    name: str
    """What the recording is called."""
    label: str
    pixels: UInt8[Tensor, "frame 3 side side"]
    crops: Crops
    rotations: Float[Tensor, "frame 24 3 3"]
    """As the crop's viewer sees them: y up, z towards the viewer."""
    betas: Float[Tensor, " 10"]
    points: Float[Tensor, "frame 23 2"]
    """Pixels of the picture."""
    seen: Int[Tensor, "frame 23"]
    """SEEN, HIDDEN behind the person's own body, or OUTSIDE: cut off or covered."""
    fps: float

    def keypoints(self, noise: Keypoint2DNoise, *, seed: int) -> Keypoints:
        """Return what a detector would say of the film."""
        generator = torch.Generator().manual_seed(seed)
        frames, count = self.seen.shape
        side = self.crops.side[:, None, None]
        slow = torch.randn(ceil(frames / 15) + 1, count, 2, generator=generator)
        at = torch.arange(frames) / 15
        low, share = at.long(), (at - at.floor())[:, None, None]
        off = noise.drift * torch.lerp(slow[low], slow[low + 1], share)
        off = off + noise.spread * torch.randn(frames, count, 2, generator=generator)
        wild = torch.rand(frames, count, generator=generator) < noise.outliers
        guessed = torch.rand(frames, count, generator=generator) < noise.guessed
        far = torch.randn(frames, count, 2, generator=generator)
        behind = self.seen == HIDDEN
        size = noise.outlier_spread * wild + noise.guess_spread * behind
        off = off + size[..., None] * far
        marked = torch.rand(frames, count, generator=generator) >= noise.missing
        there = ((self.seen == SEEN) & marked) | (behind & guessed)
        sure = 0.35 + 0.6 * torch.rand(frames, count, generator=generator)
        scores = torch.where(wild | behind, 0.6 * sure + 0.1, sure) * there
        return Keypoints.of(
            BODY_AND_FEET, (self.points + off * side).float(), scores.float(), present=there
        )


def usable_takes(motions: Motions) -> list[Take]:
    """Return the recordings that have an entry in LABELS and last long enough, as they come."""
    return [
        take
        for take in motions.takes
        if plain_label(take.label) in LABELS and len(take.rotations) >= LEAST_FRAMES
    ]


def chosen_takes(takes: Sequence[Take], count: int) -> list[Take]:
    """Return `count` recordings, actions in turn: none comes twice before all came once."""
    of_label: dict[str, list[Take]] = {}
    for take in takes:
        of_label.setdefault(LABELS[plain_label(take.label)], []).append(take)
    queues = [list(some) for some in of_label.values()]
    found: list[Take] = []
    while len(found) < count:
        left = [queue for queue in queues if queue]
        if not left:
            queues = [list(some) for some in of_label.values()]
            left = queues
        for queue in left:
            found.append(queue.pop(0))
    return found[:count]


def shoot(
    studio: Studio, take: Take, number: int, *, part: str, frames: int, seed: int, side_px: int
) -> BenchmarkFilm:
    """Return a film of one recording; `side_px` is the side of the network's crops.

    Raises ConfigError if the person is out of the picture all along.
    """
    random = np.random.default_rng([seed, number])
    studio.motions = Motions([take], fps=30.0)
    studio.config = replace(
        studio.config, frames=min(frames, len(take.rotations)), fps=30.0, people=(1.0,),
        truncated=0.0, occluded=0.0, touching=0.0, partners=0.0,
    )  # fmt: skip
    images = studio.film(number).frames
    hider = Hider(part, random)
    rows = [_row(image, hider(image.people[0].whole_box, height=SIDE_PX, width=SIDE_PX))
            for image in images]  # fmt: skip
    boxes = torch.tensor([row[0] for row in rows], dtype=torch.float32)
    crops = Crops.around(boxes)
    pixels, rotations = [], []
    for i, (image, (_, picture, _)) in enumerate(zip(images, rows)):
        crop = Crops(centre=crops.centre[i : i + 1], side=crops.side[i : i + 1])
        pixels.append(crop.cut(torch.from_numpy(picture), side_px)[0].round().byte())
        person, camera, height = image.people[0], image.camera, image.pixels.shape[0]
        middle = (image.pixels.shape[1] / 2 + camera.centre[0] * height,
                  height / 2 + camera.centre[1] * height)  # fmt: skip
        rotations.append(
            as_seen(
                torch.from_numpy(person.rotations).float(),
                torch.from_numpy(person.root_in_camera).float(),
                boxes[i].tolist(), camera.focal * height, middle,
            )
        )  # fmt: skip
    people = [image.people[0] for image in images]
    count = len(BODY_AND_FEET)
    return BenchmarkFilm(
        key=f"{take.name}/{number}",
        part=part,
        name=take.label,
        label=LABELS.get(plain_label(take.label), ""),
        pixels=torch.stack(pixels),
        crops=crops,
        rotations=torch.stack(rotations),
        betas=torch.from_numpy(people[0].betas).float(),
        points=torch.from_numpy(
            np.stack([np.nan_to_num(person.whole_body_px[:count]) for person in people])
        ).float(),
        seen=torch.stack([row[2] for row in rows]),
        fps=30.0,
    )


class Hider:
    """What hides the person moves along with them, as a camera's edge does in a close film."""

    def __init__(self, part: str, random: np.random.Generator) -> None:
        self.part = part
        self.beside = bool(random.random() < 0.2)
        self.share = float(random.uniform(0.42, 0.62)) + 0.15 * self.beside
        """Of the person's height (or width), from the top (or a side), that is left."""
        self.mirrored = bool(random.random() < 0.5)

    def __call__(self, whole: Box, *, height: int, width: int) -> Box | None:
        """Return what is hidden of a picture, None for nothing; `whole` is around the person."""
        if self.part == PARTS[0]:
            return None
        left, top, right, bottom = whole
        if self.beside:
            edge = left + (right - left) * self.share
            if self.mirrored:
                return (0.0, 0.0, left + right - edge, float(height))
            return (edge, 0.0, float(width), float(height))
        edge = top + (bottom - top) * self.share
        if self.part == "covered":  # a table or a crate: something below it is seen
            return (0.0, edge, float(width), edge + 0.38 * (bottom - top))
        return (0.0, edge, float(width), float(height))


def _row(
    image: StudioImage, hidden: Box | None
) -> tuple[list[float], UInt8[np.ndarray, "height width 3"], Int[Tensor, " 23"]]:
    """Return the box of what is seen, the picture, and what is seen of the keypoints."""
    person = image.people[0]
    count = len(BODY_AND_FEET)
    seen = torch.from_numpy(person.whole_body_seen[:count].astype(np.int64))
    pixels, mask = image.pixels.copy(), image.instances == 1
    if hidden is not None:
        left, top, right, bottom = (round(edge) for edge in hidden)
        rows = slice(max(0, top), max(0, bottom))
        columns = slice(max(0, left), max(0, right))
        pixels[rows, columns] = 60
        mask[rows, columns] = False
        x, y = person.whole_body_px[:count].T
        inside = (x >= left) & (x < right) & (y >= top) & (y < bottom)
        seen[torch.from_numpy(inside)] = OUTSIDE
    ys, xs = np.nonzero(mask)
    if len(ys) < 20:
        whole = person.whole_box
        return list(whole), pixels, seen
    box = [float(edge) for edge in (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)]
    return box, pixels, seen


def open_studio(motions: Motions, body: Body, *, seed: int) -> Studio:
    """Return the studio of the benchmark's films."""
    config = StudioConfig(
        seed=seed, height_px=SIDE_PX, width_px=SIDE_PX, people=(1.0,), mixed=0.0, truncated=0.0,
        occluded=0.0, touching=0.0, partners=0.0,
    )  # fmt: skip
    return Studio(config, motions, body)


def shoot_all(
    motions: Motions, body: Body, *, count: int, frames: int, seed: int, side_px: int
) -> list[BenchmarkFilm]:
    """Return the films of a split. Raises ConfigError if it has no recording of LABELS."""
    takes = usable_takes(motions)
    if not takes:
        raise ConfigError("no recording of this split has an action that the benchmark knows")
    studio = open_studio(motions, body, seed=seed)
    return [
        shoot(
            studio, take, number, part=PARTS[number % len(PARTS)], frames=frames, seed=seed,
            side_px=side_px,
        )
        for number, take in enumerate(chosen_takes(takes, count))
    ]  # fmt: skip
