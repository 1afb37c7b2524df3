"""Where a command's poses, body and model come from, and where its poses go."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from transformers.utils.logging import disable_progress_bar

from unipose.assistant import Box, UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.files import open_pose, save_pose
from unipose.files.photo import is_photo, open_photo
from unipose.language.conversation_model import ConversationModel

HOLD_SEVERAL = frozenset({".npz", ".json", ".npy", ".png"})
"""Endings of files that hold several unrelated poses (a .png as a sheet); else a file each."""


def load_assistant(folder: Path | None, *, device: str = "cpu", dtype: str = "float32") -> UniPose:
    """Return the model in `folder`, or the embedded one, loaded without a progress bar."""
    disable_progress_bar()
    return UniPose.load(folder, device=device, dtype=dtype)


def load_speaker(adapters: Path | None, *, device: str = "cpu") -> ConversationModel:
    """Return the conversation model with these adapters, or the embedded one."""
    disable_progress_bar()
    return ConversationModel.load(adapters, device=device)


def own_body(file: Path | None) -> Body | None:
    """Return the user's own body, or None for the embedded one."""
    return load_body(file) if file else None


def read_one(file: Path, at: float | None, body: Body | None) -> Pose:
    """Return one pose of the file; of a recording without a time the first, and say so."""
    poses = open_pose(file, at=at, body=body)
    if at is None and len(poses) > 1:
        print(
            f"note: {file} holds {len(poses):,} poses; this is the first, --at SECONDS picks one",
            file=sys.stderr,
        )
    return poses[0]


def read_shown(
    file: Path, at: float | None, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return one pose of the file, or the pixels of a photo."""
    if not is_photo(file):
        return read_one(file, at, body)
    if at is not None:
        raise PoseQueryError(f"{file} is a picture and has no seconds; leave --at out")
    return open_photo(file)


def read_asked(
    file: Path, at: float | None, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return what a question is about: a pose, the pose at a time, a whole recording, a photo."""
    if is_photo(file):
        return read_shown(file, at, body)
    return open_pose(file, at=at, body=body)


def find_people(image: Path, detector: str) -> list[Box]:
    """Return a box around each person in a photo, by the named detector, from left to right."""
    from unipose.vision.detector import PeopleDetector  # slow to import, and seldom needed

    disable_progress_bar()
    pixels = open_photo(image)
    return list(PeopleDetector.load(detector).find(pixels))


def write(poses: Pose, out: Path, body: Body | None) -> list[str]:
    """Write the poses into one file, or each into its own where the format holds only one."""
    if len(poses) == 1 or out.suffix.lower() in HOLD_SEVERAL:
        return [str(save_pose(poses, out, body=body))]
    return [
        str(save_pose(poses[i], out.with_stem(f"{out.stem}-{i + 1}"), body=body))
        for i in range(len(poses))
    ]
