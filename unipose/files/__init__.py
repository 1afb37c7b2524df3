"""Pose files: one reader or writer per format, picked by the file's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import FileError, PoseError, SkeletonError

if TYPE_CHECKING:
    from unipose.files.motion import Motion

READ = (".npz", ".json", ".npy", ".bvh", ".amc")
WRITTEN = (".npz", ".json", ".npy", ".bvh", ".glb", ".obj", ".png", ".gif", ".mp4")


def open_pose(
    path: str | Path,
    *,
    at: float | None = None,
    body: Body | None = None,
    asf: str | Path | None = None,
    fps: float | None = None,
    up: str | None = None,
    skeleton: str | Path | Mapping[str, str] | None = None,
) -> Pose:
    """Read poses from a file: AMASS or SMPL parameters (.npz, .json, .npy), .bvh, .amc.

    `at` picks the one pose at so many seconds. Motions on their own skeleton are brought onto
    the joints of `body` (default: the open body); `asf` names an .amc's skeleton, else it is looked
    for beside it; `fps` overrules the rate that a motion file states.
    `up` is the axis of a motion file that points up ("y", "z", "-y"), `skeleton` says which of its
    joints are SMPL's (a dict or a JSON file: SMPL joint -> joint of the file). Where a reader had
    to assume something, it says so in a FileNote.

    Raises MissingFileError if it is not there, and FileError for everything that is wrong with it.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in READ:
        raise FileError(
            path, f"cannot be read: unknown ending {ending!r}.", f"Known are {', '.join(READ)}."
        )
    try:
        if ending in (".bvh", ".amc"):
            motion = _read_motion(path, asf=asf, fps=fps, up=up, skeleton=skeleton)
            return _on_body(motion, at=at, body=body)
        pose = _reader(ending)(path)
        return pose if at is None else pose.at(at)
    except (PoseError, SkeletonError) as error:
        raise FileError(path, f"{error}.") from error


def _reader(ending: str) -> Callable[[Path], Pose]:
    from unipose.files.npy import read_npy
    from unipose.files.npz import read_npz
    from unipose.files.smpl_json import read_json

    return {".npz": read_npz, ".npy": read_npy, ".json": read_json}[ending]


def _read_motion(
    path: Path,
    *,
    asf: str | Path | None,
    fps: float | None,
    up: str | None,
    skeleton: str | Path | Mapping[str, str] | None,
) -> Motion:
    from unipose.files.amc import read_amc
    from unipose.files.bvh import read_bvh

    if path.suffix.lower() == ".amc":
        return read_amc(path, asf=asf, fps=fps, up=up, skeleton=skeleton)
    return read_bvh(path, fps=fps, up=up, skeleton=skeleton)


def _on_body(motion: Motion, *, at: float | None, body: Body | None) -> Pose:
    from unipose.files.retarget import retarget

    body = load_body() if body is None else body
    frames = None
    if at is not None:
        frame = round(at * motion.fps) if abs(at) < 1e9 else -1
        if not 0 <= frame < len(motion):
            raise PoseError(
                f"no pose at {at:g} s: the recording has {len(motion)} poses at {motion.fps:g} per "
                f"second and ends at {(len(motion) - 1) / motion.fps:.2f} s"
            )
        frames = np.array([frame])
    rest_joints = body.rest_joints.double().cpu().numpy()
    return retarget(motion, rest_joints, frames=frames, body=body.id)


def save_pose(
    pose: Pose, path: str | Path, *, body: Body | None = None, heading: float | None = None
) -> Path:
    """Write poses to a file by its ending; return its path. It appears whole or not at all.

    .npz, .json, .npy and .bvh hold any number of poses. .glb, .png (a sheet), .gif and .mp4 draw
    them on `body` (default: the open body); .obj holds one. A pose of another body is drawn in the
    mean shape of `body`, since shapes belong to one body. .npy holds rotations only. `heading` is
    where the camera of a .png of one pose stands (`unipose.render.drawing.stage_of`).

    Raises FileError if the ending is unknown, the poses do not fit, or nothing can be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in WRITTEN:
        raise FileError(
            path,
            f"cannot be written: unknown ending {ending!r}.",
            f"Known are {', '.join(WRITTEN)}.",
        )
    if not len(pose):
        raise FileError(path, "there is no pose to write.")
    if path.is_dir():
        raise FileError(path, "is a folder, not a file.")
    if ending in (".npz", ".json", ".npy"):
        return _writer_of_arrays(ending)(pose, path)
    from unipose.files.smpl_parameters import on_body

    body = load_body() if body is None else body
    if ending in (".png", ".gif", ".mp4"):
        from unipose.files.picture import write_picture

        return write_picture(on_body(pose, body), path, body, heading=heading)
    return _writer_on_a_body(ending)(on_body(pose, body), path, body)


def _writer_of_arrays(ending: str) -> Callable[[Pose, Path], Path]:
    from unipose.files.npy import write_npy
    from unipose.files.npz import write_npz
    from unipose.files.smpl_json import write_json

    return {".npz": write_npz, ".npy": write_npy, ".json": write_json}[ending]


def _writer_on_a_body(ending: str) -> Callable[[Pose, Path, Body], Path]:
    if ending == ".bvh":
        from unipose.files.bvh import write_bvh

        return write_bvh
    if ending == ".glb":
        from unipose.files.glb import write_glb

        return write_glb
    from unipose.files.obj import write_obj

    return write_obj
