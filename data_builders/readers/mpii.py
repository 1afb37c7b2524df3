"""MPII Human Pose: people in pictures of 410 activities with 16 marked joints; one .mat file.

Fits of MPII are numbered after a list of the people in COCO's layout, train.json, that is passed on
with them; it has the .mat file's own joints, by which a person is found in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_builders.readers.fits import HOME, fit_at, fitted_in_camera, read_fits, read_table
from data_builders.readers.landmarks import checked_box, marked_keypoints
from data_builders.readers.mat_files import read_mat
from data_builders.readers.pictures import check_picture
from data_builders.readers.safe_files import (
    by_id,
    field_of,
    flat_numbers,
    inside,
    integer,
    numbers,
    referred,
)
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.keypoint_sets import MPII_16
from unipose.errors import FileError, SourceError, UnusableRecordError

FILE = "mpii_human_pose_v1_u12_1.mat"
SCALE_PX = 200.0
"""MPII's `scale` is the person's height in units of so many pixels."""
LISTING = "train.json"
"""Beside the fits: whom their numbers mean."""

Fits = dict[tuple[str, bytes], tuple[Any, tuple[int, int]]]
"""By picture and joints: the fit, and the picture's width and height."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each annotated person of the training pictures (the test set's joints are secret).

    Raises SourceError if the file of annotations is damaged, or one of those of the fits.
    """
    fits = _read_fits(choice, drops)
    file = next(iter(sorted(folder.glob(f"**/{FILE}"))))
    try:
        release = read_mat(file, "RELEASE")
        pictures = np.atleast_1d(release.annolist)
        training = np.atleast_1d(release.img_train)
        activities = np.atleast_1d(release.act)
        if not len(pictures) == len(training) == len(activities):
            raise FileError(file, "lists pictures, activities and splits of different numbers")
    except FileError as error:
        raise SOURCE.broken(file, error.problem) from error
    except AttributeError as error:
        raise SOURCE.broken(file, f"is not MPII's release ({error})") from error
    for picture, is_training, activity in zip(pictures, training, activities, strict=True):
        name = str(getattr(getattr(picture, "image", None), "name", ""))
        if is_training != 1 or not choice.wants("train", name):
            continue
        for person, rectangle in enumerate(np.atleast_1d(getattr(picture, "annorect", []))):
            key = f"mpii/{name}:{person}"
            build = partial(_record, folder, choice, fits, key, name, activity, rectangle)
            yield from drops.keep(key, build)


def _read_fits(choice: SourceOptions, drops: Drops) -> Fits:
    """Return the fits that were asked for, by the people whom they were fitted to."""
    if choice.fits is None:
        return {}
    fits = read_fits(choice)
    listing = choice.fits.with_name(LISTING)
    if not listing.is_file():
        raise SourceError(
            listing,
            f"is missing; it says whom the numbers in {choice.fits.name} mean.",
            f"Lay it beside them: it is in annotations/ of the MPII data at {HOME}.",
        )
    table = read_table(listing)
    images, people = by_id(table.get("images")), table.get("annotations")
    if not images or not isinstance(people, list):
        raise SourceError(listing, "has no images or no annotations.")
    found: Fits = {}
    for i, person in enumerate(people):
        try:
            fit = fit_at(fits, field_of(person, "id"))
            image = referred(person, "image_id", images)
            joints = flat_numbers(field_of(person, "keypoints"), 3 * len(MPII_16), "keypoints")
            size = (integer(image, "width"), integer(image, "height"))
            name = Path(str(field_of(image, "file_name"))).name
        except UnusableRecordError as error:
            drops.add(f"mpii/{LISTING}:{i}", str(error))
            continue
        if fit is not None:
            found[name, _joints_key(joints.reshape(-1, 3)[:, :2])] = (fit, size)
    return found


def _joints_key(points: np.ndarray) -> bytes:
    """Return joints to look a person up by; those that are not marked are (0, 0) in the list."""
    return np.round(np.nan_to_num(points), 1).tobytes()


def _record(
    folder: Path,
    choice: SourceOptions,
    fits: Fits,
    key: str,
    name: str,
    activity: Any,
    rectangle: Any,
) -> Record:
    points, seen = np.full((len(MPII_16), 2), np.nan), np.zeros(len(MPII_16))
    annotated = getattr(rectangle, "annopoints", None)
    for point in np.atleast_1d(getattr(annotated, "point", [])):
        joint = int(numbers(_of(point, "id"), (), "id"))
        if not 0 <= joint < len(MPII_16):
            raise UnusableRecordError(f"marks a joint {joint}, there are {len(MPII_16)}")
        points[joint] = [float(numbers(_of(point, axis), (), axis)) for axis in ("x", "y")]
        seen[joint] = 1.0 if _is_visible(point) else 0.5
    keypoints = marked_keypoints(MPII_16, torch.from_numpy(points), torch.from_numpy(seen))
    path = inside(choice.images or folder / "images", name)
    size = check_picture(path, choice)
    box = _box(rectangle, points, size)
    other: dict[str, str | float | int] = {"category": _words(activity, "cat_name")}
    pose, camera = None, None
    fit, size_of_fit = fits.get((name, _joints_key(points)), (None, (0, 0)))
    if fit is not None and choice.fits is not None:
        pose, camera = fitted_in_camera(
            fit, choice.fits, size_px=size_of_fit, keypoints=keypoints, box=box
        )
        other["fit"] = choice.fits.name
    return Record(
        key=key,
        source="mpii",
        split="train",
        pose=pose,
        image=path,
        box=box,
        camera=camera,
        keypoints_2d=keypoints,
        label=_words(activity, "act_name"),
        other=other,
    )


def _of(struct: Any, name: str) -> Any:
    if not hasattr(struct, name):
        raise UnusableRecordError(f"a joint without {name!r}")
    return getattr(struct, name)


def _is_visible(point: Any) -> bool:
    """Return whether a joint is seen; the mark is a number, a digit as text, or nothing at all."""
    mark = np.ravel(getattr(point, "is_visible", 0))
    return bool(len(mark)) and str(mark[0]).strip() in ("1", "1.0", "True")


def _words(struct: Any, name: str) -> str:
    """Return text of a struct; MATLAB's empty text is an empty array."""
    text = getattr(struct, name, "")
    return text.strip() if isinstance(text, str) else ""


