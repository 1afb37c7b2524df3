"""EgoBody: people seen by a headset, a pickle of SMPL parameters a frame; OpenPose's keypoints.

Bodies lie in the frame of the master Kinect's colour camera; `holo_to_kinect12.json` and the pose
of the headset's camera in each frame lead from there to the picture. The record's world is that of
the headset's camera: x right, y up, z towards the viewer (HoloLens's own axes), the camera at its
origin.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from data_builders.readers.landmarks import box_of, marked_keypoints
from data_builders.readers.pictures import check_picture
from data_builders.readers.safe_files import (
    flat_numbers,
    inside,
    numbers,
    read_arrays,
    read_json_table,
    read_pickled,
)
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import OPENPOSE_25
from unipose.body.keypoints import Keypoints
from unipose.body.pose import Pose
from unipose.errors import FileError, UnusableRecordError
from unipose.files.numbers import open_for_reading
from unipose.files.smpl_parameters import parameters_to_pose, turned
from unipose.vision.mesh_recovery_protocol import LEVEL

INFO, SPLITS = "data_info_release.csv", "data_splits.csv"
FPS = 30.0
NAME = re.compile(r"(\d+)_(frame_\d+)\.jpg$")
PARAMETERS = ("global_orient", "body_pose", "betas", "transl")
KEYPOINTS = ("imgname", "keypoints")


@dataclass(frozen=True, kw_only=True, eq=False)
class HeadsetCamera:
    """The headset's camera over one recording."""

    centre_px: tuple[float, float]
    size_px: tuple[int, int]
    frames: dict[str, tuple[tuple[float, float], Float[np.ndarray, "4 4"]]]
    """By the picture's timestamp: focal lengths, and from the camera to the headset's world."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield the person before the headset in each picture, recording by recording."""
    split_of = _splits(folder / SPLITS)
    for row in _table(folder / INFO):
        name = row.get("recording_name") or ""
        split = split_of.get(name, "")
        if not split or not choice.wants(split, name):
            continue
        key = f"egobody/{name}"
        for found in drops.keep(key, partial(_recording, folder, name)):
            yield from _frames(folder, choice, drops, split, row, found)


def _frames(
    folder: Path,
    choice: SourceOptions,
    drops: Drops,
    split: str,
    row: dict[str, str],
    found: tuple[HeadsetCamera, Float[np.ndarray, "4 4"], dict[str, np.ndarray], dict[str, str]],
) -> Iterator[Record]:
    camera, to_kinect, keypoints, pictures = found
    name = row["recording_name"]
    first, last = (int(row.get(column) or end) for column, end in (
        ("start_frame", 0), ("end_frame", 99_999)
    ))  # fmt: skip
    person, _, gender = (row.get("body_idx_fpv") or "").partition(" ")
    for number in range(first, last + 1, choice.step(FPS)):
        frame = f"frame_{number:05d}"
        if frame not in pictures:
            continue  # the headset dropped it
        key = f"egobody/{name}:{number}"
        file = next(
            folder.glob(f"smpl_interactee*/{name}/body_idx_{person}/results/{frame}/000.pkl"), None
        )
        build = partial(
            _record, folder, choice, split, key, file, camera, to_kinect,
            keypoints.get(frame), pictures[frame], gender,
        )  # fmt: skip
        yield from drops.keep(key, build)


def _record(
    folder: Path,
    choice: SourceOptions,
    split: str,
    key: str,
    file: Path | None,
    camera: HeadsetCamera,
    to_kinect: Float[np.ndarray, "4 4"],
    seen: np.ndarray | None,
    picture: str,
    gender: str,
) -> Record:
    if file is None:
        raise UnusableRecordError("there are no SMPL parameters for this frame")
    stamp = NAME.search(picture)
    if stamp is None or stamp[1] not in camera.frames:
        raise UnusableRecordError("the headset's pose is not known for this picture")
    focal, to_world = camera.frames[stamp[1]]
    content = read_pickled(file, PARAMETERS)
    lengths = {"global_orient": 3, "body_pose": 69, "betas": 10, "transl": 3}
    lacking = [name for name in lengths if name not in content]
    if lacking:
        raise UnusableRecordError(f"{file.name} has no {lacking[0]}")
    arrays = {name: flat_numbers(content[name], n, name) for name, n in lengths.items()}
    step = np.linalg.inv(to_world) @ np.linalg.inv(to_kinect)
    pose = _moved(parameters_to_pose(arrays, file, up="y"), torch.from_numpy(step))
    path = inside(choice.images or folder, picture)
    check_picture(path, choice)
    found = _keypoints(seen)
    marked = replace(found, scores=found.present.to(found.scores))
    width, height = camera.size_px
    right, down = ((camera.centre_px[i] - (width, height)[i] / 2) / height for i in (0, 1))
    return Record(
        key=key,
        source="egobody",
        split=split,
        pose=pose,
        image=path,
        box=box_of(marked, camera.size_px),
        camera=Camera(
            camera_from_world=LEVEL.double(),
            position=torch.zeros(3, dtype=torch.float64),
            focal=float(np.sqrt(focal[0] * focal[1])) / height,
            centre=(right, down),
        ),
        keypoints_2d=marked,
        detected_2d=found,
        other={"sequence": key.split("/")[1].split(":")[0], "frame": int(key.rsplit(":", 1)[1]),
               "person": 0, "gender": gender},
    )  # fmt: skip


