"""Where a command's poses and photos come from, and where its poses go; no model is imported."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from unipose.app.options import ReadOptions
from unipose.body.body import Body, load_body
from unipose.body.people import PersonInImage
from unipose.body.pose import Pose
from unipose.errors import FileError, PoseQueryError
from unipose.file_signatures import PHOTO_ENDINGS, is_film, is_photo
from unipose.files import MOTIONS, open_pose, save_pose
from unipose.files.atomic import written_whole
from unipose.files.photo import open_photo

Progress = Callable[[Iterable[Any], int | None, str], Iterable[Any]]
"""Gives the items of long work on, and shows how far it is: items, their count, what is done."""

HOLD_SEVERAL = frozenset({".npz", ".json", ".npy", ".png"})
"""Endings of files that hold several unrelated poses (a .png as a sheet); else a file each."""

KEEP_PLACE = frozenset({".npz", ".json"})
"""Endings of files that hold numbers: a body may be anywhere in them. In a scene that somebody
opens (.glb, .bvh, .obj) a place tens of metres before a camera is out of sight."""

KEEP_MOTION = (".npz", ".json", ".npy", ".bvh", ".glb", ".gif", ".mp4")
"""Endings of files that hold a motion."""


def read_poses(file: Path, reading: ReadOptions, body: Body | None) -> Pose:
    """Return the poses of a file."""
    return open_pose(
        file, at=reading.at, frame=reading.frame, body=body, fps=reading.fps, up=reading.up,
        skeleton=reading.skeleton if file.suffix.lower() in MOTIONS else None,
        person=reading.person,
    )  # fmt: skip


def own_body(file: Path | None) -> Body | None:
    """Return the user's own body, or None for the embedded one."""
    return load_body(file) if file else None


def read_one(file: Path, reading: ReadOptions, body: Body | None) -> Pose:
    """Return one pose of the file; of a recording without a time the first, and say so."""
    poses = read_poses(file, reading, body)
    if len(poses) > 1:
        print(
            f"note: {file} holds {len(poses):,} poses; this is the first, --at SECONDS or "
            "--frame N picks one",
            file=sys.stderr,
        )
    return poses[0]


def read_shown(
    file: Path, reading: ReadOptions, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return one pose of the file, or the pixels of a photo."""
    if is_film(file):
        _refuse_frame(file, reading)
        return read_frame(file, reading.at)
    if not is_photo(file):
        return read_one(file, reading, body)
    if reading.at is not None or reading.frame is not None:
        raise PoseQueryError(f"{file} is a picture and has no seconds; leave --at and --frame out")
    return open_photo(file)


def read_frame(film: Path, seconds: float | None) -> UInt8[np.ndarray, "_ _ 3"]:
    """Return the frame of a film that is shown then; without a time the first, and say so."""
    from unipose.files.film import open_film  # 0.2 s, and seldom needed

    if seconds is None:
        print(f"note: {film} is a film; this is its first frame", file=sys.stderr)
    return open_film(film).frame_at(seconds or 0.0).pixels


def read_asked(
    file: Path, reading: ReadOptions, body: Body | None
) -> Pose | UInt8[np.ndarray, "_ _ 3"]:
    """Return what a question is about: a pose, the pose at a time, a recording, a photo, a film.

    Of a film without a time it is the motion of whoever is seen longest.
    """
    if is_film(file) and reading.at is None:
        _refuse_frame(file, reading)
        return read_motion(file)
    if is_photo(file) or is_film(file):
        return read_shown(file, reading, body)
    return read_poses(file, reading, body)


def read_motion(film: Path, progress: Progress | None = None) -> Pose:
    """Return the motion of whoever is seen longest in a film; FileError if nobody is."""
    from unipose.files.film import FOLDER_FPS, open_film
    from unipose.vision.film_motion import FilmMotionConfig, follow_film, people_in_frames
    from unipose.vision.landmark_estimator import LandmarkEstimator

    reader, config = open_film(film), FilmMotionConfig()
    frames: Iterable[Any] = reader.frames()
    if progress is not None:
        frames = progress(frames, reader.count, "frames")
    seen = people_in_frames(frames, LandmarkEstimator(), config)
    motions = follow_film(seen, fps=reader.fps or FOLDER_FPS, config=config)
    if not motions:
        raise FileError(film, "shows nobody who can be followed.")
    longest = max(motions, key=lambda motion: len(motion.poses))
    if longest.start_s > 0:
        print(
            f"note: seconds are counted from when the person appears, at {longest.start_s:.1f} s",
            file=sys.stderr,
        )
    return replace(longest.poses, translation=None)  # before a camera there is no floor


def _refuse_frame(film: Path, reading: ReadOptions) -> None:
    if reading.frame is not None:
        raise PoseQueryError(f"{film} is a film; --at SECONDS names a moment of it, not --frame")


def check_drawn(picture: Path, source: Path, *, ending: str = "") -> None:
    """Check where something is drawn to before any work is done.

    `ending` is the one it must have; without it that of a photo. Raises PoseQueryError, also for
    the very file that is read, or a folder that does not exist.
    """
    endings = (ending,) if ending else PHOTO_ENDINGS
    if picture.suffix.lower() not in endings:
        raise PoseQueryError(f"{picture} has to end in {' or '.join(endings)}")
    refuse_own(picture, source)
    if not picture.parent.is_dir():
        raise PoseQueryError(f"the folder of {picture} does not exist; make it first")


def refuse_own(out: Path, source: Path) -> None:
    """Raise PoseQueryError if a result would be written over what is read."""
    if out.resolve() == source.resolve():
        raise PoseQueryError(f"{out} would be written over; name another file")


def draw_reading(pixels: UInt8[np.ndarray, "_ _ 3"], person: PersonInImage, out: Path) -> None:
    """Write a photo with the keypoints that were seen, and beside it with the body that was read.

    Eyes that look for no keypoints leave the first half as it is, and those that tell no place the
    second.
    """
    from unipose.render.overlay import draw_bodies
    from unipose.render.skeleton import draw_keypoints

    seen = pixels if person.keypoints is None else draw_keypoints(pixels, [person.keypoints])
    placed = person.camera is not None
    over = draw_bodies(pixels, [person], load_body()) if placed else pixels
    with written_whole(out) as temporary:
        Image.fromarray(np.concatenate([seen, over], axis=1)).save(temporary)


def draw_changes(before: Pose, after: Pose, out: Path, body: Body | None) -> None:
    """Write a picture of two poses, and of how far everything moved from one to the other."""
    from unipose.files.smpl_parameters import on_body
    from unipose.render.comparison import draw_comparison

    body = load_body() if body is None else body
    drawn = draw_comparison(on_body(before, body), on_body(after, body), body)
    with written_whole(out) as temporary:
        Image.fromarray(drawn).save(temporary)


def write(poses: Pose, out: Path, body: Body | None) -> list[str]:
    """Write the poses into one file, or each into its own where the format holds only one."""
    if len(poses) == 1 or out.suffix.lower() in HOLD_SEVERAL:
        return [str(save_pose(poses, out, body=body))]
    return [
        str(save_pose(poses[i], out.with_stem(f"{out.stem}-{i + 1}"), body=body))
        for i in range(len(poses))
    ]
