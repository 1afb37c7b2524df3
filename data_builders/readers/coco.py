"""COCO, COCO-WholeBody, CrowdPose and UBody: people in pictures with marked landmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, KeypointSet
from unipose.body.keypoints import Keypoints
from unipose.errors import UnusableRecordError

PARTS = (
    ("keypoints", 17), ("foot_kpts", 6), ("face_kpts", 68), ("lefthand_kpts", 21),
    ("righthand_kpts", 21),
)  # fmt: skip
"""Of COCO-WholeBody: where the 133 landmarks lie in an annotation."""
SEEN = np.array([0.0, 0.5, 1.0])
"""COCO marks 0 not labelled, 1 labelled but hidden, 2 seen."""


@dataclass(frozen=True, kw_only=True)
class AnnotationFile:
    """One file of annotations in COCO's layout, and what is special about it."""

    path: str
    """From the source's folder."""
    split: str
    pictures: str
    """Folder of the pictures, from the source's."""
    every: int = 1
    """Only pictures whose number is a multiple of this: frames of films are much alike."""

    @property
    def key(self) -> str:
        """What comes before an annotation's number in a record's key."""
        return self.pictures if self.every == 1 else f"{Path(self.path).parent.name}/{self.split}"


@dataclass(frozen=True, kw_only=True)
class CocoLayout:
    """A data set in COCO's layout."""

    name: str
    keypoint_set: KeypointSet
    files: Callable[[Path], Iterable[AnnotationFile]]
    """Of a folder, whether they are there or not."""


def _read(
    layout: CocoLayout, source: Source, folder: Path, choice: SourceOptions, drops: Drops
) -> Iterator[Record]:
    """Yield each person that has a landmark, in the order of the annotations.

    Crowds and people without landmarks are left out. Raises SourceError if a file is damaged.
    """
    fits = read_fits(choice)
    for item in layout.files(folder):
        file = folder / item.path
        if choice.split not in ("", item.split) or not file.is_file():
            continue
        table = source.whole(file, read_json_table)
        images = by_id(table.get("images"))
        annotations = table.get("annotations")
        if not images or not isinstance(annotations, list):
            raise source.broken(file, "has no images or no annotations")
        pictures = (choice.images or folder) / item.pictures
        for i, annotation in enumerate(annotations):
            number = annotation.get("id", f"number {i}") if isinstance(annotation, dict) else i
            if item.every > 1 and _image_number(annotation) % item.every:
                continue
            key = f"{source.name}/{item.key}/{number}"
            build = partial(
                _record, layout, key, item.split, pictures, choice, images, fits, annotation
            )
            if not choice.only or choice.wants(item.split, _name(annotation, images)):
                yield from drops.keep(key, build)


def _image_number(annotation: Any) -> int:
    number = annotation.get("image_id") if isinstance(annotation, dict) else 0
    return number if isinstance(number, int) else 0


def _name(annotation: Any, images: dict[int | str, Any]) -> str:
    try:
        return str(field_of(referred(annotation, "image_id", images), "file_name"))
    except UnusableRecordError:
        return ""


def _record(
    layout: CocoLayout,
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
    keypoints = _keypoints(annotation, layout.keypoint_set)
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
        source=layout.name,
        split=split,
        pose=pose,
        image=path,
        orientation=orientation,
        box=box,
        camera=camera,
        keypoints_2d=keypoints,
        other=other,
    )


def _keypoints(annotation: Any, keypoint_set: KeypointSet) -> Keypoints:
    whole_body = keypoint_set == COCO_WHOLEBODY_133
    parts = PARTS if whole_body else (("keypoints", len(keypoint_set)),)
    rows = np.concatenate(
        [
            numbers(field_of(annotation, name), (3 * count,), name).reshape(count, 3)
            for name, count in parts
        ]
    )
    marks = rows[:, 2]
    if whole_body:  # the other parts carry a confidence: above 0 is labelled
        marks = np.concatenate([marks[:17], np.where(marks[17:] > 0, 2.0, 0.0)])
    if not np.isin(marks, (0, 1, 2)).all():
        raise UnusableRecordError("keypoints has marks of visibility other than 0, 1 and 2")
    seen = torch.from_numpy(SEEN[marks.astype(int)])
    return marked_keypoints(keypoint_set, torch.from_numpy(rows[:, :2]), seen)


def _coco_files(stem: str) -> Callable[[Path], Iterable[AnnotationFile]]:
    files = [
        AnnotationFile(
            path=f"annotations/{stem.format(split)}.json", split=split, pictures=f"{split}2017"
        )
        for split in ("train", "val")
    ]
    return lambda _: files


def _ubody_files(folder: Path) -> Iterable[AnnotationFile]:
    for split in ("train", "val"):
        for file in sorted(folder.glob(f"annotations/*/{split}_annotations.json")):
            path = str(file.relative_to(folder))
            yield AnnotationFile(path=path, split=split, pictures="images", every=UBODY_EVERY)


UBODY_EVERY = 10
"""RTMPose and CIGPose train on every tenth frame of UBody."""
COCO_LAYOUT = CocoLayout(
    name="coco", keypoint_set=COCO_17, files=_coco_files("person_keypoints_{}2017")
)
WHOLEBODY_LAYOUT = CocoLayout(
    name="coco_wholebody",
    keypoint_set=COCO_WHOLEBODY_133,
    files=_coco_files("coco_wholebody_{}_v1.0"),
)
CROWDPOSE_LAYOUT = CocoLayout(
    name="crowdpose",
    keypoint_set=CROWDPOSE_14,
    files=lambda _: [
        AnnotationFile(
            path=f"annotations/mmpose_crowdpose_{stem}.json", split=split, pictures="images"
        )
        for stem, split in (("trainval", "train"), ("test", "test"))
    ],
)
UBODY_LAYOUT = CocoLayout(name="ubody", keypoint_set=COCO_WHOLEBODY_133, files=_ubody_files)


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of COCO."""
    return _read(COCO_LAYOUT, SOURCE, folder, choice, drops)


def read_whole_body(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of COCO-WholeBody."""
    return _read(WHOLEBODY_LAYOUT, WHOLEBODY, folder, choice, drops)


def read_crowdpose(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of CrowdPose."""
    return _read(CROWDPOSE_LAYOUT, CROWDPOSE, folder, choice, drops)


def read_ubody(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the people of every tenth frame of UBody."""
    return _read(UBODY_LAYOUT, UBODY, folder, choice, drops)


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
CROWDPOSE = Source(
    name="crowdpose",
    about="CrowdPose: annotations/ and images/",
    files=(
        Expected(path="annotations/mmpose_crowdpose_*.json", size="some 10 MB each"),
        Expected(path="images/*.jpg", size="20,000 pictures", optional=True),
    ),
    licence="no licence is stated: all rights reserved",
    cite="Li et al., CrowdPose: Efficient Crowded Scenes Pose Estimation, CVPR 2019",
    home="https://github.com/Jeff-sjtu/CrowdPose",
    read=read_crowdpose,
    takes=("split", "only", "images", "pictures"),
)
UBODY = Source(
    name="ubody",
    about="UBody in COCO's layout: annotations/SCENE/ and images/",
    files=(
        Expected(path="annotations/*/train_annotations.json", size="of 15 scenes"),
        Expected(path="images/*/*", size="frames of the scenes", optional=True),
    ),
    licence="for research only",
    cite="Lin et al., One-Stage 3D Whole-Body Mesh Recovery with Component Aware Transformer, 2023",
    home="https://github.com/IDEA-Research/OSX",
    read=read_ubody,
    takes=("split", "only", "images", "pictures"),
)
