"""TokenHMR's network: its published layout, strictly; its codes decide the pose and stay."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.fakes.checkpoints import save_lightning
from unipose.adaptation.default_models import PUBLISHED
from unipose.adaptation.networks import SplitMeshRecovery, adaptable
from unipose.errors import MissingFileError, WeightsError
from unipose.vision.mesh_recovery import MeshHeadConfig
from unipose.vision.pose_vit import PoseViTConfig
from unipose.vision.token_recovery import (
    CodeReadingConfig,
    TokenRecoveryConfig,
    TokenRecoveryNetwork,
)

TINY = TokenRecoveryConfig(
    vit=PoseViTConfig(
        image_px=64, dropped_px=8, width=24, depth=1, heads=2, feed_forward=48, stem=((2, 8, 0),)
    ),
    head=MeshHeadConfig(width=16, depth=2, heads=2, head_width=8, feed_forward=20),
    codes=CodeReadingConfig(
        tokens=10, codes=6, hidden=8, blocks=1, token_hidden=4, channel_hidden=12, latent=5,
        width=16,
    ),
)  # fmt: skip
PUBLISHED_SHAPES = {
    "smpl_head.transformer.to_token_embedding.weight": (1024, 1),
    "smpl_head.decpose_grot.weight": (6, 1024),
    "smpl_head.decpose_hands.weight": (12, 1024),
    "smpl_head.decpose.mixer_trans.ff.0.weight": (160 * 64, 1024),
    "smpl_head.decpose.mixer_trans.ff.1.weight": (160 * 64,),
    "smpl_head.decpose.mixer_head.3.MLP_token.ff.0.weight": (64, 160),
    "smpl_head.decpose.mixer_head.3.MLP_channel.ff.3.weight": (64, 256),
    "smpl_head.decpose.mixer_head.0.layernorm1.bias": (64,),
    "smpl_head.decpose.mixer_norm_layer.ff.0.weight": (64, 64),
    "smpl_head.decpose.class_pred_layer.weight": (2048, 64),
    "smpl_head.init_body_pose": (1, 144),
    "tokenizer.quantizer.codebook": (2048, 256),
    "tokenizer.decoder.decoder.0.weight": (512, 256, 3),
    "tokenizer.decoder.decoder.12.weight": (512, 512, 3),
    "tokenizer.decoder.decoder.14.0.model.1.conv1.weight": (512, 512, 3),
    "tokenizer.decoder.decoder.14.0.model.0.conv2.weight": (512, 512, 1),
    "tokenizer.decoder.decoder.14.1.weight": (512, 512, 3),
    "tokenizer.decoder.decoder.15.weight": (6, 512, 3),
}
"""The network's two files together; the tokenizer's names stand there without "tokenizer."."""


def in_files(network: TokenRecoveryNetwork) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the weights as the checkpoint and the tokenizer's file have them."""
    state = {name: value.clone() for name, value in network.state_dict().items()}
    codes = {n: state.pop(f"tokenizer.{n}") for n in network.tokenizer.state_dict()}
    return state, codes


def save_tokenizer(path: Path, codes: dict[str, Tensor]) -> None:
    beside = {"encoder.encoder.0.weight": torch.zeros(2), "decoder.body_model.J": torch.zeros(1)}
    torch.save({"net": OrderedDict(codes | beside), "nb_iter": 150_000}, path)


def test_the_default_has_the_published_layout():
    with torch.device("meta"):
        state = TokenRecoveryNetwork().state_dict()
    assert {name: tuple(state[name].shape) for name in PUBLISHED_SHAPES} == PUBLISHED_SHAPES
    assert len([name for name in state if "decpose.mixer_head" in name]) == 4 * 12
    assert PUBLISHED["tokenhmr"] is TokenRecoveryNetwork


def test_both_files_are_loaded_strictly(tmp_path: Path):
    torch.manual_seed(0)
    source, network = TokenRecoveryNetwork(TINY), TokenRecoveryNetwork(TINY)
    state, codes = in_files(source)
    beside = {"smpl.v_template": torch.zeros(3), "initialized": torch.tensor(data=True)}
    save_lightning(tmp_path / "tokenhmr.ckpt", state | beside)
    with pytest.raises(MissingFileError, match=r"tokenizer\.pth"):
        network.load_published(tmp_path / "tokenhmr.ckpt")
    save_tokenizer(tmp_path / "tokenizer.pth", codes)
    network.load_published(tmp_path / "tokenhmr.ckpt")
    expected = source.state_dict()
    assert all(torch.equal(v, expected[n]) for n, v in network.state_dict().items())
    codes.pop("quantizer.codebook")
    save_tokenizer(tmp_path / "less.pth", codes)
    with pytest.raises(WeightsError, match=r"missing 1: tokenizer\.quantizer\.codebook"):
        network.load_published(tmp_path / "tokenhmr.ckpt", tmp_path / "less.pth")


def test_the_pose_is_read_from_codes_in_rows_and_the_codes_stay():
    torch.manual_seed(0)
    network = TokenRecoveryNetwork(TINY).eval()
    assert isinstance(network, SplitMeshRecovery)
    crops = torch.randn(2, 3, 64, 64)
    found = network(crops)
    assert found.rotations.shape == (2, 24, 3, 3)
    assert torch.equal(network.from_features(network.frozen_features(crops)).betas, found.betas)
    with torch.no_grad():  # whatever is seen, nothing but these six numbers is said of any joint
        for layer in (network.smpl_head.decpose_grot, network.smpl_head.decpose_hands):
            layer.weight.zero_()
            layer.bias.zero_()
        last = network.tokenizer.decoder.decoder[-1]
        last.weight.zero_()
        last.bias.zero_()
        rows = torch.tensor([0.0, 1, 0, 0, 0, 1])
        network.smpl_head.init_body_pose.copy_(rows.repeat(24)[None])
        expected = torch.tensor([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
        torch.testing.assert_close(network(crops).rotations, expected.expand(2, 24, 3, 3))
    with adaptable(network) as weights:
        assert len(weights) == len(list(network.smpl_head.parameters()))
        assert not any(one.requires_grad for one in network.tokenizer.parameters())
