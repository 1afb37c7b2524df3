"""NumPy archives: AMASS recordings, SMPL parameters and our own poses."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import roma
import torch

from unipose.body.pickled_arrays import PickleRefusedError, as_plain, read_pickle
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.notes import add_note
from unipose.files.npy import PickledArrayError, pickled_content, read_array
from unipose.files.numbers import open_for_reading
from unipose.files.result_tables import CONTAINERS, one_person
from unipose.files.smpl_parameters import (
    ARRAYS,
    FORMAT,
    OPEN_BETAS,
    POSES,
    TURNS,
    mean_pelvis,
    on_smpl,
    parameters_to_pose,
)

LARGEST_RATIO = 200
"""Poses shrink at most so much when they are packed; more is a bomb."""
ALWAYS_ALLOWED_BYTES = 1 << 22
MOST_MEMBERS = 1000
AMASS_BETAS = 16
AMASS_JOINTS = {"smplh": 52, "smplx": 55}

Members = dict[str, zipfile.ZipInfo]


def read_npz(path: str | Path, *, up: str | None = None, person: str | None = None) -> Pose:
    """Read an archive of arrays; worlds that are z up or y down are turned to y up.

    `up` and `person` as in `parameters_to_pose`. Raises FileError (MissingFileError) if it is
    damaged, its pose is a pickled object, it unpacks to far more than its size, or holds no pose.
    Members that hold pickled objects and are not needed are left alone; nothing is executed.
    """
    path = Path(path)
    with _opened(path) as archive:
        members = _members(archive, path)
        wanted = {name: members[name] for name in members if name in ARRAYS}
        if not POSES & set(wanted) and CONTAINERS & set(members):
            return _read_container(archive, members, path, up=up, person=person)
        arrays = _read_members(archive, wanted, path)
    others = set(members) - set(arrays)
    return parameters_to_pose(arrays, path, up=up, person=person, others=others)


def read_members(path: str | Path, names: Collection[str]) -> dict[str, np.ndarray]:
    """Return those arrays of an archive whose name is among `names`; errors as `read_npz`."""
    path = Path(path)
    with _opened(path) as archive:
        members = _members(archive, path)
        return _read_members(archive, {n: members[n] for n in members if n in names}, path)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open an archive; damage found while it is read is a FileError."""
    with open_for_reading(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except (
            zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError,
            UnicodeDecodeError, RuntimeError, OSError, OverflowError,
        ) as error:  # fmt: skip
            if isinstance(error, FileError):
                raise
            raise FileError(path, f"is no whole .npz archive ({error}).") from error


def _members(archive: zipfile.ZipFile, path: Path) -> Members:
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise FileError(path, f"holds {len(members)} arrays; expected a few.")
    return {m.filename[:-4]: m for m in members if m.filename.endswith(".npy")}


def _read_members(archive: zipfile.ZipFile, wanted: Members, path: Path) -> dict[str, np.ndarray]:
    """Return plain arrays; of pickled ones only a pose is missed."""
    _check_sizes(wanted, path)
    arrays = {}
    for name, member in wanted.items():
        with archive.open(member) as content:
            try:
                arrays[name] = read_array(content, member.file_size, path, name)  # type: ignore[arg-type]  # a ZipExtFile
            except PickledArrayError:
                if name in POSES:
                    raise
    return arrays


def _read_container(
    archive: zipfile.ZipFile,
    members: Members,
    path: Path,
    *,
    up: str | None,
    person: str | None,
) -> Pose:
    """Return the pose in a dictionary that NumPy pickled (ROMP's `results`); executes nothing."""
    name = next(name for name in members if name in CONTAINERS)
    _check_sizes({name: members[name]}, path)
    try:
        content = as_plain(read_pickle(pickled_content(archive.read(members[name]), path, name)))
    except PickleRefusedError as error:
        raise FileError(
            path, f"{name!r} is not read: {error} (nothing in it was executed)."
        ) from error
    arrays, others = one_person(content, path, person=person)
    return parameters_to_pose(arrays, path, up=up, others=others)


def _check_sizes(wanted: Members, path: Path) -> None:
    room = ALWAYS_ALLOWED_BYTES + LARGEST_RATIO * path.stat().st_size
    unpacked = sum(member.file_size for member in wanted.values())
    if unpacked > room:
        raise FileError(
            path, f"would unpack to {unpacked} bytes, too much for its size; it is not read."
        )
    for name, member in wanted.items():
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileError(path, f"{name!r} is packed in a way NumPy does not use.")
        if member.flag_bits & 0x1:
            raise FileError(path, f"{name!r} is encrypted.")


def write_npz(pose: Pose, path: str | Path, *, layout: str = "smpl") -> Path:
    """Write poses under the names of smplx ("smpl") or of AMASS ("amass"); return the path.

    "smpl": global_orient (pose, 3), body_pose (pose, 69), transl, betas, fps; y up. "amass": poses
    (pose, 156 or 165), trans, betas (16,), mocap_framerate; z up, fingers straight. A pose of the
    open body stands where SMPL's mean body has its pelvis at the same place; its own shape is
    `open_betas`.
    """
    path = Path(path)
    arrays = _amass_arrays(pose, path) if layout == "amass" else _smpl_arrays(pose)
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    return path


def _smpl_arrays(pose: Pose) -> dict[str, np.ndarray]:
    on = on_smpl(pose)
    turns = _axis_angle(pose)
    arrays = {
        "format": np.array(FORMAT),
        "body": np.array(pose.body),
        "global_orient": turns[:, 0],
        "body_pose": turns[:, 1:].reshape(len(pose), -1),
    }
    if pose.betas is not None:
        name = OPEN_BETAS if pose.body == OPEN_BODY else "betas"
        arrays[name] = pose.betas.detach().cpu().numpy()
    if on.translation is not None:
        arrays["transl"] = on.translation.detach().cpu().numpy()
    if pose.fps is not None:
        arrays["fps"] = np.array(pose.fps)
    return arrays


def _amass_arrays(pose: Pose, path: Path) -> dict[str, np.ndarray]:
    on = on_smpl(pose)
    body = "smplx" if on.body == "smplx" else "smplh"
    turn = TURNS["z"]
    rotations = on.rotations.detach().cpu().clone()
    rotations[:, 0] = turn.T.to(rotations) @ rotations[:, 0]
    place = torch.zeros(len(on), 3) if on.translation is None else on.translation.detach().cpu()
    pelvis = mean_pelvis(body)
    poses = np.zeros((len(on), 3 * AMASS_JOINTS[body]))
    turns = _axis_angle(replace(on, rotations=rotations, translation=None, betas=None))
    poses[:, : 3 * POSED_JOINTS] = turns[:, :POSED_JOINTS].reshape(len(on), -1)
    betas = np.zeros(AMASS_BETAS)
    if on.betas is not None:
        betas[: on.betas.shape[1]] = on.betas[0].detach().cpu().numpy()
    arrays = {
        "poses": poses,
        "trans": ((place + pelvis) @ turn - pelvis).numpy(),
        "betas": betas,
        "gender": np.array("neutral"),
        "surface_model_type": np.array(body),
    }
    if on.fps is None:
        add_note(path, "no frame rate is known, so mocap_framerate is left out; --fps sets it")
    else:
        arrays["mocap_framerate"] = np.array(on.fps)
    return arrays


def _axis_angle(pose: Pose) -> np.ndarray:
    return roma.rotmat_to_rotvec(pose.rotations.detach().cpu().double()).numpy()
