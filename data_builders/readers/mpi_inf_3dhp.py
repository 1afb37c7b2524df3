"""MPI-INF-3DHP: 28 joints in 3D seen by eight cameras, and a test set of 17 joints; y up, mm."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from data_builders.readers.fits import check_place, fit_at, fitted_pose, read_fits
from data_builders.readers.landmarks import (
    box_of,
    known_in_3d,
    projected_keypoints,
)
from data_builders.readers.mat_files import read_mat
from data_builders.readers.pictures import check_orientation
from data_builders.readers.safe_files import numbers, read_hdf5
from data_builders.readers.source import Drops, Expected, Source, SourceOptions
from data_builders.records import Record
from unipose.body.camera import CameraTrack
from unipose.body.keypoint_sets import MPI_INF_3DHP_17, MPI_INF_3DHP_28, KeypointSet
from unipose.errors import FileError, UniPoseError, UnusableRecordError
from unipose.files.numbers import open_for_reading

CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
"""Those at the height of people; the others hang from the ceiling."""
FAST = ("S1/Seq2", "S3/Seq1", "S3/Seq2", "S5/Seq1", "S5/Seq2")
"""Recorded at 50 frames per second, the others at 25."""
ACTIVITIES = (
    "stand or walk", "exercise", "sit on a chair", "reach or crouch", "on the floor", "sports",
    "miscellaneous",
)  # fmt: skip
"""What the test set's activity_annotation counts from 1."""


Size = tuple[int, int]
"""Width and height of a camera's pictures, pixels."""


@dataclass(frozen=True, kw_only=True)
class Sequence:
    """One camera's recording of one sequence."""

    folder: Path
    name: str
    split: str
    keypoint_set: KeypointSet
    camera: CameraTrack
    size_px: Size
    pictures: str
    """Name of a frame's picture, counted from 1; "" if only a film is there."""
    film: str = ""
    fits: Any = None
    """Fitted poses by the frame, counted from 0, in the world of the cameras."""


