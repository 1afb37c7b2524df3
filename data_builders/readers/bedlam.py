"""BEDLAM: rendered people with exact SMPL-X parameters, an .npz of labels per scene.

The labels' world is the camera's without its pitch and roll: x right, y DOWN, z ahead, the camera
at its origin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_builders.readers.landmarks import Y_DOWN, box_of, projected_keypoints
from data_builders.readers.pictures import check_orientation
from data_builders.readers.safe_files import inside, numbers, read_arrays
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.camera import CameraTrack
from unipose.body.keypoint_sets import SMPL_22
from unipose.body.pose import Pose
from unipose.errors import UnusableRecordError
from unipose.files.smpl_parameters import turned

KEYS = (
    "imgname", "pose_world", "trans_world", "shape", "gtkps", "cam_int", "cam_ext", "gender", "sub",
)  # fmt: skip
NEEDED = KEYS[:7]
CLOCKWISE = 6
"""How a close-up, stored on its side, is turned upright: EXIF's number."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of each labelled picture, scene by scene; a damaged one is left out."""
    for file in sorted((folder / "labels").glob("*.npz")):
        split = "val" if "val" in file.stem.split("_") else "train"
        if not choice.wants(split, file.stem):
            continue
        for arrays in drops.keep(f"bedlam/{file.stem}", partial(_read_scene, file)):
            for row in range(len(arrays["imgname"])):
                key = f"bedlam/{file.stem}:{row}"
                build = partial(_record, folder, choice, split, key, file.stem, arrays, row)
                yield from drops.keep(key, build)


def _read_scene(file: Path) -> dict[str, Any]:
    arrays = read_arrays(file, KEYS)
    lacking = [name for name in NEEDED if name not in arrays]
    if lacking:
        raise UnusableRecordError(f"{file} has no {', '.join(lacking)}")
    if len({len(arrays[name]) for name in arrays}) != 1:
        raise UnusableRecordError(f"the arrays of {file} are not of one length")
    return arrays


def _record(
    folder: Path,
    choice: SourceOptions,
    split: str,
    key: str,
    scene: str,
    arrays: dict[str, Any],
    row: int,
) -> Record:
    values = numbers(arrays["pose_world"][row], (165,), "pose_world")
    place = numbers(arrays["trans_world"][row], (3,), "trans_world")
    shape = numbers(arrays["shape"][row], (-1,), "shape")
    points = numbers(arrays["gtkps"][row], (-1, -1), "gtkps")
    intrinsics = torch.tensor(numbers(arrays["cam_int"][row], (3, 3), "cam_int"))
    extrinsics = torch.tensor(numbers(arrays["cam_ext"][row], (4, 4), "cam_ext"))
    if len(points) < len(SMPL_22):
        raise UnusableRecordError(f"gtkps has {len(points)} joints, expected 22 or more")
    name = str(arrays["imgname"][row])
    path = inside((choice.images or folder / "images") / scene / "png", name)
    size = (round(2 * float(intrinsics[0, 2])), round(2 * float(intrinsics[1, 2])))
    if size[0] < size[1]:  # a close-up, which may lie on its side: always looked at
        choice = replace(choice, pictures="whole" if choice.pictures == "whole" else "header")
    orientation = check_orientation(path, choice, size, sideways=CLOCKWISE)
    keypoints = projected_keypoints(SMPL_22, torch.tensor(points[: len(SMPL_22), :2]), size)
    camera = CameraTrack.from_matrices(intrinsics, extrinsics[None]).in_turned_world(Y_DOWN)
    other: dict[str, str | float | int] = {"frame": row}
    other |= {name: str(arrays[name][row]) for name in ("gender", "sub") if name in arrays}
    return Record(
        key=key,
        source="bedlam",
        split=split,
        pose=_turned_up(values, place, shape),
        image=path,
        orientation=orientation,
        box=box_of(keypoints, size),
        camera=camera.pinhole(size_px=size),
        keypoints_2d=keypoints,
        other=other,
    )


def _turned_up(values: np.ndarray, place: np.ndarray, shape: np.ndarray) -> Pose:
    """Return the pose in a world that is y up."""
    pose = Pose.from_axis_angle(torch.from_numpy(values[:66].reshape(1, 22, 3).astype(np.float32)))
    betas = torch.zeros(1, 10)
    betas[0, : min(10, len(shape))] = torch.from_numpy(shape[:10].astype(np.float32))
    translation = torch.from_numpy(place[None].astype(np.float32))
    return turned(replace(pose, betas=betas, translation=translation, body="smplx"), Y_DOWN)


SOURCE = Source(
    name="bedlam",
    about="BEDLAM's labels in labels/<scene>.npz and pictures in images/<scene>/png/",
    files=(
        Expected(path="labels/*.npz", size="some 100 MB each"),
        Expected(path="images/*/png/*", size="some 10 GB a scene"),
    ),
    licence="BEDLAM licence: non-commercial research, registration",
    cite="Black et al., BEDLAM: A Synthetic Dataset of Bodies Exhibiting Detailed Lifelike "
    "Animated Motion, CVPR 2023",
    home="https://bedlam.is.tue.mpg.de",
    read=read,
    takes=("split", "only", "images", "pictures"),
)
