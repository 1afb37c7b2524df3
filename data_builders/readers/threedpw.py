"""3DPW: people outdoors with SMPL parameters, a pickle per sequence; the world is y up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_builders.readers.landmarks import (
    box_of,
    known_in_3d,
    marked_keypoints,
    projected_keypoints,
)
from data_builders.readers.pictures import check_picture
from data_builders.readers.safe_files import (
    field_of,
    flat_numbers,
    inside,
    numbers,
    read_pickled,
)
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.camera import CameraTrack
from unipose.body.keypoint_sets import OPENPOSE_18, SMPL_24
from unipose.body.keypoints import Keypoints
from unipose.errors import UnusableRecordError
from unipose.files.smpl_parameters import parameters_to_pose

SPLIT_OF_FOLDER = {"train": "train", "validation": "val", "test": "test"}
FPS = 30.0
KEYS = (
    "sequence", "poses", "trans", "betas", "genders", "poses2d", "jointPositions", "cam_poses",
    "cam_intrinsics", "campose_valid",
)  # fmt: skip


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each person of each picture, sequence by sequence; a damaged one is left out."""
    for name, split in SPLIT_OF_FOLDER.items():
        if choice.split not in ("", split):
            continue
        for file in sorted((folder / "sequenceFiles" / name).glob("*.pkl")):
            if not choice.wants(split, file.stem):
                continue
            key = f"3dpw/{file.stem}"
            for content, frames, people in drops.keep(key, partial(_read_sequence, file)):
                for frame, person in product(range(0, frames, choice.step(FPS)), range(people)):
                    own = f"{key}:{frame}:{person}"
                    build = partial(_record, folder, choice, split, own, content, frame, person)
                    yield from drops.keep(own, build)


def _read_sequence(file: Path) -> tuple[dict[str, Any], int, int]:
    """Return what a sequence's file holds, and how many frames and people."""
    content = read_pickled(file, KEYS)
    people = len(_list(content, "poses"))
    frames = len(numbers(field_of(content, "cam_poses"), (-1, 4, 4), "cam_poses"))
    return content, frames, people


def _list(content: dict[str, Any], name: str) -> list[Any]:
    """Return an entry that has one part per person."""
    value = field_of(content, name)
    if not isinstance(value, (list, np.ndarray)):
        raise UnusableRecordError(f"{name} is no list of people, it is {type(value).__name__}")
    return list(value)


def _of(content: dict[str, Any], name: str, person: int, frame: int) -> Any:
    """Return one person's entry of one frame."""
    several = _list(content, name)
    frames = several[person] if person < len(several) else None
    if not isinstance(frames, (list, np.ndarray)) or not np.ndim(frames) or frame >= len(frames):
        raise UnusableRecordError(f"{name} has nothing for person {person} in frame {frame}")
    return frames[frame]


def _record(
    folder: Path,
    choice: SourceOptions,
    split: str,
    key: str,
    content: dict[str, Any],
    frame: int,
    person: int,
) -> Record:
    if not _of(content, "campose_valid", person, frame):
        raise UnusableRecordError("the camera's place is not valid for this frame")
    sequence = str(field_of(content, "sequence"))
    path = inside(choice.images or folder / "imageFiles", f"{sequence}/image_{frame:05d}.jpg")
    intrinsics = numbers(field_of(content, "cam_intrinsics"), (3, 3), "cam_intrinsics")
    # the principal point is the picture's middle, to the pixel, if the picture is not looked at
    centre = intrinsics[:2, 2]
    size = check_picture(path, choice)
    size = size if size[0] else (round(2 * centre[0]), round(2 * centre[1]))
    extrinsics = numbers(content["cam_poses"][frame], (4, 4), "cam_poses")
    camera = CameraTrack.from_matrices(torch.tensor(intrinsics), torch.tensor(extrinsics)[None])
    joints = flat_numbers(_of(content, "jointPositions", person, frame), 72, "joints")
    world = torch.tensor(joints).reshape(24, 3)
    seen = projected_keypoints(SMPL_24, camera.project(world[None])[0], size)
    genders = content.get("genders")
    gender = str(genders[person]) if isinstance(genders, list) and person < len(genders) else ""
    arrays = {
        "pose": numbers(_of(content, "poses", person, frame), (72,), "poses"),
        "trans": numbers(_of(content, "trans", person, frame), (3,), "trans"),
        "betas": numbers(_list(content, "betas")[person][:10], (10,), "betas"),
    }
    found = _found(content, person, frame)
    return Record(
        key=key,
        source="3dpw",
        split=split,
        pose=parameters_to_pose(arrays, path, up="y"),
        image=path,
        box=box_of(seen, size),
        camera=camera.pinhole(size_px=size),
        keypoints_2d=_marked(found) or seen,
        detected_2d=found,
        keypoints_3d=known_in_3d(SMPL_24, world),
        other={"sequence": sequence, "frame": frame, "person": person, "gender": gender},
    )


def _found(content: dict[str, Any], person: int, frame: int) -> Keypoints | None:
    """Return the landmarks that were found in the picture: (3, 18), all zero if none were."""
    if "poses2d" not in content:
        return None
    found = torch.tensor(numbers(_of(content, "poses2d", person, frame), (3, 18), "poses2d"))
    here = bool((found[2] > 0).any())
    return marked_keypoints(OPENPOSE_18, found[:2].T, found[2]) if here else None


def _marked(found: Keypoints | None) -> Keypoints | None:
    """Return detected landmarks as marked ones: all of them count as seen."""
    if found is None:
        return None
    return replace(found, scores=found.present.to(found.scores))


SOURCE = Source(
    name="3dpw",
    about="3DPW's two archives, unpacked: imageFiles/ and sequenceFiles/",
    files=(
        Expected(path="sequenceFiles/*/*.pkl", size="some MB each, 60 sequences"),
        Expected(path="imageFiles/*", size="some GB, 60 folders of pictures"),
    ),
    licence="3DPW licence: non-commercial research",
    cite="von Marcard et al., Recovering Accurate 3D Human Pose in the Wild, ECCV 2018",
    home="https://virtualhumans.mpi-inf.mpg.de/3DPW",
    read=read,
    takes=("split", "only", "fps", "images", "pictures"),
)
