"""The Pose-ViT: the published layout, size and geometry; small ones of the same class."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.fakes.checkpoints import save_lightning
from unipose.errors import ConfigError, WeightsError
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViT, PoseViTConfig, on_square_grid

SMALL = PoseViTConfig(width=16, depth=2, heads=2, feed_forward=32)
"""ViTPose's layout and geometry with few weights."""
STEMMED = PoseViTConfig(
    image_px=64,
    dropped_px=8,
    width=24,
    depth=2,
    heads=2,
    feed_forward=48,
    stem=((4, 8, 0), (2, 12, 1)),
)


def published_names(depth: int) -> set[str]:
    """The `backbone.*` names of HMR 2.0's and TokenHMR's checkpoints."""
    names = {"pos_embed", "patch_embed.proj.weight", "patch_embed.proj.bias"}
    names |= {f"last_norm.{kind}" for kind in ("weight", "bias")}
    for i in range(depth):
        for part in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"):
            names |= {f"blocks.{i}.{part}.{kind}" for kind in ("weight", "bias")}
    return names


def test_the_published_model_has_the_published_names_and_size():
    with torch.device("meta"):
        vit = PoseViT(PAPER_POSE_VIT)
    shapes = {name: tuple(value.shape) for name, value in vit.state_dict().items()}
    assert shapes.keys() == published_names(32)
    assert shapes["pos_embed"] == (1, 193, 1280)
    assert shapes["patch_embed.proj.weight"] == (1280, 3, 16, 16)
    assert shapes["blocks.31.attn.qkv.weight"] == (3840, 1280)
    assert sum(p.numel() for p in vit.parameters()) == 630_912_000


def test_the_published_geometry_gives_16_by_12_places():
    with torch.device("meta"):
        vit = PoseViT(replace(PAPER_POSE_VIT, depth=1))
        assert vit(torch.zeros(2, 3, 256, 256)).shape == (2, 1280, 16, 12)


def test_the_columns_at_both_sides_are_not_looked_at():
    vit = PoseViT(SMALL).eval()
    crops = torch.randn(1, 3, 256, 256)
    other = crops.clone()
    other[..., :32] = 0
    other[..., -32:] = 0
    assert torch.equal(vit(crops), vit(other))
    other[..., 32] = 0
    assert not torch.equal(vit(crops), vit(other))


def test_one_block_computes_what_vitpose_computes():
    torch.manual_seed(0)
    vit = PoseViT(replace(SMALL, depth=1)).eval()
    crops = torch.randn(2, 3, 256, 256)
    block = vit.blocks[0]
    x = vit.patch_embed.proj(crops[..., 32:-32]).flatten(2).mT
    x = x + vit.pos_embed[:, 1:] + vit.pos_embed[:, :1]
    q, k, v = block.attn.qkv(block.norm1(x)).chunk(3, dim=2)
    heads = []
    for h in range(2):  # channels of one head lie together
        part = slice(8 * h, 8 * h + 8)
        scores = (q[..., part] @ k[..., part].mT / 8**0.5).softmax(-1)
        heads.append(scores @ v[..., part])
    x = x + block.attn.proj(torch.cat(heads, dim=2))
    hidden = torch.nn.functional.gelu(block.mlp.fc1(block.norm2(x)))
    x = vit.last_norm(x + block.mlp.fc2(hidden))
    torch.testing.assert_close(vit(crops), x.mT.reshape(2, 16, 16, 12))


@pytest.mark.parametrize("config", [SMALL, STEMMED], ids=["published layout", "stem"])
def test_one_picture_of_a_batch_is_the_picture_alone(config: PoseViTConfig):
    vit = PoseViT(config).eval()
    crops = torch.randn(3, 3, config.image_px, config.image_px)
    together = vit(crops)
    assert together.shape == (3, config.width, config.rows, config.columns)
    torch.testing.assert_close(together[1:2], vit(crops[1:2]), atol=1e-5, rtol=1e-4)
    assert vit(crops[:0]).shape == (0, config.width, config.rows, config.columns)


