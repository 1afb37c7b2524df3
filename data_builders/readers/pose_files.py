"""Any folder of pose files: BVH, AMC, SMPL parameters in .npz, .pkl or .json, rotations in .npy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from data_builders.mocap import MANIFEST
from data_builders.readers.motions import motion_records
from data_builders.readers.source import SPLITS, Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.errors import ConfigError
from unipose.file_signatures import POSE_ENDINGS
from unipose.files import open_pose


def split_of(path: str) -> str:
    """Return the split that a file's first folder names; train for every other folder."""
    first, _, rest = path.partition("/")
    return first if rest and first in SPLITS else "train"


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the poses of each file, sorted by path; what cannot be read is left out.

    Raises ConfigError for a folder with a manifest, whose splits would be overlooked.
    """
    if (folder / MANIFEST).is_file():
        raise ConfigError(f"{folder} has a {MANIFEST}: ask for it as mocap={folder}")
    for file in sorted(folder.rglob("*")):
        path = file.relative_to(folder).as_posix()
        if file.suffix.lower() not in POSE_ENDINGS or not choice.wants(split_of(path), path):
            continue
        for pose in drops.keep(f"files/{path}", partial(open_pose, file)):
            yield from motion_records(pose, choice, source="files", path=path, split=split_of(path))


SOURCE = Source(
    name="files",
    about="recordings and poses in files of their own",
    files=(Expected(path="**/*", size=f"{', '.join(POSE_ENDINGS)}, any size"),),
    licence="yours",
    cite="your own recordings",
    home="your own recordings",
    read=read,
    takes=("split", "only", "fps"),
)
