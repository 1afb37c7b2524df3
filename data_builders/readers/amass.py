"""AMASS: motion capture as SMPL-H or SMPL-X parameters, a .npz per recording, z up."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_builders.readers.motions import motion_records
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.files.npz import read_npz

TEST = ("SSM", "SSM_synced", "Transitions", "Transitions_mocap")
VAL = ("HumanEva", "MPI_HDM05", "HDM05", "SFU", "MPI_mosh", "MoSh")
"""Which subsets are not for training, under the names of either release."""
NOT_MOTIONS = ("shape.npz", "_stagei.npz")


def split_of(path: str) -> str:
    """Return the split that AMASS's authors put a recording's subset (its first folder) in."""
    subset = path.split("/")[0]
    return "test" if subset in TEST else "val" if subset in VAL else "train"


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the poses of each recording, sorted by path; a damaged recording is left out."""
    for file in sorted(folder.rglob("*.npz")):
        path = file.relative_to(folder).as_posix()
        if path.endswith(NOT_MOTIONS) or not choice.wants(split_of(path), path):
            continue
        for pose in drops.keep(f"amass/{path}", partial(read_npz, file)):
            yield from motion_records(pose, choice, source="amass", path=path, split=split_of(path))


SOURCE = Source(
    name="amass",
    about="AMASS, unpacked: a folder per subset (CMU, KIT ...), in it subject/recording_poses.npz",
    files=(Expected(path="**/*.npz", size="up to some 10 MB each, some 10 GB in all"),),
    licence="AMASS licence: non-commercial research, registration",
    cite="Mahmood et al., AMASS: Archive of Motion Capture as Surface Shapes, ICCV 2019",
    home="https://amass.is.tue.mpg.de",
    read=read,
    takes=("split", "only", "fps"),
)
