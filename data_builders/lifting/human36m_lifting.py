"""Human3.6M as VideoPose3D packs it: data_3d_h36m.npz, data_2d_h36m_gt.npz, and its cameras.

3D is in the world (metres, 32 joints), 2D in pixels of four cameras. How the cameras stand is in
neither; it is read from `cameras.pkl` (subject, camera -> R, T), which pose toolboxes pass on. Both
directions of R are tried: the one that lands on the file's own 2D is right.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.lifting.mocap_lifting import HUMAN36M_CAMERAS, LiftingCamera
from data_builders.readers.safe_files import LARGEST_BYTES, numbers, read_arrays
from unipose.body.keypoint_sets import HUMAN36M_17, HUMAN36M_17_OF_32, KeypointSet
from unipose.body.pickled_arrays import PickledObject, PickleRefusedError, as_plain, read_pickle
from unipose.errors import FileError, UnusableRecordError
from unipose.files.numbers import read_bytes
from unipose.lifting.lifting_data import LiftingData, SequenceName
from unipose.lifting.screen import on_screen, usable

SUBJECTS = {"train": ("S1", "S5", "S6", "S7"), "val": ("S8",), "test": ("S9", "S11")}
"""Papers learn from S8 too; here it is what models are chosen on."""
FPS = 50.0
NEAR_PX = 12.0
"""Median pixels within which a camera agrees with the 2D, its lens (some pixels) left out."""


def read_human36m(folder: Path, split: str, keypoint_set: KeypointSet) -> LiftingData:
    """Return the frames of a split, by every camera, of 17 joints or of 16.

    Raises FileError (MissingFileError) for a file that is missing, damaged or of another layout.
    """
    places = _table(folder / "data_3d_h36m.npz", "positions_3d")
    pixels = _table(folder / "data_2d_h36m_gt.npz", "positions_2d")
    cameras = read_cameras(folder / "cameras.pkl")
    rows = HUMAN36M_17.indices(*keypoint_set.names)
    parts = []
    for subject in SUBJECTS[split]:
        for action, world in (places.get(subject) or {}).items():
            seen = (pixels.get(subject) or {}).get(action)
            if not isinstance(seen, list) or len(seen) != len(HUMAN36M_CAMERAS):
                raise FileError(
                    folder / "data_2d_h36m_gt.npz",
                    f"has no four cameras' keypoints of {subject}, {action!r}.",
                )
            for camera, own in zip(HUMAN36M_CAMERAS, seen, strict=True):
                parts.append(_sequence(folder, subject, action, world, own, camera, cameras, rows,
                                       keypoint_set))  # fmt: skip
    if not parts:
        raise FileError(folder, f"holds nothing of the subjects {', '.join(SUBJECTS[split])}.")
    return LiftingData.joined(parts)


def _table(path: Path, name: str) -> dict[str, Any]:
    table = read_arrays(path, (name,)).get(name)
    if not isinstance(table, dict):
        raise FileError(path, f"holds no {name!r} by subject and action.")
    return table


def _sequence(
    folder: Path,
    subject: str,
    action: str,
    world: Any,
    own: Any,
    camera: LiftingCamera,
    cameras: Mapping[tuple[str, str], tuple[Tensor, Tensor]],
    rows: list[int],
    keypoint_set: KeypointSet,
) -> LiftingData:
    try:
        joints = torch.from_numpy(numbers(world, (-1, 32, 3), "positions_3d")).float()
        joints = joints[:, list(HUMAN36M_17_OF_32)]
        points = torch.from_numpy(numbers(own, (-1, -1, 2), "positions_2d")).float()
        points = points[:, list(HUMAN36M_17_OF_32)] if points.shape[1] == 32 else points
        numbers(points.numpy(), (-1, 17, 2), "positions_2d")
        rotation, place = cameras[subject, camera.name]
    except (UnusableRecordError, KeyError) as error:
        raise FileError(folder, f"{subject}, {action!r}, camera {camera.name}: {error}.") from error
    count = min(len(joints), len(points))  # some films are a few frames longer than the motion
    joints, points = joints[:count], points[:count]
    local = min(
        ((joints - place) @ turn for turn in (rotation.mT, rotation)),
        key=lambda some: _apart(some, points, camera),
    )
    if (apart := _apart(local, points, camera)) > NEAR_PX:
        raise FileError(
            folder / "cameras.pkl",
            f"does not fit {subject}, {action!r}, camera {camera.name}: joints land {apart:.0f} "
            "pixels beside their keypoints.",
        )
    truth = (local - local[:, :1])[:, rows]
    seen = on_screen(points, camera.size_px)[:, rows]
    kept = usable(seen, truth)
    return LiftingData(
        keypoint_set=keypoint_set,
        seen=seen[kept],
        truth=truth[kept],
        sequence=torch.zeros(int(kept.sum()), dtype=torch.long),
        names=(SequenceName(subject=subject, action=action.split(" ")[0], camera=camera.name),),
        fps=FPS,
    )


def _apart(
    local: Float[Tensor, "frame joint 3"],
    points: Float[Tensor, "frame joint 2"],
    camera: LiftingCamera,
) -> float:
    """Return by how many pixels (median) joints before a camera land beside their keypoints."""
    if bool((local[..., 2] <= 0).any()):
        return float("inf")
    found = local[..., :2] / local[..., 2:] * torch.tensor(camera.focal_px)
    return float((found + torch.tensor(camera.centre_px) - points).norm(dim=-1).median())


def read_cameras(path: Path) -> dict[tuple[str, str], tuple[Tensor, Tensor]]:
    """Return R and T (metres) of each subject's cameras. Executes nothing; raises FileError."""
    try:
        content = read_pickle(read_bytes(path, largest_bytes=LARGEST_BYTES))
        if not isinstance(content, dict):
            raise PickleRefusedError("it holds no cameras by subject and name")
        found = {}
        for key, value in content.items():
            if not isinstance(key, tuple) or len(key) != 2 or isinstance(value, PickledObject):
                raise PickleRefusedError(f"{str(key)[:40]} is no (subject, camera)")
            camera = as_plain(value)
            rotation = torch.from_numpy(numbers(camera["R"], (3, 3), "R")).float()
            place = torch.from_numpy(numbers(np.ravel(camera["T"]), (3,), "T")).float()
            subject = str(key[0]) if str(key[0]).startswith("S") else f"S{key[0]}"
            found[subject, str(key[1])] = rotation, place
        return found
    except (PickleRefusedError, UnusableRecordError, KeyError, TypeError) as error:
        raise FileError(path, f"is not read: {error} (nothing in it was executed).") from error
