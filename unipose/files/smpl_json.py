"""Poses as JSON: the same names as in an archive, or just nested lists of rotation matrices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.json_table import read_json_value
from unipose.files.motion import check_up
from unipose.files.npy import rotations_to_pose
from unipose.files.result_tables import as_array, one_person
from unipose.files.smpl_parameters import FORMAT, parameters_to_pose, turn_up

LARGEST_JSON_BYTES = 1 << 26
DECIMALS = 7


def read_json(path: str | Path, *, up: str | None = None, person: str | None = None) -> Pose:
    """Read a pose from JSON: named arrays, a list or table of people, or rotation matrices.

    `up` and `person` as in `unipose.files.open_pose`. Raises FileError (MissingFileError) if it is
    no JSON, nested without end, or holds no pose.
    """
    path = Path(path)
    content = read_json_value(path, largest_bytes=LARGEST_JSON_BYTES)
    if isinstance(content, list) and not any(isinstance(item, dict) for item in content):
        array = as_array(content, path, "the list")
        return turn_up(rotations_to_pose(array, path, "the list"), check_up(up) or "y")
    if not isinstance(content, (list, dict)):
        raise FileError(path, "expected an object or nested lists of rotation matrices.")
    arrays, others = one_person(content, path, person=person)
    return parameters_to_pose(arrays, path, up=up, person=person, others=others)


def write_json(pose: Pose, path: str | Path) -> Path:
    """Write rotations (batch, 24, 3, 3) and what else is known of the pose; return the path."""
    path = Path(path)
    content: dict[str, object] = {
        "format": FORMAT,
        "body": pose.body,
        "fps": pose.fps,
        "joints": list(SMPL.joints),
        "rotations": _rounded(pose.rotations.detach().cpu().numpy()),
    }
    for name, value in (("betas", pose.betas), ("translation", pose.translation)):
        if value is not None:
            content[name] = _rounded(value.detach().cpu().numpy())
    text = json.dumps(content, allow_nan=False)
    with written_whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def _rounded(array: np.ndarray) -> list:
    return np.round(array.astype(np.float64), DECIMALS).tolist()
