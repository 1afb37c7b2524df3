"""Motions out of the people of frames: no frame is lost between the grid's times and the film's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.fakes.walkers import person, walker_points
from unipose.body.people import ImagePeople, PersonInImage
from unipose.body.pose import Pose
from unipose.files.film import FilmFrame
from unipose.vision.film_motion import FilmMotionConfig, follow_film

BLACK = np.zeros((4, 4, 3), dtype=np.uint8)
NOBODY = ImagePeople(image="", people=())


def walking(seconds: list[float]) -> list[tuple[FilmFrame, ImagePeople]]:
    """Return the frames of a film in which one person stands, shown at these times."""
    frames = []
    for number, when in enumerate(seconds):
        seen = person(walker_points(300.0, phase=0.0))
        posed = PersonInImage(
            box=seen.box, keypoints=seen.keypoints, confidence=0.9,
            pose=Pose(rotations=torch.eye(3).repeat(1, 24, 1, 1), betas=torch.zeros(1, 10)),
        )  # fmt: skip
        frame = FilmFrame(number=number, seconds=when, pixels=BLACK)
        frames.append((frame, ImagePeople(image=str(number), people=(posed,))))
    return frames


@pytest.mark.slow
@pytest.mark.parametrize("fps", [25.0, 30000 / 1001, 3.0])
@pytest.mark.parametrize("stamps", ["exact", "milliseconds", "varying"])
def test_frames_that_follow_each_other_are_no_gap(fps, stamps):
    count = 1000 if stamps == "exact" else 60
    seconds = [i / fps for i in range(count)]
    if stamps == "milliseconds":
        seconds = [round(one, 3) for one in seconds]
    if stamps == "varying":
        seconds = [(i + 0.3 * (i % 2)) / fps for i in range(count)]
    config = FilmMotionConfig(longest_gap_s=0.0)
    (motion,) = follow_film(walking(seconds), fps=fps, config=config)
    assert motion.start_s == 0.0
    assert len(motion.poses) >= count - 1
    assert motion.poses.fps == fps


def test_a_gap_that_is_not_bridged_ends_a_motion():
    frames = [one for one in walking([i / 10 for i in range(40)]) if not 10 <= one[0].number < 17]
    parts = follow_film(frames, fps=10.0, config=FilmMotionConfig(longest_gap_s=0.5))
    assert [(m.person, round(m.start_s, 1), len(m.poses)) for m in parts] == [
        (0, 0.0, 10), (0, 1.7, 23),
    ]  # fmt: skip
    (whole,) = follow_film(frames, fps=10.0, config=FilmMotionConfig(longest_gap_s=0.9))
    assert len(whole.poses) == 40


def test_what_is_too_short_for_a_motion_is_told_with_its_frames():
    walked = walking([i / 10 for i in range(40)])
    frames = [
        (frame, people if not 10 <= frame.number < 17 and not 19 <= frame.number < 35 else NOBODY)
        for frame, people in walked
    ]
    left_out: list[tuple[int, int]] = []
    motions = follow_film(frames, fps=10.0, on_left_out=left_out.append)
    assert [(m.person, len(m.poses)) for m in motions] == [(0, 10), (1, 5)]
    assert left_out == [(17, 18)]
    left_out.clear()
    assert follow_film(frames[10:19], fps=10.0, on_left_out=left_out.append) == []
    assert left_out == [(17, 18)]
