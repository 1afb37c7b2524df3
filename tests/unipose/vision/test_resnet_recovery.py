"""HMR on a ResNet-50 with group norms: the published layout, and what it says of crops."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from unipose.errors import WeightsError
from unipose.vision.mesh_recovery_protocol import LEVEL, MeshRecovery
from unipose.vision.resnet_recovery import ResNetRecovery


def test_it_has_the_published_layout():
    with torch.device("meta"):
        network = ResNetRecovery()
    weights = network.state_dict()
    assert sum(w.numel() for w in network.parameters()) == 26_977_501
    assert weights["layer3.5.conv2.weight"].shape == (256, 256, 3, 3)
    assert weights["layer1.0.downsample.1.weight"].shape == (256,)
    assert weights["fc1.weight"].shape == (1024, 2048 + 144 + 13)
    assert weights["init_pose"].shape == (1, 144)


@pytest.mark.slow
def test_a_checkpoint_loads_strictly_and_crops_become_bodies(tmp_path: Path):
    torch.manual_seed(0)
    theirs = ResNetRecovery()
    torch.save({"model": theirs.state_dict()}, tmp_path / "basemodel.pt")
    ours = ResNetRecovery()
    ours.load_published(tmp_path / "basemodel.pt")
    assert isinstance(ours, MeshRecovery)
    crops = torch.randn(1, 3, 224, 224)
    found = ours.eval()(crops)
    assert torch.equal(found.rotations, theirs.eval()(crops).rotations)
    assert torch.allclose(found.rotations[0, 0], LEVEL, atol=0.3)
    assert found.body == "smpl"
    torch.save({"model": {"conv1.weight": torch.zeros(1)}}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match="not those of this model"):
        ours.load_published(tmp_path / "other.pt")
