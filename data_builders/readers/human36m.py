"""Human3.6M: pictures, 17 joints in 3D, and fitted SMPL parameters; JSON files per subject, z up.

The layout is the one that the annotations are passed on in for mesh recovery: images/, and for
each subject annotations/Human36M_subject<N>_{data,camera,joint_3d,smpl_param}.json, or
SMPL_NeuralAnnot instead of the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch

from data_builders.readers.fits import fit_at, fitted_pose
from data_builders.readers.landmarks import (
    Z_UP,
    box_of,
    checked_box,
    known_in_3d,
    projected_keypoints,
)
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
from unipose.body.camera import CameraTrack
from unipose.body.keypoint_sets import HUMAN36M_17
from unipose.errors import SourceError, UnusableRecordError
from unipose.files.smpl_parameters import turned

SPLIT_OF_SUBJECT = {
    1: "train", 5: "train", 6: "train", 7: "train", 8: "train", 9: "test", 11: "test",
}  # fmt: skip
FPS = 50.0
FILES = ("data", "camera", "joint_3d", "smpl_param")


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each annotated person, subject by subject; frames as `choice.fps` says.

    Raises SourceError if a subject has one file of annotations but not another, or one is damaged.
    """
    for subject, split in SPLIT_OF_SUBJECT.items():
        if choice.split not in ("", split):
            continue
        tables = _tables(folder, subject)
        if tables is None:
            continue
        images = by_id(tables["data"]["images"])
        for i, annotation in enumerate(tables["data"]["annotations"]):
            try:
                image = referred(annotation, "image_id", images)
                name, frame = str(field_of(image, "file_name")), integer(image, "frame_idx")
            except UnusableRecordError as error:
                drops.add(f"human36m/subject{subject}/annotation {i}", str(error))
                continue
            if frame % choice.step(FPS) == 0 and choice.wants(split, name):
                build = partial(_record, folder, choice, split, tables, image, annotation)
                yield from drops.keep(f"human36m/{name}", build)


def _tables(folder: Path, subject: int) -> dict[str, Any] | None:
    """Return a subject's files by kind; None if the subject is not there at all."""
    tables: dict[str, Any] = {}
    stem = folder / "annotations" / f"Human36M_subject{subject}_data.json"
    if not stem.is_file():
        return None
    for kind in FILES:
        file = stem.with_name(f"Human36M_subject{subject}_{kind}.json")
        if kind == "smpl_param" and not file.is_file():
            file = stem.with_name(f"Human36M_subject{subject}_SMPL_NeuralAnnot.json")
            if not file.is_file():
                tables[kind] = {}
                continue
        tables[kind] = SOURCE.whole(file, read_json_table)
    for name in ("images", "annotations"):
        if not isinstance(tables["data"].get(name), list):
            raise SourceError(stem, f"has no list of {name}.")
    return tables


def _record(
    folder: Path,
    choice: SourceOptions,
    split: str,
    tables: dict[str, Any],
    image: dict[str, Any],
    annotation: dict[str, Any],
) -> Record:
    name = field_of(image, "file_name")
    path = inside(choice.images or folder / "images", name)
    size = (integer(image, "width"), integer(image, "height"))
    orientation = check_orientation(path, choice, size)
    place = [str(field_of(image, key)) for key in ("action_idx", "subaction_idx", "frame_idx")]
    joints = tables["joint_3d"]
    for key in place:
        joints = field_of(joints, key)
    world = torch.tensor(numbers(joints, (17, 3), "joint_3d")) / 1000 @ Z_UP.mT
    camera = _camera(field_of(tables["camera"], str(field_of(image, "cam_idx"))))
    keypoints = projected_keypoints(HUMAN36M_17, camera.project(world[None])[0], size)
    box = annotation.get("bbox")
    fit = fit_at(tables["smpl_param"], *place)
    return Record(
        key=f"human36m/{name}",
        source="human36m",
        split=split,
        pose=None if fit is None else turned(fitted_pose(fit, path), Z_UP),
        image=path,
        orientation=orientation,
        box=box_of(keypoints, size) if box is None else _box(box),
        camera=camera.pinhole(size_px=size),
        keypoints_2d=keypoints,
        keypoints_3d=known_in_3d(HUMAN36M_17, world),
        label=str(image.get("action_name", "")),
        other={"subject": integer(image, "subject"), "frame": integer(image, "frame_idx")},
    )


def _camera(entry: object) -> CameraTrack:
    """Return the camera of a subject's file in our world; its lens is not in the file."""
    shapes = {"R": (3, 3), "t": (3,), "f": (2,), "c": (2,)}
    read = {k: torch.tensor(numbers(field_of(entry, k), v, k))[None] for k, v in shapes.items()}
    return CameraTrack(
        rotation=read["R"], translation=read["t"] / 1000, focal_px=read["f"], centre_px=read["c"]
    ).in_turned_world(Z_UP)


def _box(bbox: object) -> tuple[float, float, float, float]:
    left, top, width, height = numbers(bbox, (4,), "bbox")
    return checked_box(left, top, left + width, top + height)


SOURCE = Source(
    name="human36m",
    about="Human3.6M as images/ and annotations/Human36M_subject<N>_{data,camera,joint_3d}.json",
    files=(
        Expected(path="annotations/Human36M_subject*_data.json", size="some 100 MB each"),
        Expected(path="annotations/Human36M_subject*_camera.json", size="some KB each"),
        Expected(path="annotations/Human36M_subject*_joint_3d.json", size="some 100 MB each"),
        Expected(
            path="annotations/Human36M_subject*_smpl_param.json",
            size="some 100 MB each",
            optional=True,
        ),
        Expected(
            path="annotations/Human36M_subject*_SMPL_NeuralAnnot.json",
            size="some 100 MB each",
            optional=True,
        ),
    ),
    licence="Human3.6M licence: academic use, no redistribution, registration",
    cite="Ionescu et al., Human3.6M, TPAMI 2014",
    home="http://vision.imar.ro/human3.6m",
    read=read,
    takes=("split", "only", "fps", "images", "pictures"),
)
