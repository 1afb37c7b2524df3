"""NumPy archives: AMASS recordings, SMPL parameters and our own poses."""

from __future__ import annotations

from dataclasses import replace
from io import BufferedReader
from pathlib import Path

import numpy as np
import roma
import torch

from unipose.body.pickled_arrays import as_plain, read_pickle
from unipose.body.plain_arrays import member_names, read_members
from unipose.body.pose import OPEN_BODY, Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.notes import add_note
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

AMASS_BETAS = 16
AMASS_JOINTS = {"smplh": 52, "smplx": 55}


def read_npz(path: str | Path, *, up: str | None = None, person: str | None = None) -> Pose:
    """Read an archive of arrays; worlds that are z up or y down are turned to y up.

    `up` and `person` as in `parameters_to_pose`. Raises FileError (MissingFileError) if it is
    damaged, its pose is a pickled object, it unpacks to far more than its size, or holds no pose.
    Members that hold pickled objects and are not needed are left alone; nothing is executed.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        names = member_names(file, path)
        containers = [name for name in names if name in CONTAINERS]
        if containers and POSES.isdisjoint(names):
            return _read_container(file, path, containers[0], up=up, person=person)
        arrays = read_members(file, path, ARRAYS)
    others = set(names) - arrays.keys()
    for name in sorted(POSES & others):
        raise FileError(
            path, f"{name!r} holds pickled Python objects; they are not read.",
            "Save plain arrays of numbers.",
        )  # fmt: skip
    return parameters_to_pose(arrays, path, up=up, person=person, others=others)


def _read_container(
    file: BufferedReader, path: Path, name: str, *, up: str | None, person: str | None
) -> Pose:
    """Return the pose in a dictionary that NumPy pickled (ROMP's `results`); executes nothing."""
    content = read_members(
        file, path, (name,), unpickle=lambda data: as_plain(read_pickle(data))
    )[name]  # fmt: skip
    arrays, others = one_person(content, path, person=person)
    return parameters_to_pose(arrays, path, up=up, others=others)


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