def _moved(pose: Pose, step: Float[torch.Tensor, "4 4"]) -> Pose:
    """Return the pose after a turn and a shift of its world."""
    found = turned(pose, step[:3, :3])
    assert found.translation is not None
    return replace(found, translation=found.translation + step[:3, 3].to(found.translation))


def _keypoints(seen: np.ndarray | None) -> Keypoints:
    """Return OpenPose's keypoints with its own scores; UnusableRecordError if there are none."""
    if seen is None:
        raise UnusableRecordError("OpenPose found nobody in this picture")
    rows = torch.tensor(numbers(seen, (25, 3), "keypoints"))
    return marked_keypoints(OPENPOSE_25, rows[:, :2], rows[:, 2])


def _recording(
    folder: Path, name: str
) -> tuple[HeadsetCamera, Float[np.ndarray, "4 4"], dict[str, np.ndarray], dict[str, str]]:
    """Return camera, headset-to-Kinect transform, keypoints and pictures of a recording."""
    places = sorted((folder / "egocentric_color" / name).glob("202*"))
    if not places:
        raise UnusableRecordError(f"egocentric_color/{name} holds no pictures of the headset")
    table = next(places[0].glob("*_pv.txt"), None)
    if table is None:
        raise UnusableRecordError(f"{places[0]} has no *_pv.txt with the headset's poses")
    calibration = folder / "calibrations" / name
    file = next(calibration.glob("**/holo_to_kinect12.json"), None)
    if file is None:
        raise UnusableRecordError(f"{calibration} has no holo_to_kinect12.json")
    to_kinect = numbers(read_json_table(file).get("trans"), (4, 4), "trans")
    found = read_arrays(places[0] / "keypoints.npz", KEYPOINTS)
    keypoints, pictures = {}, {}
    for picture, rows in zip(found.get("imgname", ()), found.get("keypoints", ())):
        named = NAME.search(str(picture))
        if named:
            keypoints[named[2]], pictures[named[2]] = rows, str(picture)
    return _headset(table), to_kinect, keypoints, pictures


def _headset(path: Path) -> HeadsetCamera:
    """Read a *_pv.txt: cx, cy, w, h; then timestamp, fx, fy and a 4 x 4 matrix a line."""
    with open_for_reading(path) as file:
        lines = [line.decode("utf-8", "replace").strip() for line in file]
    try:
        cx, cy, width, height = (float(n) for n in re.findall(r"[-\d.eE+]+", lines[0]))
        frames: dict[str, tuple[tuple[float, float], np.ndarray]] = {}
        for line in filter(None, lines[1:]):
            stamp, fx, fy, *matrix = line.split(",")
            frames[stamp] = (float(fx), float(fy)), np.array(matrix[:16], float).reshape(4, 4)
    except (ValueError, IndexError) as error:
        raise FileError(path, f"is no table of the headset's camera ({error}).") from error
    return HeadsetCamera(centre_px=(cx, cy), size_px=(int(width), int(height)), frames=frames)


def _table(path: Path) -> list[dict[str, str]]:
    with open_for_reading(path) as file:
        text = file.read().decode("utf-8-sig", "replace")
    return list(csv.DictReader(text.splitlines()))


def _splits(path: Path) -> dict[str, str]:
    """Return the split of each recording: data_splits.csv has a column for each split."""
    found = {}
    for row in _table(path):
        for column, name in row.items():
            if name and column in ("train", "val", "test"):
                found[name] = column
    return found


SOURCE = Source(
    name="egobody",
    about="EgoBody's egocentric set, unpacked: egocentric_color/, calibrations/, smpl_interactee/",
    files=(
        Expected(path=INFO, size="some kB"),
        Expected(path=SPLITS, size="some kB"),
        Expected(path="egocentric_color/*", size="some GB, 125 recordings"),
        Expected(path="calibrations/*", size="some kB each"),
        Expected(path="smpl_interactee*/*", size="some GB, a pickle a frame"),
    ),
    licence="EgoBody licence: non-commercial research",
    cite="Zhang et al., EgoBody: Human Body Shape and Motion of Interacting People from "
    "Head-Mounted Devices, ECCV 2022",
    home="https://egobody.inf.ethz.ch",
    read=read,
    takes=("split", "only", "fps", "images", "pictures"),
)