def _box(
    rectangle: Any, points: np.ndarray, size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return the square that MPII's place and scale mean, widened to the joints."""
    low, high = np.nanmin(points, axis=0), np.nanmax(points, axis=0)
    place, scale = getattr(rectangle, "objpos", None), np.ravel(getattr(rectangle, "scale", []))
    x, y = getattr(place, "x", None), getattr(place, "y", None)
    if x is not None and y is not None and len(scale) == 1:
        centre = numbers([x, y], (2,), "objpos")
        half = float(numbers(scale[0], (), "scale")) * SCALE_PX / 2
        low, high = np.minimum(low, centre - half), np.maximum(high, centre + half)
    if size[0]:
        low, high = np.clip(low, 0, size), np.clip(high, 0, size)
    return checked_box(low[0], low[1], high[0], high[1])


SOURCE = Source(
    name="mpii",
    about="MPII Human Pose: its .mat file of annotations, and images/",
    files=(
        Expected(path=f"**/{FILE}", size="12.5 MB packed"),
        Expected(path="images/*.jpg", size="12.9 GB", optional=True),
    ),
    licence="Simplified BSD for the annotations; pictures for research",
    cite="Andriluka et al., 2D Human Pose Estimation: New Benchmark and State of the Art, "
    "CVPR 2014",
    home="http://human-pose.mpi-inf.mpg.de",
    read=read,
    takes=("split", "only", "images", "pictures", "fits"),
)
