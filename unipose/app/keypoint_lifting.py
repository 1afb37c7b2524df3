"""`unipose lift`: keypoints of any detector's file to 3D joints, and to poses of the body."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw
from torch import Tensor

from unipose.app.pose_input import write
from unipose.body.body import Body
from unipose.body.keypoint_sets import COCO_17, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.body.people import ImagePeople
from unipose.body.pose import Pose
from unipose.errors import FileError, LiftingError, PoseQueryError
from unipose.files import save_pose
from unipose.files.atomic import written_whole
from unipose.files.keypoint_writing import write_keypoints
from unipose.lifting.keypoint_lifter import KeypointLifter
from unipose.render.skeleton import draw_keypoints
from unipose.vision.joint_fitting import JointFittingConfig, fit_joints
from unipose.vision.keypoints_alone import KeypointsAlone

JOINTS_ENDING = ".npz"
FILM_SMOOTHNESS = 0.02
TILE_PX = 320


@runtime_checkable
class PoseDescriber(Protocol):
    """Who says poses in words: `assistant.UniPose`."""

    def describe(self, shown: Any) -> str:
        """Return what one pose is like."""
        ...

    def describe_batch(self, poses: Any, /) -> list[str]:
        """Return what each pose is like."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenRow:
    """Keypoints that are lifted, and whose they are."""

    image: str
    number: int
    """Which person of the picture, from 1."""
    keypoints: Keypoints


@dataclass(frozen=True, kw_only=True, eq=False)
class LiftedPeople:
    """What was lifted, one row a person or frame."""

    seen: Keypoints
    joints: Float[Tensor, "row joint 3"]
    """Metres from the root: x right, y down, z ahead."""
    keypoint_set: KeypointSet
    poses: Pose
    """In the viewer's axes."""
    images: tuple[str, ...]
    """Of each row."""
    numbers: tuple[int, ...]
    """Of each row: which person of the picture, from 1."""
    film: bool
    """Whether rows follow each other in time."""


def lift_people(
    images: Sequence[ImagePeople],
    path: Path,
    lifter: KeypointLifter | KeypointsAlone,
    *,
    film: bool = False,
    fps: float | None = None,
) -> LiftedPeople:
    """Return everybody in a keypoint file lifted; of a `film` the first person of each frame.

    Somebody of a picture who cannot be lifted is left out with a note, as long as there are others.
    Raises FileError if nobody is in it, or the people are of several keypoint sets, LiftingError
    for keypoints that cannot be lifted, naming the row.
    """
    rows = [
        SeenRow(image=image.image, number=number, keypoints=person.keypoints)
        for image in images
        for number, person in enumerate(image.people[:1] if film else image.people, start=1)
        if person.keypoints is not None
    ]
    if not rows:
        raise FileError(path, "holds nobody with keypoints.")
    sets = {row.keypoints.keypoint_set.name for row in rows}
    if len(sets) > 1:
        raise FileError(path, f"holds keypoints of several sets ({', '.join(sorted(sets))}).")
    try:
        return _lifted(rows, lifter, film=film, fps=fps)
    except LiftingError:
        if film or len(rows) == 1:
            raise
    kept = _those_who_can_be_lifted(rows, path, lifter)
    return _lifted(kept, lifter, film=False, fps=None)


def _those_who_can_be_lifted(
    rows: Sequence[SeenRow], path: Path, lifter: KeypointLifter | KeypointsAlone
) -> list[SeenRow]:
    """Return some of the rows and print a note about each other; FileError if none is left."""
    kept: list[SeenRow] = []
    for row in rows:
        try:
            _lifted([row], lifter, film=False, fps=None)
        except LiftingError as error:
            why = str(error).removeprefix("frame 0 ")
            print(
                f"note: {path}: person {row.number} of {row.image} is left out: {why}",
                file=sys.stderr,
            )
        else:
            kept.append(row)
    if not kept:
        raise FileError(path, "holds nobody who can be lifted; the notes say why.")
    return kept


def _lifted(
    rows: Sequence[SeenRow],
    lifter: KeypointLifter | KeypointsAlone,
    *,
    film: bool,
    fps: float | None,
) -> LiftedPeople:
    seen = Keypoints.stacked([row.keypoints for row in rows])
    if isinstance(lifter, KeypointsAlone):
        found = lifter.recover(seen)
        joints, of, poses = lifter.joints(found), COCO_17, found.pose()
    else:
        joints, of = lifter.lift(seen), lifter.keypoint_set
        smooth = FILM_SMOOTHNESS if film else 0.0
        poses = fit_joints(joints, of, config=JointFittingConfig(smooth_weight=smooth))
    return LiftedPeople(
        seen=seen,
        joints=joints,
        keypoint_set=of,
        poses=replace(poses, fps=fps if film else None),
        images=tuple(row.image for row in rows),
        numbers=tuple(row.number for row in rows),
        film=film,
    )


def save_lifted(lifted: LiftedPeople, out: Path, body: Body | None, *, joints: bool) -> list[str]:
    """Write the joints as an .npz of keypoints, or the poses in any format that holds them."""
    if joints:
        if out.suffix.lower() != JOINTS_ENDING:
            raise PoseQueryError(f"joints are written as {JOINTS_ENDING}, not as {out}")
        return [str(write_keypoints(Keypoints.of(lifted.keypoint_set, lifted.joints), out))]
    if lifted.film:
        return [str(save_pose(lifted.poses, out, body=body))]
    return write(lifted.poses, out, body)


def describe_lifted(lifted: LiftedPeople, describer: PoseDescriber) -> list[tuple[str, str]]:
    """Return whose pose each text says, and the text; of a film the first pose alone."""
    if lifted.film:
        name = f"{lifted.images[0]}, the first of {len(lifted.images)}"
        return [(name, describer.describe(lifted.poses[0]))]
    texts = describer.describe_batch(lifted.poses)
    return [
        (f"{name}, person {number}", text)
        for name, number, text in zip(lifted.images, lifted.numbers, texts, strict=True)
    ]


def draw_lifted(lifted: LiftedPeople, out: Path, *, most: int = 8) -> None:
    """Write a picture: a row per person with what was seen, and the joints from front and side."""
    rows = []
    for row in range(min(len(lifted.joints), most)):
        seen = lifted.seen[row]
        said = lifted.joints[row]
        views = [
            replace(seen, points=seen.points[..., :2]),
            *(Keypoints.of(lifted.keypoint_set, said[None, :, axes]) for axes in ([0, 1], [2, 1])),
        ]
        names = [lifted.images[row], "3D, as the camera sees it", "3D, from the side"]
        tiles = [_tile(*view) for view in zip(views, names, strict=True)]
        rows.append(np.concatenate(tiles, axis=1))
    with written_whole(out) as temporary:
        Image.fromarray(np.concatenate(rows)).save(temporary)


def _tile(person: Keypoints, text: str) -> np.ndarray:
    there = person.points[0][person.present[0]]
    low, high = there.amin(0), there.amax(0)
    scale = 0.8 * TILE_PX / float((high - low).max().clamp(min=1e-6))
    placed = replace(person, points=(person.points - (low + high) / 2) * scale + TILE_PX / 2)
    paper = np.full((TILE_PX, TILE_PX, 3), 250, dtype=np.uint8)
    picture = Image.fromarray(draw_keypoints(paper, [placed]))
    ImageDraw.Draw(picture).text((8, 6), text, fill=(40, 44, 52))
    return np.asarray(picture)
