"""Poses as JSON: the same names as in an archive, or just nested lists of rotation matrices."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.npy import rotations_to_pose
from unipose.files.numbers import open_for_reading
from unipose.files.smpl_parameters import ARRAYS, FORMAT, parameters_to_pose

LARGEST_JSON_BYTES = 1 << 26
LONGEST_WORD = 100
DECIMALS = 7


def read_json(path: str | Path) -> Pose:
    """Read a pose from JSON.

    Raises FileError (MissingFileError) if it is no JSON, nested without end, or holds no pose.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        text = file.read(LARGEST_JSON_BYTES + 1)
    if len(text) > LARGEST_JSON_BYTES:
        raise FileError(path, f"is over {LARGEST_JSON_BYTES} bytes.", "Use .npz for so many poses.")
    try:
        content = json.loads(text.decode("utf-8-sig"))
    except RecursionError as error:
        raise FileError(path, "is nested far too deep for a pose.") from error
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise FileError(path, f"is no JSON ({str(error)[:120]}).") from error
    if isinstance(content, list):
        return rotations_to_pose(_array(content, path, "the list"), path, "the list")
    if not isinstance(content, dict):
        raise FileError(path, "expected an object or nested lists of rotation matrices.")
    arrays = {
        name: _array(value, path, name)
        for name, value in content.items()
        if name in ARRAYS and value is not None
    }
    return parameters_to_pose(arrays, path)


def _array(value: object, path: Path, name: str) -> np.ndarray:
    """Return lists of numbers, or one word, as an array; FileError for anything else."""
    if isinstance(value, str):
        return np.array(value[:LONGEST_WORD])
    try:
        return np.array(value, dtype=np.float64)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise FileError(path, f"{name} is no regular array of numbers.") from error


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
