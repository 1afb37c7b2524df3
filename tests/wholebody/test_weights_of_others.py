"""Published checkpoints tell by their shapes what they are; ONNX files by theirs."""

from __future__ import annotations

import sys

import pytest
import torch

from eval.golden_keypoints import checkpoint_of
from tests.fakes.checkpoints import save_mmengine
from tests.wholebody.test_network import TINY, meta_network
from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.wholebody.config import config_of_weights, published
from unipose.wholebody.estimator import TorchEngine
from unipose.wholebody.network import WholeBodyNetwork
from unipose.wholebody.onnx_files import OnnxEngine, _config_of, export_onnx


@pytest.mark.parametrize("name", ["cigpose-m-crowdpose-256x192", "rtmpose-l-wholebody-384x288"])
def test_shapes_tell_which_network_it_is(name):
    network = meta_network(name)
    shapes = {n: tuple(value.shape) for n, value in network.state_dict().items()}
    assert config_of_weights(shapes) == published(name)


def test_weights_of_something_else_are_named(tmp_path):
    with pytest.raises(ConfigError, match="no weights of RTMPose or CIGPose"):
        config_of_weights({"backbone.stem.0.conv.weight": (3, 3)})
    torch.save({"state_dict": {"backbone.a": torch.zeros(2)}}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="no weights of RTMPose or CIGPose"):
        WholeBodyNetwork.open(tmp_path / "a.pth")
    with pytest.raises(MissingFileError):
        WholeBodyNetwork.open(tmp_path / "none.pth")


@pytest.mark.slow
def test_a_published_file_opens_and_runs(tmp_path):
    network = WholeBodyNetwork(published("rtmpose-t-coco-256x192")).eval()
    save_mmengine(tmp_path / "t.pth", checkpoint_of(network, causal=False), archive=False)
    engine = TorchEngine(WholeBodyNetwork.open(tmp_path / "t.pth"))
    assert engine.config == published("rtmpose-t-coco-256x192")
    x, y = engine(torch.zeros(2, 3, 256, 192))
    assert (x.shape, y.shape) == ((2, 17, 384), (2, 17, 512))


def test_files_of_public_ports_tell_by_their_shapes():
    config = _config_of({}, ["N", 3, 384, 288], [["N", 133, 576], ["N", 133, 768]])
    assert (config.keypoints, config.size) == ("coco-wholebody-133", (288, 384))
    with pytest.raises(ValueError, match="its outputs are"):
        _config_of({}, ["N", 3, 384, 288], [["N", 5, 576], ["N", 5, 768]])


def test_without_the_packages_it_is_said_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "a.onnx").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"pip install unipose\[onnx\]"):
        OnnxEngine(tmp_path / "a.onnx")


@pytest.mark.slow
def test_an_exported_network_says_the_same(tmp_path):
    network = WholeBodyNetwork(TINY).eval()
    engine = OnnxEngine(export_onnx(network, tmp_path / "tiny.onnx"))
    assert engine.config == TINY
    images = torch.randn(5, 3, 64, 32)
    with torch.inference_mode():
        said = network(images)
    x, y = engine(images)
    assert torch.allclose(x, said.x, atol=1e-4)
    assert torch.allclose(y, said.y, atol=1e-4)


@pytest.mark.slow
def test_a_damaged_onnx_file_is_named(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(WeightsError, match="cannot be opened by onnxruntime"):
        OnnxEngine(tmp_path / "a.onnx")
