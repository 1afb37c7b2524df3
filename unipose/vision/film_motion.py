"""From a film to each person's motion: found, followed, lifted to poses, gaps bridged, smoothed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from unipose.body.people import ImagePeople, PersonInImage, Track
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.files.film import FilmFrame
from unipose.vision.film_people import LOOK_EVERY_S, bodies_in_frames
from unipose.vision.gaps import bridge_poses
from unipose.vision.landmark_estimator import LandmarkEstimator
from unipose.vision.side_flips import restore_sides
from unipose.vision.smoothing import smooth_poses
from unipose.vision.tracking import PeopleTracker, TrackerConfig

NO_GAP_FRAMES = 1.5
"""Sightings so close are neighbours."""
FEWEST_SIGHTINGS = 3
"""Who is seen in fewer frames is nobody who is followed."""
HIGHEST_CUTOFF = 0.45
"""Of the frame rate: what smoothing at most lets through of a slow film."""
OnLeftOut = Callable[[tuple[int, int]], None]
"""Takes the first and the last frame of a track, or a part of one, that is too short."""


@dataclass(frozen=True, kw_only=True)
class FilmMotionConfig:
    """How people are followed; ConfigError if the numbers make no sense."""

    longest_gap_s: float = 0.5
    """Shorter ones are bridged; at longer ones a motion ends and another begins."""
    cutoff_hz: float = 4.0
    """What is faster is taken for trembling (zero phase: no delay); 0 leaves everything. Of 2, 3, 4
    and 6 Hz the one with the least PA-MPJPE on the studio's films of validation."""
    shortest_s: float = 0.3
    """Motions that are shorter are left out."""
    look_every_s: float = LOOK_EVERY_S
    """How often the whole frame is searched; in between people are followed."""
    sure: float = 0.4
    """Confidence from which somebody new is followed (0 to 1)."""

    def __post_init__(self) -> None:
        if min(self.longest_gap_s, self.cutoff_hz, self.shortest_s, self.look_every_s) < 0:
            raise ConfigError(f"expected times and frequencies from 0 up, got {self}")


@dataclass(frozen=True, kw_only=True, eq=False)
class FilmMotion:
    """One person in a film without a gap."""

    person: int
    """Which person, from 0 in the order in which they appear."""
    start_s: float
    """From the film's start."""
    poses: Pose
    """Evenly spaced, with `fps`; in the viewer's axes, with betas and place before the camera."""
    track: Track
    """The person as they were seen, frame by frame, in the whole film."""
    exchanged: tuple[int, ...]
    """Frames whose left and right were exchanged: what they said is not used."""


def people_in_frames(
    frames: Iterable[FilmFrame], estimator: LandmarkEstimator, config: FilmMotionConfig
) -> Iterator[tuple[FilmFrame, ImagePeople]]:
    """Give each frame with the people in it: box, keypoints, pose and camera."""
    found = bodies_in_frames(frames, estimator.detector, look_every_s=config.look_every_s)
    waiting: tuple[FilmFrame, Future[tuple[PersonInImage, ...]]] | None = None

    def lift(frame: FilmFrame, bodies: list[PersonInImage]) -> tuple[PersonInImage, ...]:
        return estimator.placed(estimator.detector.landmarks(frame.pixels, bodies), _size(frame))

    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as lifting:
        for frame, bodies in found:
            # bodies of one frame are lifted while those of the next are looked for
            job = lifting.submit(lift, frame, bodies)
            if waiting is not None:
                yield _placed(*waiting)
            waiting = frame, job
        if waiting is not None:
            yield _placed(*waiting)


def _placed(
    frame: FilmFrame, people: Future[tuple[PersonInImage, ...]]
) -> tuple[FilmFrame, ImagePeople]:
    return frame, ImagePeople(image=str(frame.number), people=people.result(), size_px=_size(frame))


def _size(frame: FilmFrame) -> tuple[int, int]:
    height, width = frame.pixels.shape[:2]
    return width, height


def follow_film(
    people: Iterable[tuple[FilmFrame, ImagePeople]],
    *,
    fps: float,
    config: FilmMotionConfig | None = None,
    on_left_out: OnLeftOut | None = None,
) -> list[FilmMotion]:
    """Return the motions in a film of `fps` frames per second, in the order of their persons.

    `on_left_out` is called with what is too short for a motion. Only what was seen is kept of the
    frames, so that memory does not grow with their size.
    """
    config = config or FilmMotionConfig()
    tracker = PeopleTracker(
        TrackerConfig(sure=config.sure, wait_s=max(1.0, config.longest_gap_s, 3 / fps), fewest=1),
        fps=fps,
    )
    end_s = 0.0
    for frame, image in people:
        tracker.update(image, frame.seconds, frame=frame.number)
        end_s = frame.seconds
    times = torch.arange(round(end_s * fps) + 1, dtype=torch.float64) / fps
    motions: list[FilmMotion] = []
    person = 0
    left_out = on_left_out or (lambda frames: None)
    for track in tracker.tracks():
        if len(track) < FEWEST_SIGHTINGS:
            left_out((track.frames[0], track.frames[-1]))
            continue
        motions += _motions(person, track, times, fps, config, left_out)
        person += 1
    return motions


def _motions(
    person: int,
    track: Track,
    times: torch.Tensor,
    fps: float,
    config: FilmMotionConfig,
    left_out: OnLeftOut,
) -> list[FilmMotion]:
    assert track.seconds is not None
    _, rows = restore_sides(track.keypoints)
    exchanged = set(rows)
    kept = [i for i in range(len(track)) if i not in exchanged]
    if not kept:
        left_out((track.frames[0], track.frames[-1]))
        return []
    seconds = torch.tensor([track.seconds[i] for i in kept], dtype=torch.float64)
    poses = track.poses[torch.tensor(kept)]
    motions = []
    # frames that follow each other are no gap, wherever their times lie between those of the grid
    longest_s = max(config.longest_gap_s, NO_GAP_FRAMES / fps)
    for start, stretch in bridge_poses(poses, seconds, times, longest_s=longest_s):
        if len(stretch) < max(2, config.shortest_s * fps):
            shown = times[start : start + len(stretch)].tolist()
            left_out((_frame_at(track, shown[0]), _frame_at(track, shown[-1])))
            continue
        moving = replace(stretch, fps=fps)
        cutoff_hz = min(config.cutoff_hz, HIGHEST_CUTOFF * fps)
        motions.append(
            FilmMotion(
                person=person,
                start_s=float(times[start]),
                poses=smooth_poses(moving, cutoff_hz=cutoff_hz) if cutoff_hz else moving,
                track=track,
                exchanged=tuple(track.frames[i] for i in rows),
            )
        )
    return motions


def _frame_at(track: Track, seconds: float) -> int:
    """Return the frame of the sighting nearest to a time."""
    assert track.seconds is not None
    return min(zip(track.seconds, track.frames), key=lambda seen: abs(seen[0] - seconds))[1]
