"""The projector: two eyes side by side become tokens of the language model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unipose.errors import ConfigError, WeightsError
from unipose.vision.pose_vit import on_square_grid
from unipose.vision.projector import ProjectorConfig, VisualProjector

SMALL = ProjectorConfig(clip=6, pose=4, width=8)


def test_the_published_projector_has_26_2_million_weights():
    with torch.device("meta"):
        projector = VisualProjector(ProjectorConfig())
        tokens = projector(torch.zeros(2, 576, 1024), torch.zeros(2, 1280, 16, 12))
    assert tokens.shape == (2, 576, 4096)
    assert sum(p.numel() for p in projector.parameters()) == 26_222_592


def test_clips_channels_come_first_and_the_map_lies_over_them():
    projector = VisualProjector(SMALL)
    clip, pose = torch.randn(2, 9, 6), torch.randn(2, 4, 4, 3)
    together = torch.cat([clip, on_square_grid(pose, 3)], dim=2)
    torch.testing.assert_close(projector(clip, pose), projector.layers(together))


def test_the_pose_vit_can_look_alone():
    projector = VisualProjector(ProjectorConfig(clip=0, pose=4, width=8))
    assert projector(None, torch.randn(2, 4, 8, 6)).shape == (2, 64, 8)
    with pytest.raises(ConfigError, match="exactly if"):
        projector(torch.randn(2, 64, 3), torch.randn(2, 4, 8, 6))
    with pytest.raises(ConfigError, match="exactly if"):
        VisualProjector(SMALL)(None, torch.randn(2, 4, 8, 6))
    with pytest.raises(ConfigError, match="a square of patches, got 10"):
        VisualProjector(SMALL)(torch.randn(2, 10, 6), torch.randn(2, 4, 8, 6))


def test_no_pictures_give_no_tokens():
    assert VisualProjector(SMALL)(torch.randn(0, 9, 6), torch.randn(0, 4, 4, 3)).shape == (0, 9, 8)


def test_gradients_reach_both_layers_and_both_eyes():
    projector = VisualProjector(SMALL)
    clip = torch.randn(2, 9, 6, requires_grad=True)
    pose = torch.randn(2, 4, 4, 3, requires_grad=True)
    projector(clip, pose).square().sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in (clip, pose, *projector.parameters()))


def test_llavas_second_layer_is_taken_over_and_the_first_stays_fresh(tmp_path: Path):
    torch.manual_seed(0)
    projector = VisualProjector(SMALL)
    first = projector.layers[0].weight.clone()
    state = {
        "model.mm_projector.0.weight": torch.zeros(8, 6),
        "model.mm_projector.0.bias": torch.zeros(8),
        "model.mm_projector.2.weight": torch.ones(8, 8),
        "model.mm_projector.2.bias": torch.ones(8),
        "model.embed_tokens.weight": torch.zeros(3, 8),
    }
    torch.save(state, tmp_path / "mm_projector.bin")
    projector.start_from_llava(tmp_path / "mm_projector.bin")
    assert torch.equal(projector.layers[2].weight, torch.ones(8, 8))
    assert torch.equal(projector.layers[0].weight, first)
    state["model.mm_projector.2.weight"] = torch.ones(8, 9)
    torch.save(state, tmp_path / "mm_projector.bin")
    with pytest.raises(WeightsError, match=r"shape \(8, 9\), expected \(8, 8\)"):
        projector.start_from_llava(tmp_path / "mm_projector.bin")
