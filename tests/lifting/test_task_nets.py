"""Task-nets: as large as published, the same graph whatever they learned by, strictly loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from unipose.body.keypoint_sets import HUMAN36M_16, HUMAN36M_17
from unipose.errors import ConfigError, LiftingError, MissingFileError, WeightsError
from unipose.lifting.loss_net import LossNet, LossNetConfig
from unipose.lifting.mixste import MixSte, MixSteConfig
from unipose.lifting.p_stmo import MaskedPoseModel, PStmo, PStmoConfig
from unipose.lifting.saved_lifter import LifterConfig, load_lifter, make_task_net, save_lifter
from unipose.lifting.sem_gcn import (
    FAR_BELOW,
    SemanticGraphConvolution,
    SemGcn,
    SemGcnConfig,
    neighbours,
)
from unipose.lifting.simple_baseline import SimpleBaseline, SimpleBaselineConfig
from unipose.lifting.task_net import TaskNet
from unipose.lifting.video_pose import VideoPose, VideoPoseConfig

ONE_FRAME = (1, 1, 1, 1, 1)
SMALL = {
    "simple": {"width": 8}, "semgcn": {"width": 4}, "videopose": {"width": 8},
    "videopose243": {"width": 8, "levels": 2},
    "mixste": {"width": 16, "depth": 2, "frames": 9},
    "pstmo": {"width": 16, "inner": 8, "levels": 2},
}  # fmt: skip


def weights_of(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


@pytest.mark.parametrize(
    ("count", "make"),
    [
        (4_296_755, lambda: SimpleBaseline(SimpleBaselineConfig())),
        (4_288_557, lambda: SimpleBaseline(SimpleBaselineConfig(joints=16, root_is_zero=True))),
        (4_891_023, lambda: SimpleBaseline(SimpleBaselineConfig(joints=133))),
        (25_382_963, lambda: SimpleBaseline(SimpleBaselineConfig(width=2048, stages=3))),
        (267_373, lambda: SemGcn(SemGcnConfig())),
        (267_343, lambda: SemGcn(SemGcnConfig(keypoints=HUMAN36M_16.name))),
        (8_494_131, lambda: VideoPose(VideoPoseConfig(widths=ONE_FRAME))),
        (9_088_399, lambda: VideoPose(VideoPoseConfig(widths=ONE_FRAME, joints=133))),
        (16_952_371, lambda: VideoPose(VideoPoseConfig())),
        (33_783_811, lambda: MixSte(MixSteConfig())),
        (5_526_118, lambda: PStmo(PStmoConfig())),
        (16_963_585, lambda: LossNet(LossNetConfig())),
        (16_953_345, lambda: LossNet(LossNetConfig(joints=16))),
        (18_151_425, lambda: LossNet(LossNetConfig(joints=133))),
    ],
)
def test_networks_have_as_many_weights_as_published(count: int, make):
    with torch.device("meta"):
        assert weights_of(make()) == count


@pytest.mark.parametrize("name", SMALL)
def test_every_lifter_says_a_pose_for_each_frame_or_for_the_middle_one(name: str):
    net = make_task_net(LifterConfig(task_net=name, changes=SMALL[name])).eval()
    assert isinstance(net, TaskNet)
    frames = int(net.frames)
    seen = torch.randn(2, frames, 17, 2, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        said, first = net(seen), net(seen[:1])
        other = net(seen[:, :, torch.arange(17).flip(0)])
    assert said.shape == (2, frames if name == "mixste" else 1, 17, 3)
    torch.testing.assert_close(said[:1], first, atol=1e-5, rtol=1e-4)
    assert float((said[0] - said[1]).abs().max()) > 1e-4
    assert float((said - other).abs().max()) > 1e-4


def test_one_window_with_strides_is_the_same_as_dilations_over_a_longer_row():
    net = VideoPose(VideoPoseConfig(widths=(3, 3), width=8)).eval()
    row = torch.randn(1, 13, 17, 2)
    whole = net(row)
    windows = torch.cat([row[:, i : i + 9] for i in range(5)])
    torch.testing.assert_close(net(windows)[:, 0], whole[0])


def test_a_graph_convolution_is_the_printed_formula():
    joined = neighbours(HUMAN36M_17.name)
    conv = SemanticGraphConvolution(joined, 3, 5)
    with torch.no_grad():
        conv.e.normal_()
    x = torch.randn(4, 17, 3)
    logits = torch.full((17, 17), FAR_BELOW)
    at = iter(conv.e[0].tolist())
    for i in range(17):
        for j in range(17):
            if joined[i][j]:
                logits[i, j] = next(at)
    shares = logits.softmax(1)
    eye = torch.eye(17)
    wanted = (shares * eye) @ (x @ conv.W[0]) + (shares * (1 - eye)) @ (x @ conv.W[1]) + conv.bias
    torch.testing.assert_close(conv(x), wanted)


def test_a_joint_hears_of_another_only_along_bones():
    net = SemGcn(SemGcnConfig(width=4, units=0)).eval()  # two convolutions: two bones
    seen = torch.randn(1, 1, 17, 2)
    moved = seen.clone()
    moved[0, 0, HUMAN36M_17.index["left_wrist"]] += 1
    changed = (net(seen) - net(moved)).abs().sum(-1)[0, 0] > 0
    names = {HUMAN36M_17.names[i] for i in changed.nonzero()[:, 0].tolist()}
    assert names == {"left_wrist", "left_elbow", "left_shoulder"}


def test_names_of_weights_are_those_of_the_published_checkpoints():
    assert {
        "expand_conv.weight",
        "layers_conv.7.weight",
        "layers_bn.7.running_var",
        "shrink.bias",
    } <= (VideoPose(VideoPoseConfig(width=4)).state_dict().keys())
    assert {
        "gconv_input.0.gconv.W", "gconv_layers.3.gconv2.gconv.e", "gconv_layers.0.gconv1.bn.weight",
        "gconv_output.bias",
    } <= SemGcn(SemGcnConfig(width=4)).state_dict().keys()  # fmt: skip
    assert {
        "Spatial_patch_to_embedding.weight", "Temporal_pos_embed", "STEblocks.1.attn.qkv.weight",
        "TTEblocks.0.mlp.fc2.bias", "Spatial_norm.weight", "head.1.weight",
    } <= MixSte(MixSteConfig(width=16, depth=2, frames=3)).state_dict().keys()  # fmt: skip


def test_a_published_checkpoint_is_loaded_from_its_own_layout(tmp_path: Path):
    net = VideoPose(VideoPoseConfig(widths=ONE_FRAME, width=8))
    published = {f"module.{name}": value for name, value in net.state_dict().items()}
    save_lifter(tmp_path, net, LifterConfig(task_net="videopose", changes={"width": 8}))
    torch.save({"epoch": 80, "lr": 1e-4, "model_pos": published}, tmp_path / "model.bin")
    from unipose.lifting.saved_lifter import load_published

    other = VideoPose(VideoPoseConfig(widths=ONE_FRAME, width=8))
    load_published(other, tmp_path / "model.bin")
    torch.testing.assert_close(other.shrink.weight, net.shrink.weight)
    with pytest.raises(WeightsError, match="missing"):
        load_published(SimpleBaseline(SimpleBaselineConfig(width=8)), tmp_path / "model.bin")


def test_a_saved_lifter_is_the_same_again_and_what_is_none_is_named(tmp_path: Path):
    config = LifterConfig(task_net="semgcn", changes={"width": 4})
    net = make_task_net(config).eval()
    save_lifter(tmp_path, net, config)
    again, known = load_lifter(tmp_path)
    seen = torch.randn(3, 1, 17, 2)
    assert known == config
    torch.testing.assert_close(again(seen), net(seen))
    with pytest.raises(MissingFileError, match="no lifter here"):
        load_lifter(tmp_path / "nowhere")
    save_file({"a": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="not those of this model"):
        load_lifter(tmp_path)
    with pytest.raises(ConfigError, match="no such settings"):
        make_task_net(LifterConfig(changes={"depth": 3}))


def test_too_few_and_too_many_frames_are_named():
    with pytest.raises(LiftingError, match="looks at 9 frames, got 4"):
        VideoPose(VideoPoseConfig(widths=(3, 3), width=4))(torch.zeros(1, 4, 17, 2))
    with pytest.raises(LiftingError, match="looks at 3 frames, got 5"):
        MixSte(MixSteConfig(frames=3, width=8, depth=1))(torch.zeros(1, 5, 17, 2))
    with pytest.raises(LiftingError, match="looks at 9 frames, got 8"):
        PStmo(PStmoConfig(strides=(3, 3), width=8, inner=8))(torch.zeros(1, 8, 17, 2))


@pytest.mark.slow
def test_masked_pre_training_learns_what_the_lifter_then_starts_from():
    config = PStmoConfig(strides=(3, 3), width=16, inner=16, layers=1, dropout=0.0)
    torch.manual_seed(0)
    masked = MaskedPoseModel(config)
    seen = torch.randn(8, 9, 17, 2).cumsum(1) * 0.1
    optimizer = torch.optim.Adam(masked.parameters(), lr=3e-3)
    losses = []
    for step in range(30):
        loss = masked.loss(seen, torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
    lifter = PStmo(config)
    lifter.encoder.load_state_dict(masked.encoder.state_dict(), strict=True)
    middle, every = lifter.both(seen)
    assert middle.shape == (8, 1, 17, 3)
    assert every.shape == (8, 9, 17, 3)
