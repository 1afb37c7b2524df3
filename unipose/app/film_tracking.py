"""`unipose track`: the motion of everybody in a film, in files and drawn over the film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from unipose.app.pose_input import KEEP_PLACE, Progress
from unipose.app.wording import short_tracks
from unipose.body.body import Body
from unipose.body.people import PersonInImage
from unipose.errors import FileError
from unipose.files import save_pose
from unipose.files.film import FOLDER_FPS, FilmFrame, FilmReader
from unipose.files.film_writer import film_writer
from unipose.files.notes import add_note
from unipose.render.overlay import draw_bodies
from unipose.render.skeleton import draw_keypoints
from unipose.vision.film_motion import (
    FEWEST_SIGHTINGS,
    FilmMotion,
    FilmMotionConfig,
    follow_film,
    people_in_frames,
)
from unipose.vision.landmark_estimator import LandmarkEstimator


def track_film(
    film: FilmReader, estimator: LandmarkEstimator, config: FilmMotionConfig, progress: Progress
) -> list[FilmMotion]:
    """Return the motions in a film; FileError if nobody can be followed in it.

    A FileNote says what is too short.
    """
    frames = progress(film.frames(), film.count, "tracking")
    short: list[tuple[int, int]] = []
    motions = follow_film(
        people_in_frames(frames, estimator, config), fps=film.fps or FOLDER_FPS, config=config,
        on_left_out=short.append,
    )  # fmt: skip
    fewest = f"{FEWEST_SIGHTINGS} frames or {config.shortest_s:g} s"
    left_out = short_tracks(short, fewest, "a larger --gap joins pieces of one person")
    if not motions:
        raise FileError(film.path, f"shows nobody who can be followed. {left_out}".strip())
    if left_out:
        add_note(film.path, left_out)
    return motions


def save_motions(motions: Sequence[FilmMotion], out: Path, body: Body | None) -> list[Path]:
    """Write each motion into a file: OUT, or OUT-1, OUT-2 ... if there are several."""
    poses = [motion.poses for motion in motions]
    if out.suffix.lower() not in KEEP_PLACE:
        poses = [replace(one, translation=None) for one in poses]
    if len(poses) == 1:
        return [save_pose(poses[0], out, body=body)]
    return [
        save_pose(one, out.with_stem(f"{out.stem}-{i}"), body=body)
        for i, one in enumerate(poses, start=1)
    ]


def draw_film(
    film: FilmReader, motions: Sequence[FilmMotion], out: Path, body: Body, progress: Progress
) -> None:
    """Write the film with bodies as they were smoothed, and with the keypoints that were seen."""
    with film_writer(out, fps=film.fps or FOLDER_FPS) as writer:
        for frame in progress(film.frames(), film.count, "drawing"):
            pixels = draw_bodies(frame.pixels, _bodies(motions, frame), body)
            writer.add(_with_keypoints(pixels, motions, frame), seconds=frame.seconds)


def _bodies(motions: Sequence[FilmMotion], frame: FilmFrame) -> list[PersonInImage]:
    found = []
    for motion in motions:
        assert motion.poses.fps is not None
        row = round((frame.seconds - motion.start_s) * motion.poses.fps)
        if 0 <= row < len(motion.poses):
            camera = motion.track.people[0].camera
            found.append(PersonInImage(pose=motion.poses[row], camera=camera))
    return found


def _with_keypoints(
    pixels: np.ndarray, motions: Sequence[FilmMotion], frame: FilmFrame
) -> np.ndarray:
    tracks = {motion.person: motion.track for motion in motions}
    seen = [
        track.people[track.frames.index(frame.number)].keypoints
        for track in tracks.values()
        if frame.number in track.frames
    ]
    return draw_keypoints(pixels, [keypoints for keypoints in seen if keypoints is not None])
