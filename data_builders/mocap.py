"""Read a folder of motion capture: a manifest.csv, a row per recording, and the files it names."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from unipose.body.pose import Pose
from unipose.errors import ConfigError, FileError, MissingFileError, PoseError, SkeletonError
from unipose.files.amc import read_amc
from unipose.files.bvh import read_bvh
from unipose.files.motion import Motion
from unipose.files.retarget import retarget

MANIFEST = "manifest.csv"
COLUMNS = (
    "path", "source", "group", "label", "split", "fps", "frames", "skeleton", "note", "subject",
)  # fmt: skip
NEEDED = ("path", "split", "fps")
"""The others may be missing: frames are then counted, and each recording is a group of its own."""
RUN_IN_NOTE = "run-in, skip them"
"""What the manifest notes about recordings that begin with a T-pose and a run-in from it."""
RUN_IN_FRAMES = 10


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One row of the manifest: a motion file and what is known about it."""

    folder: Path = field(repr=False)
    path: str
    """Relative to the folder."""
    split: str
    """train, val or test."""
    source: str
    subject: str = ""
    """Who moves; "" if nobody knows."""
    group: str
    label: str
    fps: float
    """True rate of the file, whatever its header says."""
    frames: int
    """In the file, a run-in included."""
    skeleton: str
    """ASF file of an AMC motion, relative to the folder; "bvh" for the others."""
    note: str = ""

    @property
    def first_frame(self) -> int:
        """First frame that belongs to the motion (after a T-pose and its run-in)."""
        return RUN_IN_FRAMES if RUN_IN_NOTE in self.note else 0

    def read(self) -> Motion:
        """Read the motion on its own skeleton, all frames of the file.

        Raises FileError if the file is broken or is not the one that the manifest describes.
        """
        path = self.folder / self.path
        motion = self.read_any_length()
        if len(motion) != self.frames:
            raise FileError(
                path, f"holds {len(motion)} frames, but the manifest says {self.frames}."
            )
        return motion

    def read_any_length(self) -> Motion:
        """Read the motion, however many frames the manifest says that it has."""
        path = self.folder / self.path
        if path.suffix.lower() == ".amc":
            asf = self.folder / self.skeleton if self.skeleton else None
            return read_amc(path, asf=asf, fps=self.fps)
        return read_bvh(path, fps=self.fps)

    def pick_frames(self, fps: float) -> Int[np.ndarray, "frame"]:
        """Return the frames of the file nearest to a clock of `fps` ticks per second."""
        if not 0 < fps <= self.fps:
            raise ConfigError(f"{self.path} has {self.fps:g} frames per second, asked for {fps:g}")
        ticks = np.arange(int((self.frames - 1 - self.first_frame) / self.fps * fps + 1e-6) + 1)
        frames = self.first_frame + np.round(ticks * self.fps / fps).astype(np.int64)
        return frames[frames < self.frames]

    def open(
        self, fps: float = 30.0, *, rest_joints: Float[np.ndarray, "24 3"] | None = None
    ) -> Pose:
        """Return the motion as poses at `fps`.

        They fit the body whose T-pose joints are `rest_joints`, the open body by default. Raises
        FileError if the file is broken, ConfigError if it has fewer frames per second.
        """
        motion = self.read()
        try:
            return retarget(motion, rest_joints, frames=self.pick_frames(fps), fps=fps)
        except (SkeletonError, PoseError) as error:
            raise FileError(self.folder / self.path, f"{error}.") from error


def read_manifest(folder: str | Path) -> list[Recording]:
    """Return the recordings that `folder/manifest.csv` lists, in its order.

    Columns stand between commas, semicolons or tabs, as spreadsheets write them.
    Raises MissingFileError if there is no manifest and FileError if a row cannot be understood.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise MissingFileError(path, "there is no such file.", "Name a folder with a manifest.csv.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = file.readline()
            file.seek(0)
            rows = list(csv.DictReader(file, delimiter=max(",;\t", key=header.count)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileError(path, f"is no table ({error}).") from error
    lacking = [column for column in NEEDED if not rows or column not in rows[0]]
    if lacking:
        raise FileError(path, f"has no column {lacking[0]!r}; it needs {', '.join(NEEDED)}.")
    return [_recording(folder, row, line) for line, row in enumerate(rows, start=2)]


def _recording(folder: Path, row: dict[str, str | None], line: int) -> Recording:
    known = {column: row.get(column) or "" for column in COLUMNS}
    try:
        fps = float(known.pop("fps").replace(",", "."))
        written = known.pop("frames")
        frames = int(written or 1)
    except ValueError as error:
        raise FileError(folder / MANIFEST, f"line {line}: {error}.") from error
    if not 0 < fps < 1e5 or frames < 1:
        raise FileError(folder / MANIFEST, f"line {line}: {frames} frames at {fps:g} per second.")
    known["group"] = known["group"] or known["path"]
    recording = Recording(folder=folder, fps=fps, frames=frames, **known)
    if not written:
        recording = replace(recording, frames=len(recording.read_any_length()))
    return recording


def choose(recordings: list[Recording], *, split: str = "", only: str = "") -> list[Recording]:
    """Return the recordings of a split ("" or "all": every one) whose path fits a glob."""
    return [
        recording
        for recording in recordings
        if split in ("", "all", recording.split) and (not only or fnmatch(recording.path, only))
    ]
