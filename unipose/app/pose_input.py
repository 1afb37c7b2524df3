"""Where a command's poses and photos come from, and where its poses go; no model is imported."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.file_signatures import is_photo
from unipose.files import MOTIONS, open_pose, save_pose
from unipose.files.photo import open_photo

HOLD_SEVERAL = frozenset({".npz", ".json", ".npy", ".png"})
"""Endings of files that hold several unrelated poses (a .png as a sheet); else a file each."""

KEEP_PLACE = frozenset({".npz", ".json"})
"""Endings of files that hold numbers: a body may be anywhere in them. In a scene that somebody
opens (.glb, .bvh, .obj) a place tens of metres before a camera is out of sight."""


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a pose file is to be read: the options of the command."""

    at: float | None = None
    frame: int | None = None
    fps: float | None = None
    up: str | None = None
    skeleton: Path | None = None
    person: str | None = None

    def open(self, file: Path, body: Body | None) -> Pose:
        """Return the poses of a file."""
        return open_pose(
            file, at=self.at, frame=self.frame, body=body, fps=self.fps, up=self.up,
            skeleton=self.skeleton if file.suffix.lower() in MOTIONS else None,
            person=self.person,
        )  # fmt: skip


def own_body(file: Path | None) -> Body | None:
    """Return the user's own body, or None for the embedded one."""
    return load_body(file) if file else None


def read_one(file: Path, reading: ReadOptions, body: Body | None) -> Pose:
    """Return one pose of the file; of a recording without a time the first, and say so."""
    poses = reading.open(file, body)
    if len(poses) > 1:
        print(
            f"note: {file} holds {len(poses):,} poses; this is the first, --at SECONDS or "
            "--frame N picks one",
            file=sys.stderr,
        )
    return poses[0]


def read_shown(
    file: Path, reading: ReadOptions, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return one pose of the file, or the pixels of a photo."""
    if not is_photo(file):
        return read_one(file, reading, body)
    if reading.at is not None or reading.frame is not None:
        raise PoseQueryError(f"{file} is a picture and has no seconds; leave --at and --frame out")
    return open_photo(file)


def read_asked(
    file: Path, reading: ReadOptions, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return what a question is about: a pose, the pose at a time, a whole recording, a photo."""
    if is_photo(file):
        return read_shown(file, reading, body)
    return reading.open(file, body)


def write(poses: Pose, out: Path, body: Body | None) -> list[str]:
    """Write the poses into one file, or each into its own where the format holds only one."""
    if len(poses) == 1 or out.suffix.lower() in HOLD_SEVERAL:
        return [str(save_pose(poses, out, body=body))]
    return [
        str(save_pose(poses[i], out.with_stem(f"{out.stem}-{i + 1}"), body=body))
        for i in range(len(poses))
    ]
