"""MOYO: yoga poses as SMPL-X parameters, a pickle (or .npz) per recording, z up."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from data_builders.readers.motions import motion_records
from data_builders.readers.safe_files import numbers, read_pickled
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.pose import Pose
from unipose.errors import FileError, UnusableRecordError
from unipose.files.npz import read_npz
from unipose.files.smpl_parameters import parameters_to_pose

T_POSE_S = 1.7
"""Each recording begins and ends with the person in a T-pose for about so long."""
USUAL_FPS = 60.0
_NAME = re.compile(r"_\d{5}_(?P<name>.+?)(_?-\w)?_stageii$")
_KEYS = ("fullpose", "trans")


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the poses of each recording, labelled with the name of the yoga pose.

    Betas are left out: the recordings were fitted with a template of the one subject's own body.
    """
    for file in sorted([*folder.rglob("*_stageii.pkl"), *folder.rglob("*_stageii.npz")]):
        path = file.relative_to(folder).as_posix()
        split = "val" if file.parent.name == "val" else "train"
        if not choice.wants(split, path):
            continue
        label = label_of(file.stem)
        for pose, frames in drops.keep(f"moyo/{path}", partial(_between_t_poses, file)):
            yield from motion_records(
                pose, choice, source="moyo", path=path, split=split, labels=label, frames=frames
            )


def _between_t_poses(file: Path) -> tuple[Pose, range]:
    """Return a recording, and which of its frames show the yoga pose."""
    pose = read_recording(file)
    edge = round(T_POSE_S * (pose.fps or USUAL_FPS))
    if len(pose) <= 2 * edge:
        raise UnusableRecordError(f"has {len(pose)} frames, all of them in the T-pose")
    return pose, range(edge, len(pose) - edge)


def read_recording(file: Path) -> Pose:
    """Return a recording on y-up axes. Raises FileError or UnusableRecordError."""
    if file.suffix == ".npz":
        pose = read_npz(file)
        return Pose(
            rotations=pose.rotations, translation=pose.translation, fps=pose.fps, body=pose.body
        )
    content = read_pickled(file, _KEYS)
    lacking = [name for name in _KEYS if name not in content]
    if lacking:
        raise FileError(file, f"has no {' and no '.join(lacking)}")
    arrays = {
        "poses": numbers(content["fullpose"], (-1, 165), "fullpose"),
        "trans": numbers(content["trans"], (-1, 3), "trans"),
        "mocap_frame_rate": np.array(USUAL_FPS),
    }
    return parameters_to_pose(arrays, file)


def label_of(stem: str) -> str:
    """Return the yoga pose that a file is named after.

    220923_yogi_body_hands_03596_Boat_Pose_or_Paripurna_Navasana_-a_stageii
    -> boat pose or paripurna navasana
    """
    found = _NAME.search(stem)
    return found["name"].replace("_", " ").strip().lower() if found else ""


SOURCE = Source(
    name="moyo",
    about="MOYO's mosh archives, unpacked: <session>/mosh/{train,val}/<recording>_stageii.pkl",
    files=(Expected(path="**/*_stageii.*", size="some MB each"),),
    licence="MOYO licence: non-commercial research, registration",
    cite="Tripathi et al., 3D Human Pose Estimation via Intuitive Physics, CVPR 2023",
    home="https://moyo.is.tue.mpg.de",
    read=read,
    takes=("split", "only", "fps"),
)
