"""Pieces of recorded motions with the names of their actions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from data_builders.labelled_motions import (
    SHORTEST,
    LabelledMotions,
    from_front,
    mirrored,
    read_descriptions,
)
from data_builders.studio.motions import Motions, Take
from unipose.body.facing import yaw_of
from unipose.errors import ConfigError, FileError


def take(label: str, frames: int, seed: int) -> Take:
    generator = torch.Generator().manual_seed(seed)
    turns = torch.randn(frames, 24, 3, generator=generator) * 0.3
    rotations = roma.rotvec_to_rotmat(turns).numpy()
    return Take(
        name=f"{seed}.bvh", label=label, source="made", rotations=rotations,
        path=np.zeros((frames, 3)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def motions() -> LabelledMotions:
    takes = [take("Walk", 150, 1), take("kick with the left foot", 40, 2), take("", 50, 3)]
    return LabelledMotions(Motions(takes, fps=30.0))


def test_texts_are_plain_and_have_their_mirror_image(motions: LabelledMotions):
    assert motions.texts == ["kick with the left foot", "kick with the right foot", "walk"]


def test_a_recording_is_cut_into_segments(motions: LabelledMotions):
    segments = motions.segments()
    assert segments.present.sum(1).tolist() == [60, 60, 30, 40]
    assert [motions.texts[i] for i in segments.text.tolist()] == ["walk"] * 3 + [
        "kick with the left foot"
    ]
    assert torch.allclose(yaw_of(segments.rotations[:, 0, 0]), torch.zeros(4), atol=1e-5)
    last = segments.rotations[2]
    assert torch.equal(last[29], last[59])  # what is not there repeats the last pose


def test_a_draw_follows_its_generator_and_mirrors_names_with_poses(motions: LabelledMotions):
    first, again = (motions.draw(64, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.rotations, again.rotations)
    assert set(first.text.tolist()) == {0, 1, 2}
    assert int(first.present.sum(1).min()) >= SHORTEST // 2
    assert torch.allclose(yaw_of(first.rotations[:, 0, 0]), torch.zeros(64), atol=1e-4)


def test_a_mirror_undoes_itself_and_facing_front_keeps_the_motion():
    rotations = roma.random_rotmat(2 * 3 * 22).view(2, 3, 22, 3, 3)
    assert torch.allclose(mirrored(mirrored(rotations)), rotations)
    facing = from_front(rotations)
    before = rotations[:, 0, 0].mT @ rotations[:, 2, 0]
    assert torch.allclose(facing[:, 0, 0].mT @ facing[:, 2, 0], before, atol=1e-5)


def test_recordings_without_names_teach_nothing():
    with pytest.raises(ConfigError, match="name of an action"):
        LabelledMotions(Motions([take("", 50, 3)], fps=30.0))


def test_descriptions_come_from_the_index(tmp_path: Path):
    assert read_descriptions(tmp_path) == []
    index = tmp_path / "cmu-index.csv"
    index.write_text("trial,text\n01_01,JumpTwist\n01_02,walk\n01_03,walk\n01_04,\n")
    assert read_descriptions(tmp_path) == ["jump twist", "walk"]
    index.write_text("trial,words\n01_01,walk\n")
    with pytest.raises(FileError, match="no column 'text'"):
        read_descriptions(tmp_path)
