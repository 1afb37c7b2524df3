"""Where a command's poses, body and model come from, and where its poses go."""

from __future__ import annotations

import sys
from pathlib import Path

from transformers.utils.logging import disable_progress_bar

from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.pose import Pose
from unipose.files import open_pose, save_pose

HOLD_SEVERAL = frozenset({".npz", ".json", ".npy", ".png"})
"""Endings of files that hold several unrelated poses (a .png as a sheet); else a file each."""


def load_assistant(folder: Path | None) -> UniPose:
    """Return the model in `folder`, or the embedded one, loaded without a progress bar."""
    disable_progress_bar()
    return UniPose.load(folder)


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


def write(poses: Pose, out: Path, body: Body | None) -> list[str]:
    """Write the poses into one file, or each into its own where the format holds only one."""
    if len(poses) == 1 or out.suffix.lower() in HOLD_SEVERAL:
        return [str(save_pose(poses, out, body=body))]
    return [
        str(save_pose(poses[i], out.with_stem(f"{out.stem}-{i + 1}"), body=body))
        for i in range(len(poses))
    ]
