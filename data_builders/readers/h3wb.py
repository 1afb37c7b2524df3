"""H3WB: 133 whole-body landmarks in 2D and 3D for Human3.6M; z up, millimetres.

The release comes as h3wb_train.npz (every view and the world), or as JSON files of single samples
(2Dto3D_train.json, RGBto3D_train.json), whose 3D is in the camera's frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.readers.landmarks import (
    Y_DOWN,
    Z_UP,
    box_of,
    checked_box,
    known_in_3d,
    projected_keypoints,
)
from data_builders.readers.pictures import check_picture
from data_builders.readers.safe_files import (
    field_of,
    inside,
    numbers,
    read_arrays,
    read_json_table,
)
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.keypoint_sets import COCO_WHOLEBODY_133
from unipose.errors import SourceError, UnusableRecordError

SIZE_OF_CAMERA = {
    "54138969": (1000, 1002), "55011271": (1000, 1000), "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}  # fmt: skip
"""Human3.6M's cameras and their pictures' width and height."""
ARCHIVES = {"h3wb_train.npz": ("train_data", "train"), "task1_test_3d.npz": ("data", "test")}
SAMPLES = ("2Dto3D_train.json", "RGBto3D_train.json")
COUNT = len(COCO_WHOLEBODY_133)


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of each view, from the archives, or else from the JSON files.

    Raises SourceError if none of them is there, or one is damaged.
    """
    archives = [name for name in ARCHIVES if (folder / name).is_file()]
    samples = [name for name in SAMPLES if (folder / name).is_file()]
    if not archives and not samples:
        raise SourceError(folder, f"holds no H3WB; it is made of one of\n{SOURCE.listing()}")
    for name in archives:
        entry, split = ARCHIVES[name]
        if choice.split in ("", split):
            yield from _archive(folder / name, entry, split, choice, drops)
    if not archives and choice.split in ("", "train"):
        for name in samples:
            yield from _samples(folder, folder / name, choice, drops)


def _archive(
    file: Path, entry: str, split: str, choice: SourceOptions, drops: Drops
) -> Iterator[Record]:
    subjects = SOURCE.whole(file, partial(read_arrays, names=(entry,))).get(entry)
    if not isinstance(subjects, dict):
        raise SOURCE.broken(file, f"holds no {entry!r} by subject")
    for subject, actions in subjects.items():
        for action, views in actions.items() if isinstance(actions, dict) else ():
            path = f"{subject}/{action}"
            if not choice.wants(split, path):
                continue
            try:
                world = numbers(np.asarray(field_of(views, "global_3d")).reshape(-1, COUNT, 3),
                                (-1, COUNT, 3), "global_3d", missing=True)  # fmt: skip
            except (UnusableRecordError, ValueError) as error:
                drops.add(f"h3wb/{path}", str(error))
                continue
            for frame in range(len(world)):
                for camera in SIZE_OF_CAMERA:
                    key = f"h3wb/{path}/{camera}:{frame}"
                    build = partial(_view, key, split, views, world[frame], camera, frame, action)
                    yield from drops.keep(key, build)


def _view(
    key: str, split: str, views: Any, world: np.ndarray, camera: str, frame: int, action: str
) -> Record:
    pixels = np.ravel(field_of(field_of(views, camera), "pose_2d"))
    if len(pixels) < 2 * COUNT * (frame + 1):
        raise UnusableRecordError(f"camera {camera} has no frame {frame}")
    pixels = pixels[2 * COUNT * frame : 2 * COUNT * (frame + 1)]
    points = torch.tensor(numbers(pixels, (2 * COUNT,), "pose_2d")).reshape(COUNT, 2)
    size = SIZE_OF_CAMERA[camera]
    keypoints = projected_keypoints(COCO_WHOLEBODY_133, points, size)
    names = views.get("frame_id")
    has_name = isinstance(names, (list, np.ndarray)) and frame < len(names)
    return Record(
        key=key,
        source="h3wb",
        split=split,
        box=box_of(keypoints, size),
        keypoints_2d=keypoints,
        keypoints_3d=known_in_3d(COCO_WHOLEBODY_133, torch.tensor(world) / 1000 @ Z_UP.mT),
        label=action,
        other={"camera": camera, "frame": str(names[frame]) if has_name else frame},
    )


def _samples(folder: Path, file: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    for number, sample in SOURCE.whole(file, read_json_table).items():
        key = f"h3wb/{file.stem}/{number}"
        name = str(sample.get("image_path", "")) if isinstance(sample, dict) else ""
        if choice.wants("train", name or key):
            yield from drops.keep(key, partial(_sample, folder, choice, key, sample))


def _sample(folder: Path, choice: SourceOptions, key: str, sample: Any) -> Record:
    points = _landmarks(field_of(sample, "keypoints_3d"), "xyz")
    keypoints, path, box = None, None, None
    if "image_path" in sample:
        path = inside(choice.images or folder / "images", sample["image_path"])
        check_picture(path, choice)
    if "bbox" in sample:
        bounds = ("x_min", "y_min", "x_max", "y_max")
        box = checked_box(*numbers([field_of(sample["bbox"], b) for b in bounds], (4,), "bbox"))
    if "keypoints_2d" in sample:
        pixels = _landmarks(sample["keypoints_2d"], "xy")
        keypoints = projected_keypoints(COCO_WHOLEBODY_133, pixels, (1000, 1002))
    return Record(
        key=key,
        source="h3wb",
        split="train",
        image=path,
        box=box,
        keypoints_2d=keypoints,
        keypoints_3d=known_in_3d(COCO_WHOLEBODY_133, points / 1000 @ Y_DOWN.mT),
    )


def _landmarks(table: Any, axes: str) -> Float[Tensor, "133 axis"]:
    """Return landmarks that are written as {"0": {"x": ..., "y": ...}, ...}."""
    rows = [
        [field_of(field_of(table, str(joint)), axis) for axis in axes] for joint in range(COUNT)
    ]
    return torch.tensor(numbers(rows, (COUNT, len(axes)), "keypoints"))


SOURCE = Source(
    name="h3wb",
    about="H3WB: its .npz archives, or its JSON files",
    files=(
        Expected(path="h3wb_train.npz", size="some 100 MB", optional=True),
        Expected(path="task1_test_3d.npz", size="some 10 MB", optional=True),
        Expected(path="2Dto3D_train.json", size="some 100 MB", optional=True),
        Expected(path="RGBto3D_train.json", size="some 100 MB", optional=True),
    ),
    licence="annotations MIT; Human3.6M's own licence for the pictures",
    cite="Zhu et al., H3WB: Human3.6M 3D WholeBody Dataset and Benchmark, ICCV 2023",
    home="https://github.com/wholebody3d/wholebody3d",
    read=read,
    takes=("split", "only", "images", "pictures"),
)
