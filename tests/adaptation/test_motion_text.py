"""The motion-text space: unit vectors, padding counts for nothing, layouts load strictly."""

from __future__ import annotations

from pathlib import Path

import pytest
import roma
import torch

from unipose.adaptation.dictionary import MotionDictionary
from unipose.adaptation.motion_clip import MotionClip
from unipose.errors import ConfigError, FileError, MissingFileError, PoseQueryError, WeightsError
from unipose.language.text_features import plain_label
from unipose.retrieval.motion_text import (
    MotionSpace,
    MotionTextConfig,
    MotionTextModel,
    motion_statistics,
    position_code,
)

STATISTICS = MotionTextConfig(
    encoder="statistics", latent=16, heads=2, feed_forward=16, text_hidden=16, text_width=8
)
TINY = MotionTextConfig(
    latent=16, depth=1, heads=2, feed_forward=16, frames_per_token=4, text_hidden=16, text_width=8
)


def motions(count: int, frames: int) -> torch.Tensor:
    torch.manual_seed(frames)
    return roma.random_rotmat(count * frames * 22).view(count, frames, 22, 3, 3)


@pytest.mark.parametrize("config", [TINY, STATISTICS], ids=["transformer", "statistics"])
def test_both_sides_end_in_unit_vectors_and_gradients_reach_rotations(config: MotionTextConfig):
    model = MotionTextModel(config).eval()
    assert isinstance(model, MotionSpace)
    moving = motions(2, 10).requires_grad_()
    seen = model.encode_motion(moving)
    assert seen.norm(dim=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert model.encode_text(torch.randn(3, 8)).norm(dim=1).tolist() == pytest.approx([1.0] * 3)
    seen[:, 0].sum().backward()
    assert moving.grad is not None
    assert float(moving.grad.abs().sum()) > 0


@pytest.mark.parametrize("config", [TINY, STATISTICS], ids=["transformer", "statistics"])
def test_frames_that_are_not_there_count_for_nothing(config: MotionTextConfig):
    model = MotionTextModel(config).eval()
    short = motions(1, 9)
    padded = torch.cat([short, motions(1, 11)], dim=1)
    present = (torch.arange(20) < 9)[None]
    same = model.encode_motion(padded, present)
    assert torch.allclose(same, model.encode_motion(short), atol=1e-5)


def test_statistics_are_mean_spread_and_change():
    angles = torch.tensor([0.0, 0.2, 0.0, 0.2])
    turns = torch.zeros(1, 4, 22, 3)
    turns[0, :, 5, 2] = angles
    rotations = roma.rotvec_to_rotmat(turns)
    numbers = motion_statistics(rotations, torch.ones(1, 4, dtype=torch.bool)).view(3, 22, 6)
    sine = float(torch.sin(torch.tensor(0.2)))
    assert numbers[:, 5, 1].tolist() == pytest.approx([sine / 2, sine / 2, 10 * sine], abs=2e-3)
    assert numbers[1, 4].abs().max() < 2e-3
    still = motion_statistics(rotations[:, :1], torch.ones(1, 1, dtype=torch.bool)).view(3, -1)
    assert still[1:].abs().max() < 2e-3


def test_the_default_is_tmrs_size():
    with torch.device("meta"):
        model = MotionTextModel(MotionTextConfig())
    layers = sum(w.numel() for w in model.motion.layers.parameters())
    assert layers == 6 * 789_760  # 6 layers of width 256, 4 heads, 1024 in between
    with pytest.raises(ConfigError, match="do not share out"):
        MotionTextConfig(latent=10, heads=4)


def test_what_is_saved_is_loaded_and_nothing_else(tmp_path: Path):
    model = MotionTextModel(TINY)
    model.text.standardise(torch.randn(5, 8))
    model.save_pretrained(tmp_path)
    again = MotionTextModel.from_pretrained(tmp_path)
    moving = motions(1, 8)
    assert torch.allclose(
        again.encode_motion(moving), model.eval().encode_motion(moving), atol=1e-5
    )
    assert not any(weight.requires_grad for weight in again.parameters())
    (tmp_path / "config.json").write_text('{"latent": 16, "wings": 2}')
    with pytest.raises(WeightsError, match="is no configuration"):
        MotionTextModel.from_pretrained(tmp_path)
    with pytest.raises(MissingFileError, match="no motion-text model"):
        MotionTextModel.from_pretrained(tmp_path / "nothing")


def test_motion_clip_has_its_published_layout():
    with torch.device("meta"):
        weights = MotionClip().state_dict()
    assert weights["muQuery"].shape == (1, 512)
    assert weights["skelEmbedding.weight"].shape == (512, 150)
    assert weights["sequence_pos_encoder.pe"].shape == (5000, 1, 512)
    assert weights["seqTransEncoder.layers.7.linear1.weight"].shape == (1024, 512)
    assert len(weights) == 2 + 2 + 1 + 8 * 12


@pytest.mark.slow
def test_motion_clip_loads_strictly_and_says_unit_vectors(tmp_path: Path):
    theirs = MotionClip()
    weights = {f"encoder.{name}": value for name, value in theirs.state_dict().items()}
    torch.save(weights | {"decoder.actionBiases": torch.zeros(1, 512)}, tmp_path / "clip.pth.tar")
    ours = MotionClip()
    ours.load_published(tmp_path / "clip.pth.tar")
    moving = motions(2, 60)
    assert isinstance(ours, MotionSpace)
    assert torch.equal(ours.encode_motion(moving), theirs.encode_motion(moving))
    present = (torch.arange(60) < 40).expand(2, -1)
    cut = ours.encode_motion(moving[:, :40])
    assert torch.allclose(ours.encode_motion(moving, present), cut, atol=1e-5)
    weights.pop("encoder.muQuery")
    torch.save(weights, tmp_path / "less.pth.tar")
    with pytest.raises(WeightsError, match="muQuery"):
        ours.load_published(tmp_path / "less.pth.tar")


def test_places_have_the_code_of_vaswani():
    code = position_code(3, torch.zeros(1, 4))
    assert code[0].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert code[2].tolist() == pytest.approx([0.9093, -0.4161, 0.02, 0.9998], abs=1e-4)


def test_names_of_actions_are_plain_words():
    assert plain_label("JumpTwist") == "jump twist"
    assert plain_label("  Run  Duck_Underneath") == "run duck underneath"


def test_the_dictionary_is_kept_and_unknown_labels_are_named(tmp_path: Path):
    roots = roma.random_rotmat(2 * 60).view(2, 60, 3, 3)
    points = torch.nn.functional.normalize(torch.randn(3, 16), dim=1)
    known = MotionDictionary(
        labels=("run", "run fast", "walk"), points=points, recorded=("run", "walk"), roots=roots,
        exemplar=torch.tensor([0, 0, 1]), anchors=points[:1], anchor_roots=roots[:1],
    )  # fmt: skip
    known.save(tmp_path)
    again = MotionDictionary.load(tmp_path)
    assert again.labels == known.labels
    assert again.exemplar.tolist() == [0, 0, 1]
    assert torch.allclose(again.roots, roots, atol=2e-3)
    with pytest.raises(PoseQueryError, match=r"no label 'run far' .like it: run, run fast"):
        again.index("run far")
    (tmp_path / "dictionary.json").write_text('{"labels": []}')
    with pytest.raises(FileError, match="no whole motion dictionary"):
        MotionDictionary.load(tmp_path)
