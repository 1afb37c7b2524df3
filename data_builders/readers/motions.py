"""Recordings as records: some frames of a motion, each a pose that owns its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from data_builders.readers.source import SourceOptions
from data_builders.records import Record
from unipose.body.pose import Pose


def one_pose(pose: Pose, frame: int) -> Pose:
    """Return one frame as a batch of one that does not hold the whole recording in memory."""
    own = slice(frame, frame + 1)
    return replace(  # once: each new Pose is checked
        pose,
        rotations=pose.rotations[own].clone(),
        betas=None if pose.betas is None else pose.betas[own].clone(),
        translation=None if pose.translation is None else pose.translation[own].clone(),
    )


def motion_records(
    pose: Pose,
    choice: SourceOptions,
    *,
    source: str,
    path: str,
    split: str,
    labels: Mapping[int, str] | str = "",
    frames: range | None = None,
    first: int = 0,
) -> Iterator[Record]:
    """Yield every n-th frame of a recording, as `choice.fps` says.

    `labels` is one label, or a label per frame, where frames without one are left out. `frames`
    are those of `pose` to choose from (all by default); `first` is the number in the file of its
    first frame.
    """
    frames = range(len(pose)) if frames is None else frames
    for frame in frames[:: choice.step(pose.fps or 0.0)]:
        label = labels if isinstance(labels, str) else labels.get(frame, "")
        if not label and not isinstance(labels, str):
            continue
        yield Record(
            key=f"{source}/{path}:{first + frame}",
            source=source,
            split=split,
            pose=one_pose(pose, frame),
            label=label,
            other={"frame": first + frame},
        )


_ENDINGS = ("_poses.npz", "_stageii.npz")
"""AMASS's files for SMPL-H and for SMPL-X."""


def find_recording(amass: Path, relative: str) -> Path | None:
    """Return the file of AMASS that a data set calls `relative`; None if it is not there.

    BABEL writes CMU/CMU/01/01_01_poses.npz and BMLrub/BioMotionLab_NTroje/rub001/...; folders are
    called after the second word (SMPL-H files) or the first (SMPL-X files, which end in
    _stageii.npz and have _ for spaces); PoseScript leaves the first word out.
    """
    if Path(relative).is_absolute() or ".." in Path(relative).parts:
        return None
    words = relative.split("/")
    names = [relative, "/".join(words[1:]), "/".join([words[0], *words[2:]])]
    for name in names:
        stem = name
        for ending in _ENDINGS:
            stem = stem.removesuffix(ending)
        for candidate in (f"{stem}_poses.npz", *_for_smplx(stem), name):
            if candidate.endswith(".npz") and (amass / candidate).is_file():
                return amass / candidate
    return None


def _for_smplx(stem: str) -> tuple[str, ...]:
    plain = re.sub(r"\s", "_", stem)
    return (f"{stem}_stageii.npz", f"{plain}_stageii.npz", f"{plain}_poses.npz")


def seconds_of(frame: int, pose: Pose) -> float:
    """Return when a frame is seen; 0 for a pose without a frame rate."""
    return frame / pose.fps if pose.fps else 0.0
