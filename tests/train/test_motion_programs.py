"""The trainers of the motion-text space and of the denoiser: debug runs, resumes, losses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import roma
import torch
from safetensors.torch import load_file

from train import motion_denoiser, motion_text
from train.motion_denoiser import RecordedWindows, validate
from train.motion_text import clusters, made_up_motions, standing_of_texts
from train.motion_text_learner import (
    MotionTextLearner,
    MotionTextLosses,
    shaken,
    with_parts_of,
)
from unipose.adaptation.denoiser import DenoiserConfig, MotionDenoiser
from unipose.adaptation.dictionary import MotionDictionary
from unipose.retrieval.motion_text import MotionTextModel

TEXT, DENOISER = motion_text.PRESETS["debug"], motion_denoiser.PRESETS["debug"]


@pytest.mark.slow
def test_a_motion_text_run_resumes_to_the_same_weights(tmp_path: Path):
    unbroken = replace(TEXT, out=tmp_path / "whole")
    motion_text.main(unbroken)
    broken = replace(TEXT, out=tmp_path / "broken")
    motion_text.main(broken)
    for path in sorted((tmp_path / "broken").glob("step-*"))[1:]:
        path.unlink()
    motion_text.main(broken)
    whole, again = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    dictionary = MotionDictionary.load(tmp_path / "whole/model")
    assert "raise the right arm" in dictionary.labels
    assert "raise the left arm" in dictionary.recorded
    assert len(dictionary.anchors) == 2


@pytest.mark.slow
def test_a_denoiser_run_resumes_to_the_same_weights(tmp_path: Path):
    for name in ("whole", "broken"):
        motion_denoiser.main(replace(DENOISER, out=tmp_path / name))
    for path in sorted((tmp_path / "broken").glob("step-*"))[1:]:
        path.unlink()
    motion_denoiser.main(replace(DENOISER, out=tmp_path / "broken"))
    whole, again = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    assert MotionDenoiser.from_pretrained(tmp_path / "whole/model").config.frames == 9


@pytest.mark.slow
def test_the_space_learns_three_motions_by_heart():
    torch.manual_seed(0)
    motions = made_up_motions(seed=0)
    model = MotionTextModel(TEXT.model)
    features = torch.randn(len(motions.texts), TEXT.model.text_width)
    model.text.standardise(features)
    learner = MotionTextLearner(model, MotionTextLosses(contrast=1.0), depth=1, noise=0.1)
    optimizer = torch.optim.AdamW(learner.parameters(), lr=5e-3)
    losses = []
    for step in range(80):
        generator = torch.Generator().manual_seed(step)
        loss, parts = learner(motions.draw(24, generator), features)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(parts["contrast"].detach()))
    assert losses[-1] < 0.5 * losses[0]
    scores = standing_of_texts(motions.segments(), model.eval(), features)
    assert scores["motion_to_text_at_1"] == 1.0
    assert scores["chance_motion_to_text_at_1"] == pytest.approx(1 / 3)


def test_errors_of_motions_are_as_large_as_said():
    motions = roma.random_rotmat(4 * 6 * 22).view(4, 6, 22, 3, 3)
    assert shaken(motions, 0.0) is motions
    torch.manual_seed(0)
    off = roma.rotmat_geodesic_distance(shaken(motions, 0.1), motions)
    assert 0.01 < float(off.mean()) < 0.2


def test_one_part_of_each_motion_is_the_donor_s():
    own, other = torch.zeros(1, 3, 22, 3, 3), torch.ones(1, 3, 22, 3, 3)
    other += torch.arange(3)[None, :, None, None, None]
    torch.manual_seed(0)
    mixed = with_parts_of(torch.cat([own, other]).repeat(20, 1, 1, 1, 1), torch.arange(40) ^ 1)
    taken = mixed[::2, :, :, 0, 0] > 0
    assert set(taken.any(1).sum(1).tolist()) == {5, 8}  # trunk, or legs or arms
    assert not bool(taken[:, :, 0].any())  # the root stays
    moving = mixed[::2].amax((2, 3, 4)).tolist()
    assert [1.0, 1.0, 1.0] in moving
    assert [1.0, 2.0, 3.0] in moving


def test_clusters_are_found():
    middles = torch.eye(3)
    points = torch.nn.functional.normalize(middles.repeat(20, 1) + 0.05 * torch.randn(60, 3), dim=1)
    found = clusters(points, 3)
    assert torch.allclose((found @ middles.mT).amax(0), torch.ones(3), atol=0.01)


def test_windows_stay_within_their_recording_and_errors_are_measured():
    motions = motion_denoiser._motions(DENOISER, "train")
    windows = RecordedWindows(motions, 100)  # longer than the recording: its last pose stays
    drawn = windows.draw(2, torch.Generator().manual_seed(0), tilt=0.0)
    assert torch.allclose(drawn[:, 79], drawn[:, 99])
    assert torch.allclose(drawn @ drawn.mT, torch.eye(3).expand_as(drawn), atol=1e-4)
    scores = validate(
        MotionDenoiser(DenoiserConfig(frames=9, blocks=1)), RecordedWindows(motions, 9), tilt=0.0
    )
    assert scores["noisy_deg"] == pytest.approx(18.3, abs=1.0)  # 0.2 rad times the mean of chi 3
