"""Our own folders of motion capture: a manifest.csv and the BVH and AMC files that it names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from data_builders.mocap import MANIFEST, choose, read_manifest
from data_builders.readers.motions import motion_records
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the poses of each recording in the manifest's order, for the open body."""
    for recording in choose(read_manifest(folder), split=choice.split, only=choice.only):
        fps = min(choice.fps or recording.fps, recording.fps)
        for pose in drops.keep(f"mocap/{recording.path}", partial(recording.open, fps)):
            frames = recording.pick_frames(fps)
            every = replace(choice, fps=0.0)  # `open` has already picked the frames
            for i, record in enumerate(
                motion_records(
                    pose, every, source="mocap", path=recording.path, split=recording.split,
                    labels=recording.label,
                )
            ):  # fmt: skip
                frame = int(frames[i])
                extras = {"frame": frame, "group": recording.group, "from": recording.source}
                yield replace(record, key=f"mocap/{recording.path}:{frame}", other=extras)


SOURCE = Source(
    name="mocap",
    about="a folder of motion capture with a manifest",
    files=(Expected(path=MANIFEST, size="a line per recording"),),
    licence="as the manifest's sources say",
    cite="the manifest's sources",
    home="your own recordings, or CMU's and HDM05's",
    read=read,
    takes=("split", "only", "fps"),
)
