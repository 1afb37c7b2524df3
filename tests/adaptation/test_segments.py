"""Segments of two seconds, labels on which their frames agree, and the file people correct."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unipose.adaptation.calibration import threshold_of
from unipose.adaptation.segments import (
    FilmSegment,
    cut_film,
    labelled,
    read_segments,
    write_segments,
)
from unipose.errors import ConfigError, FileError


def spans(segments: list[FilmSegment]) -> list[tuple[int, int]]:
    return [(one.start, one.end) for one in segments]


@pytest.mark.parametrize(
    ("frames", "fps", "expected"),
    [
        (130, 30.0, [(0, 60), (60, 130)]),
        (150, 30.0, [(0, 60), (60, 120), (120, 150)]),
        (40, 30.0, [(0, 40)]),
        (60, 15.0, [(0, 30), (30, 60)]),
    ],
)
def test_a_film_is_cut_into_two_seconds(frames: int, fps: float, expected: list[tuple[int, int]]):
    assert spans(cut_film(frames, fps=fps)) == expected


def test_frames_that_disagree_leave_their_segment_without_a_label():
    segments = [FilmSegment(start=0, end=2), FilmSegment(start=2, end=4)]
    found = labelled(segments, ["walk", "walk", "walk", "jump"])
    assert [one.label for one in found] == ["walk", ""]
    assert [one.pulls for one in found] == [True, False]
    with pytest.raises(ConfigError, match="labels of 4 frames, got 3"):
        labelled(segments, ["walk"] * 3)


def test_a_label_file_comes_back_as_it_was_corrected(tmp_path: Path):
    path = tmp_path / "labels.json"
    segments = [
        FilmSegment(start=0, end=60, label="walk", description="goes", consistency=0.31),
        FilmSegment(start=60, end=90, label="golf", used=False, person=2),
    ]
    write_segments(segments, path, asked="somebody")
    assert read_segments(path) == segments
    path.write_text('[{"start": 0, "end": 5, "label": "walk"}]')
    assert read_segments(path) == [FilmSegment(start=0, end=5, label="walk")]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"people": []}', "no list of segments"),
        ('[{"start": 0, "end": 5}]', "segment 0 has no 'label'"),
        ('[{"start": 0, "end": 5, "label": 3}]', "label is 3"),
        ('[{"start": true, "end": 5, "label": ""}]', "start is True"),
        ('[{"start": 5, "end": 5, "label": ""}]', "0 <= start < end"),
        ('[{"start": 0, "end": 5, "label": "", "mood": 1}]', "unknown field 'mood'"),
        ("[3]", "segment 0 is no object"),
    ],
)
def test_a_broken_label_file_is_named(tmp_path: Path, text: str, problem: str):
    path = tmp_path / "labels.json"
    path.write_text(text)
    with pytest.raises(FileError, match=problem):
        read_segments(path)


def test_a_threshold_accepts_its_share():
    assert threshold_of(torch.tensor([0.1, 0.4, 0.6, 0.9]), accepted=0.5) == pytest.approx(0.5)
    with pytest.raises(ConfigError, match="a share"):
        threshold_of(torch.tensor([0.1]), accepted=1.0)