def test_gradients_reach_all_weights():
    vit = PoseViT(STEMMED)
    vit(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert [name for name, p in vit.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_blocks_are_skipped_in_training_only_and_make_up_for_it():
    torch.manual_seed(0)
    vit = PoseViT(replace(SMALL, skipped=0.5))
    crops = torch.randn(1, 3, 256, 256)
    assert not torch.equal(vit(crops), vit(crops))
    vit.eval()
    assert torch.equal(vit(crops), vit(crops))
    x = torch.ones(20_000, 1, 1)
    vit.train()
    assert float(vit.blocks[1]._sometimes(x).mean()) == pytest.approx(1.0, abs=0.03)


def test_a_published_checkpoint_is_loaded_strictly(tmp_path: Path):
    source, vit = PoseViT(SMALL), PoseViT(SMALL)
    state = {f"backbone.{name}": value for name, value in source.state_dict().items()}
    others = {"smpl_head.decpose.weight": torch.zeros(3), "initialized": torch.tensor(data=True)}
    save_lightning(tmp_path / "tokenhmr.ckpt", state | others)
    vit.load_published(tmp_path / "tokenhmr.ckpt")
    assert all(torch.equal(v, source.state_dict()[n]) for n, v in vit.state_dict().items())

    less = {name: value for name, value in state.items() if "blocks.1.mlp.fc2" not in name}
    save_lightning(tmp_path / "less.ckpt", less)
    with pytest.raises(WeightsError, match=r"missing 2: blocks.1.mlp.fc2.bias"):
        vit.load_published(tmp_path / "less.ckpt")
    save_lightning(tmp_path / "more.ckpt", state | {"backbone.cls_token": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"unexpected 1: cls_token"):
        vit.load_published(tmp_path / "more.ckpt")


def test_the_map_lies_on_clips_grid_with_empty_columns_at_both_sides():
    features = torch.ones(2, 5, 16, 12)
    features[:, :, :, 0] = 7.0
    grid = on_square_grid(features, 16).mT.reshape(2, 5, 16, 16)
    torch.testing.assert_close(grid[..., 2:14], features)
    assert float(grid[..., :2].abs().sum() + grid[..., 14:].abs().sum()) == 0
    wide = on_square_grid(features, 24)
    assert wide.shape == (2, 576, 5)
    corners = wide.mT.reshape(2, 5, 24, 24)
    assert float(corners[..., 0].abs().sum()) == 0  # corners on corners: the first column is zero
    assert float(corners[0, 0, 0, 12]) == pytest.approx(1.0)


def test_pictures_of_any_shape_become_crops():
    vit = PoseViT(SMALL)
    pictures = [
        torch.zeros(300, 500, 3, dtype=torch.uint8), torch.full((1, 9, 3), 255, dtype=torch.uint8)
    ]  # fmt: skip
    crops = vit.prepare(pictures)
    assert crops.shape == (2, 3, 256, 256)
    torch.testing.assert_close(
        crops[0, :, 0, 0], torch.tensor([-2.1179, -2.0357, -1.8044]), atol=1e-3, rtol=0
    )
    torch.testing.assert_close(
        crops[1, :, 9, 9], torch.tensor([2.2489, 2.4286, 2.6400]), atol=1e-3, rtol=0
    )
    assert vit.prepare([]).shape == (0, 3, 256, 256)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"heads": 7}, "do not divide"),
        ({"image_px": 250}, "do not tile"),
        ({"dropped_px": 30}, "do not tile"),
        ({"stem": ((2, 8, 0),) * 5}, "a stem that makes 32 px one"),
        ({"skipped": 1.0}, "skipped"),
    ],
)
def test_a_configuration_that_contradicts_itself_is_refused(settings: dict, problem: str):
    with pytest.raises(ConfigError, match=problem):
        PoseViTConfig(**settings)


def test_crops_of_another_size_are_refused():
    with pytest.raises(ConfigError, match=r"expected crops \(image, 3, 256, 256\)"):
        PoseViT(SMALL)(torch.zeros(1, 3, 256, 192))