def read(folder: Path, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    """Yield each frame of each camera; where pictures were not taken out of a film, without one.

    A sequence that cannot be read is left out; so is the test set if h5py is not installed. Raises
    SourceError if a file of fits was asked for that cannot be read.
    """
    fits = read_fits(choice)
    for found in sorted(folder.glob("S*/Seq*/annot.mat")):
        name = found.parent.relative_to(folder).as_posix()
        if choice.wants("train", name):
            own = fit_at(fits, *re.findall(r"\d+", name))
            records = _train(found, name, choice, own, drops)
            yield from _noted(f"mpi_inf_3dhp/{name}", records, drops)
    for found in sorted(folder.glob("**/TS*/annot_data.mat")):
        name = found.parent.name
        if choice.wants("test", name):
            yield from _noted(f"mpi_inf_3dhp/{name}", _test(found, name, choice, drops), drops)


def _noted(key: str, records: Iterator[Record], drops: Drops) -> Iterator[Record]:
    try:
        yield from records
    except UniPoseError as error:
        drops.add(key, str(error))


def _train(
    file: Path, name: str, choice: SourceOptions, fits: Any, drops: Drops
) -> Iterator[Record]:
    cameras = read_calibration(file.with_name("camera.calibration"))
    pixels, joints = read_mat(file, "annot2"), read_mat(file, "annot3")
    if not np.shape(pixels) == np.shape(joints) == (len(cameras),):
        raise FileError(file, f"expected a cell per camera ({len(cameras)}) in annot2 and annot3.")
    step = choice.step(50.0 if name in FAST else 25.0)
    for number in CAMERAS:
        camera, size_px = cameras[number]
        taken_out = file.parent / "imageFrames" / f"video_{number}"
        sequence = Sequence(
            folder=file.parent,
            name=f"{name}/video_{number}",
            split="train",
            keypoint_set=MPI_INF_3DHP_28,
            camera=camera,
            size_px=size_px,
            pictures=f"imageFrames/video_{number}/frame_{{:06d}}.jpg" if taken_out.is_dir() else "",
            film=f"{name}/imageSequence/video_{number}.avi",
            fits=fits,
        )
        frames = min(len(pixels[number]), len(joints[number]))
        for frame in range(0, frames, step):
            build = partial(
                _record, sequence, choice, frame,
                np.ravel(pixels[number][frame]), np.ravel(joints[number][frame]),
            )  # fmt: skip
            yield from drops.keep(f"mpi_inf_3dhp/{sequence.name}:{frame}", build)


def _test(file: Path, name: str, choice: SourceOptions, drops: Drops) -> Iterator[Record]:
    arrays = read_hdf5(file, ("annot2", "annot3", "valid_frame", "activity_annotation"))
    valid = np.ravel(arrays["valid_frame"]) > 0
    camera, size_px = TEST_CAMERAS[0 if name in ("TS1", "TS2", "TS3", "TS4") else 1]
    sequence = Sequence(
        folder=file.parent,
        name=name,
        split="test",
        keypoint_set=MPI_INF_3DHP_17,
        camera=camera,
        size_px=size_px,
        pictures="imageSequence/img_{:06d}.jpg",
    )
    activities = np.ravel(arrays["activity_annotation"]).astype(int) - 1
    for frame in np.flatnonzero(valid)[:: choice.step(25.0)].tolist():
        known = frame < len(activities) and 0 <= activities[frame] < len(ACTIVITIES)
        build = partial(
            _record, sequence, choice, frame,
            np.ravel(arrays["annot2"][frame]), np.ravel(arrays["annot3"][frame]),
            ACTIVITIES[activities[frame]] if known else "",
        )  # fmt: skip
        yield from drops.keep(f"mpi_inf_3dhp/{name}:{frame}", build)


def _record(
    sequence: Sequence, choice: SourceOptions, frame: int, pixels: Any, joints: Any, label: str = ""
) -> Record:
    size, keypoint_set = sequence.size_px, sequence.keypoint_set
    points = torch.tensor(numbers(pixels, (2 * len(keypoint_set),), "annot2")).reshape(-1, 2)
    in_camera = torch.tensor(numbers(joints, (3 * len(keypoint_set),), "annot3")).reshape(-1, 3)
    if bool((in_camera[:, 2] <= 0).any()):
        raise UnusableRecordError("annot3 has joints behind the camera")
    image, orientation = None, 1
    if sequence.pictures:
        image = sequence.folder / sequence.pictures.format(frame + 1)
        orientation = check_orientation(image, choice, size)
    keypoints = projected_keypoints(keypoint_set, points, size)
    other: dict[str, str | float | int] = {"frame": frame}
    if image is None:
        other["film"] = sequence.film
    known = known_in_3d(keypoint_set, sequence.camera.to_world(in_camera[None] / 1000)[0])
    pose, fit = None, fit_at(sequence.fits, frame)
    if fit is not None and choice.fits is not None:
        pose = fitted_pose(fit, choice.fits)
        check_place(pose, known.point("pelvis")[0])
        other["fit"] = choice.fits.name
    return Record(
        key=f"mpi_inf_3dhp/{sequence.name}:{frame}",
        source="mpi_inf_3dhp",
        split=sequence.split,
        pose=pose,
        image=image,
        orientation=orientation,
        box=box_of(keypoints, size),
        camera=sequence.camera.pinhole(size_px=size),
        keypoints_2d=keypoints,
        keypoints_3d=known,
        label=label,
        other=other,
    )


def read_calibration(file: Path) -> list[tuple[CameraTrack, Size]]:
    """Return the cameras of a camera.calibration file, in its order. Raises FileError."""
    with open_for_reading(file) as content:
        text = content.read(1 << 20).decode("latin-1")
    cameras = []
    for block in re.split(r"^name\s", text, flags=re.MULTILINE)[1:]:
        try:
            intrinsic, extrinsic = (_matrix(block, word) for word in ("intrinsic", "extrinsic"))
            extrinsic[:3, 3] /= 1000
            width, height = (int(word) for word in _words(block, "size")[:2])
            camera = CameraTrack.from_matrices(intrinsic[:3, :3], extrinsic[None])
        except ValueError as error:
            raise FileError(file, f"camera {len(cameras)}: {error}.") from error
        cameras.append((camera, (width, height)))
    if len(cameras) <= max(CAMERAS):
        raise FileError(file, f"holds {len(cameras)} cameras, expected 14.")
    return cameras


def _words(block: str, name: str) -> list[str]:
    found = re.search(rf"^\s*{name}\s+(.+)$", block, flags=re.MULTILINE)
    if found is None or len(found[1].split()) < 2:
        raise UnusableRecordError(f"has no {name}")
    return found[1].split()


def _matrix(block: str, name: str) -> Float[Tensor, "4 4"]:
    words = [float(word) for word in _words(block, name)]
    return torch.from_numpy(numbers(words, (16,), name)).reshape(4, 4)


def _test_camera(
    *,
    focal_mm: float,
    sensor_mm: tuple[float, float],
    size_px: Size,
    pixel_aspect: float,
    offset_mm: tuple[float, float],
    origin_mm: tuple[float, float, float],
    up: tuple[float, float, float],
    right: tuple[float, float, float],
) -> tuple[CameraTrack, Size]:
    """Return a camera of the test set from what its calibration says."""
    pixels_per_mm = np.array(size_px) / np.array(sensor_mm) * np.array([1.0, pixel_aspect])
    left, above = np.array(right), np.array(up)
    rotation = np.stack([left, -above, np.cross(above, left)])
    centre_mm = np.array(sensor_mm) / 2 + np.array(offset_mm)
    camera = CameraTrack(
        rotation=torch.from_numpy(rotation)[None],
        translation=torch.from_numpy(-rotation @ np.array(origin_mm) / 1000)[None],
        focal_px=torch.from_numpy(focal_mm * pixels_per_mm)[None],
        centre_px=torch.from_numpy(centre_mm * pixels_per_mm)[None],
    )
    return camera, size_px


TEST_CAMERAS = (
    _test_camera(
        focal_mm=7.32506, sensor_mm=(10.0, 10.0), size_px=(2048, 2048), pixel_aspect=1.00044,
        offset_mm=(-0.0322884, 0.0929296), origin_mm=(3427.28, 1387.86, 309.42),
        up=(-0.208215, 0.976233, 0.06014), right=(0.000575281, 0.0616098, -0.9981),
    ),
    _test_camera(
        focal_mm=8.770747185, sensor_mm=(10.0, 5.625), size_px=(1920, 1080),
        pixel_aspect=0.993236423, offset_mm=(-0.104908645, 0.104899704),
        origin_mm=(-2104.3074, 1038.6707, -4596.6367), up=(0.025272345, 0.995038509, 0.096227370),
        right=(-0.939647257, -0.009210289, 0.342020929),
    ),
)  # fmt: skip
"""The test set's two cameras (TS1-4, TS5-6); the second one's distortion is left out."""

SOURCE = Source(
    name="mpi_inf_3dhp",
    about="MPI-INF-3DHP: S1 ... S8 with Seq1 and Seq2, and mpi_inf_3dhp_test_set/TS1 ... TS6",
    files=(
        Expected(path="S*/Seq*/annot.mat", size="some 100 MB each", optional=True),
        Expected(path="S*/Seq*/camera.calibration", size="some KB", optional=True),
        Expected(path="S*/Seq*/imageFrames/video_*/frame_*.jpg", size="100 GB", optional=True),
        Expected(path="**/TS*/annot_data.mat", size="some MB each", optional=True),
        Expected(path="**/TS*/imageSequence/img_*.jpg", size="some GB", optional=True),
    ),
    licence="MPI-INF-3DHP licence: non-commercial research",
    cite="Mehta et al., Monocular 3D Human Pose Estimation In The Wild, 3DV 2017",
    home="https://vcai.mpi-inf.mpg.de/3dhp-dataset",
    read=read,
    takes=("split", "only", "fps", "pictures", "fits"),
)
