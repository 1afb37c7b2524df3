"""COCO and COCO-WholeBody: people in photographs with 17 or 133 marked landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_builders.readers.fits import fit_at, fitted_in_camera, read_fits
from data_builders.readers.landmarks import checked_box, marked_keypoints
from data_builders.readers.pictures import check_orientation
from data_builders.readers.safe_files import (
    by_id,
    field_of,
    inside,
    integer,
    numbers,
    read_json_table,
    referred,
)
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.errors import UnusableRecordError

PARTS = (
    ("keypoints", 17), ("foot_kpts", 6), ("face_kpts", 68), ("lefthand_kpts", 21),
    ("righthand_kpts", 21),
)  # fmt: skip
"""Of COCO-WholeBody: where the 133 landmarks lie in an annotation."""
SEEN = np.array([0.0, 0.5, 1.0])
"""COCO marks 0 not labelled, 1 labelled but hidden, 2 seen."""


def _read(whole_body: bool, folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person that has a landmark, in the order of the annotations.

    Crowds and people without landmarks are left out. Raises SourceError if a file is damaged.
    """
    source = WHOLEBODY if whole_body else SOURCE
    fits = read_fits(choice)
    for split in ("train", "val"):
        stem = f"coco_wholebody_{split}_v1.0" if whole_body else f"person_keypoints_{split}2017"
        file = folder / "annotations" / f"{stem}.json"
        if choice.split not in ("", split) or not file.is_file():
            continue
        table = source.whole(file, read_json_table)
        images = by_id(table.get("images"))
        annotations = table.get("annotations")
        if not images or not isinstance(annotations, list):
            raise source.broken(file, "has no images or no annotations")
        pictures = (choice.images or folder) / f"{split}2017"
        for i, annotation in enumerate(annotations):
            number = annotation.get("id", f"number {i}") if isinstance(annotation, dict) else i
            key = f"{source.name}/{split}2017/{number}"
            build = partial(
                _record, source.name, whole_body, key, split, pictures, choice, images, fits,
                annotation,
            )  # fmt: skip
            if not choice.only or choice.wants(split, _name(annotation, images)):
                yield from drops.keep(key, build)


def _name(annotation: Any, images: dict[int | str, Any]) -> str:
    try:
        return str(field_of(referred(annotation, "image_id", images), "file_name"))
    except UnusableRecordError:
        return ""


def _record(
    source: str,
    whole_body: bool,
    key: str,
    split: str,
    pictures: Path,
    choice: SourceOptions,
    images: dict[int | str, Any],
    fits: dict[str, Any],
    annotation: Any,
) -> Record:
    if annotation.get("iscrowd") if isinstance(annotation, dict) else False:
        raise UnusableRecordError("is a crowd, not one person")
    image = referred(annotation, "image_id", images)
    keypoints = _keypoints(annotation, whole_body)
    left, top, width, height = numbers(field_of(annotation, "bbox"), (4,), "bbox")
    box = checked_box(left, top, left + width, top + height)
    path = inside(pictures, field_of(image, "file_name"))
    size = (integer(image, "width"), integer(image, "height"))
    orientation = check_orientation(path, choice, size)
    other: dict[str, str | float | int] = {
        "image_id": integer(annotation, "image_id"),
        "licence": str(image.get("license", "")),
    }
    pose, camera, fit = None, None, fit_at(fits, annotation.get("id"))
    if fit is not None and choice.fits is not None:
        pose, camera = fitted_in_camera(
            fit, choice.fits, size_px=size, keypoints=keypoints, box=box
        )
        other["fit"] = choice.fits.name
    return Record(
        key=key,
        source=source,
        split=split,
        pose=pose,
        image=path,
        orientation=orientation,
        box=box,
        camera=camera,
        keypoints_2d=keypoints,
        other=other,
    )


def _keypoints(annotation: Any, whole_body: bool) -> Keypoints:
    values = [
        numbers(field_of(annotation, name), (3 * count,), name).reshape(count, 3)
        for name, count in (PARTS if whole_body else PARTS[:1])
    ]
    rows = np.concatenate(values)
    marks = rows[:, 2]
    if whole_body:  # the other parts carry a confidence: above 0 is labelled
        marks = np.concatenate([marks[:17], np.where(marks[17:] > 0, 2.0, 0.0)])
    if not np.isin(marks, (0, 1, 2)).all():
        raise UnusableRecordError("keypoints has marks of visibility other than 0, 1 and 2")
    keypoint_set = COCO_WHOLEBODY_133 if whole_body else COCO_17
    seen = torch.from_numpy(SEEN[marks.astype(int)])
    return marked_keypoints(keypoint_set, torch.from_numpy(rows[:, :2]), seen)


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of COCO."""
    return _read(False, folder, choice, drops)


def read_whole_body(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of COCO-WholeBody."""
    return _read(True, folder, choice, drops)


_PICTURES = Expected(path="*2017/*.jpg", size="19 GB: train2017 18 GB, val2017 1 GB", optional=True)
SOURCE = Source(
    name="coco",
    about="COCO 2017: annotations/, train2017/ and val2017/",
    files=(
        Expected(path="annotations/person_keypoints_*2017.json", size="train 239 MB, val 10 MB"),
        _PICTURES,
    ),
    licence="annotations CC BY 4.0; each picture has its own Flickr licence",
    cite="Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014",
    home="https://cocodataset.org",
    read=read,
    takes=("split", "only", "images", "pictures", "fits"),
)
WHOLEBODY = Source(
    name="coco_wholebody",
    about="COCO-WholeBody 1.0: its annotations, with COCO's train2017/ and val2017/",
    files=(
        Expected(path="annotations/coco_wholebody_*_v1.0.json", size="some 100 MB each"),
        _PICTURES,
    ),
    licence="annotations for non-commercial research; each picture has its own Flickr licence",
    cite="Jin et al., Whole-Body Human Pose Estimation in the Wild, ECCV 2020",
    home="https://github.com/jin-s13/COCO-WholeBody",
    read=read_whole_body,
    takes=("split", "only", "images", "pictures", "fits"),
)
