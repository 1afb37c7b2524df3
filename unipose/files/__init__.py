"""Pose files: one reader or writer per format, picked by the file's ending."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import FileError, MissingFileError, PoseError, PoseQueryError, SkeletonError
from unipose.file_signatures import POSE_ENDINGS as READ
from unipose.file_signatures import unknown_ending

if TYPE_CHECKING:
    from unipose.files.motion import Motion

WRITTEN = (".npz", ".json", ".npy", ".bvh", ".glb", ".obj", ".png", ".gif", ".mp4")
LAYOUTS_OF_NPZ = ("smpl", "amass")
MOTIONS = (".bvh", ".amc")


def open_pose(
    path: str | Path,
    *,
    at: float | None = None,
    frame: int | None = None,
    body: Body | None = None,
    asf: str | Path | None = None,
    fps: float | None = None,
    up: str | None = None,
    skeleton: str | Path | Mapping[str, str] | None = None,
    person: str | None = None,
) -> Pose:
    """Read poses: AMASS, SMPL parameters, results (.npz .json .npy .pkl .pt), .bvh, .amc.

    `at` picks the one pose at so many seconds, `frame` the one with this number, from 0. Motions
    on their own skeleton are brought onto the joints of `body` (default: the open body); `asf`
    names an .amc's skeleton, else it is looked for beside it; `skeleton` says which of a motion's
    joints are SMPL's, where names do not tell. `fps` overrules the rate that a file states, `up`
    which of its axes points up ("y", "z", "-y"), `person` whose poses are read of several people.
    What a reader assumed, or left unread, is said by a warning, `unipose.errors.FileNote`.

    Raises MissingFileError if it is not there, and FileError for everything that is wrong with it.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in READ:
        raise unknown_ending(path, READ)
    if at is not None and frame is not None:
        raise PoseQueryError("say which pose by its second or by its frame, not by both")
    if fps is not None and not 0 < fps < 1e5:
        raise PoseQueryError(f"expected a positive number of frames per second, got {fps:g}")
    try:
        if ending in MOTIONS:
            motion = _read_motion(path, asf=asf, fps=fps, up=up, skeleton=skeleton, person=person)
            return _on_body(motion, at=at, frame=frame, body=body)
        pose = _open_arrays(path, up=up, person=person)
        pose = pose if fps is None else replace(pose, fps=fps)
        if frame is not None:
            return pose[_frame_in(frame, len(pose))]
        return pose if at is None else pose.at(at)
    except (PoseError, SkeletonError) as error:
        raise FileError(path, f"{error}.") from error


def _frame_in(frame: int, count: int) -> int:
    if not 0 <= frame < count:
        raise PoseError(f"there is no frame {frame}: the file has frames 0 to {count - 1}")
    return frame


def _open_arrays(path: Path, *, up: str | None, person: str | None) -> Pose:
    from unipose.body.plain_arrays import PickledArrayError
    from unipose.files.motion import check_up
    from unipose.files.npy import read_npy
    from unipose.files.npz import read_npz
    from unipose.files.pkl import read_pickled_npy, read_pkl
    from unipose.files.smpl_json import read_json
    from unipose.files.smpl_parameters import turn_up

    match path.suffix.lower():
        case ".npy":
            try:
                return turn_up(read_npy(path), check_up(up) or "y")
            except PickledArrayError:
                return read_pickled_npy(path, up=up)
        case ".npz":
            return read_npz(path, up=up, person=person)
        case ".pkl" | ".pt":
            return read_pkl(path, up=up, person=person)
        case _:
            return read_json(path, up=up, person=person)


def _read_motion(
    path: Path,
    *,
    asf: str | Path | None,
    fps: float | None,
    up: str | None,
    skeleton: str | Path | Mapping[str, str] | None,
    person: str | None,
) -> Motion:
    from unipose.files.amc import read_amc
    from unipose.files.bvh import read_bvh

    if path.suffix.lower() == ".amc":
        return read_amc(path, asf=asf, fps=fps, up=up, skeleton=skeleton)
    return read_bvh(path, fps=fps, up=up, skeleton=skeleton, person=person)


def _on_body(motion: Motion, *, at: float | None, frame: int | None, body: Body | None) -> Pose:
    from unipose.files.retarget import retarget

    body = load_body() if body is None else body
    frames = None
    if at is not None or frame is not None:
        frames = np.array([motion.frame_number(at=at, frame=frame or 0)])
    rest_joints = body.rest_joints.double().cpu().numpy()
    return retarget(motion, rest_joints, frames=frames, body=body.id)


def save_pose(
    pose: Pose,
    path: str | Path,
    *,
    body: Body | None = None,
    heading: float | None = None,
    layout: str | None = None,
) -> Path:
    """Write poses to a file by its ending; return its path. It appears whole or not at all.

    .npz, .json, .npy and .bvh hold any number of poses. .glb, .png (a sheet), .gif and .mp4 draw
    them on `body` (default: the open body); .obj holds one. A pose of another body is drawn in the
    mean shape of `body`, since shapes belong to one body. .npy holds rotations only. `heading` is
    where the camera of a .png of one pose stands (`unipose.render.drawing.stage_of`); `layout` is
    under whose names an .npz holds them: "smpl" (default) or "amass", z up.

    Raises FileError if the ending is unknown, the poses do not fit, or nothing can be written.
    """
    path = Path(path)
    ending = path.suffix.lower()
    check_written(path)
    if layout is not None and (ending != ".npz" or layout not in LAYOUTS_OF_NPZ):
        raise FileError(
            path, f"has no layout {layout!r}; an .npz has {' or '.join(LAYOUTS_OF_NPZ)}."
        )
    if not len(pose):
        raise FileError(path, "there is no pose to write.")
    if ending == ".npz":
        from unipose.files.npz import write_npz

        return write_npz(pose, path, layout=layout or "smpl")
    if ending in (".json", ".npy"):
        return _writer_of_arrays(ending)(pose, path)
    from unipose.files.smpl_parameters import on_body

    body = load_body() if body is None else body
    if ending in (".png", ".gif", ".mp4"):
        from unipose.files.picture import write_picture

        return write_picture(on_body(pose, body), path, body, heading=heading)
    return _writer_on_a_body(ending)(on_body(pose, body), path, body)


def check_written(path: Path) -> None:
    """Check where poses are to be written, before any work is done.

    Raises FileError for an unknown ending or a folder, MissingFileError if its folder lacks.
    """
    if path.suffix.lower() not in WRITTEN:
        raise FileError(
            path, f"cannot be written: unknown ending {path.suffix.lower()!r}.",
            f"Known are {', '.join(WRITTEN)}.",
        )  # fmt: skip
    if path.is_dir():
        raise FileError(path, "is a folder, not a file.")
    if not path.parent.is_dir():
        raise MissingFileError(path, "its folder does not exist.", "Make the folder first.")


def _writer_of_arrays(ending: str) -> Callable[[Pose, Path], Path]:
    from unipose.files.npy import write_npy
    from unipose.files.smpl_json import write_json

    return {".npy": write_npy, ".json": write_json}[ending]


def _writer_on_a_body(ending: str) -> Callable[[Pose, Path, Body], Path]:
    if ending == ".bvh":
        from unipose.files.bvh import write_bvh

        return write_bvh
    if ending == ".glb":
        from unipose.files.glb import write_glb

        return write_glb
    from unipose.files.obj import write_obj

    return write_obj
