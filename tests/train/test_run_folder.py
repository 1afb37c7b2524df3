"""What a run keeps: what learns, and a mark of what does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from train.run_folder import RunFolder, changing, frozen_mark
from train.settings import RunSettings
from unipose.errors import ConfigError, FileError


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 3
    workers: int = 1


def network(width: int = 3, *, base: float = 1.0) -> nn.Module:
    """A frozen part with statistics of its own before a part that learns."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), nn.Linear(3, width))
    model[0].requires_grad_(requires_grad=False)
    with torch.no_grad():
        model[0][0].weight.mul_(base)
    return model


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW([w for w in model.parameters() if w.requires_grad])


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    folder = RunFolder(tmp_path, Config())
    model = network()
    folder.save(5, model, optimizer_of(model))
    return folder


def test_only_what_learns_is_kept(run: RunFolder):
    assert changing(network()) == {"1.weight", "1.bias"}
    _, weights, _ = RunFolder.read(run.checkpoints()[0])
    assert set(weights) == {"1.weight", "1.bias"}
    model = network()
    with torch.no_grad():
        model[1].weight.zero_()
    assert run.resume(model, optimizer_of(model)) == 5
    assert torch.equal(model[1].weight, weights["1.weight"])


@pytest.mark.parametrize("number", [torch.float32, torch.bfloat16])
def test_the_mark_of_checkpoints_that_were_written_before_is_still_the_same(number: torch.dtype):
    model = nn.Sequential(nn.Linear(3, 20), nn.Linear(20, 2))
    with torch.no_grad():
        for i, weight in enumerate(model.parameters()):
            weight.copy_(torch.arange(weight.numel()).reshape(weight.shape) / 8 + i)
    model[0].requires_grad_(requires_grad=False)
    known = "49f5df7e91a68becdd9760e2d2e66f2c0b52e1b0bccb898ec9836bd0ba64d7c8"
    assert frozen_mark(model.to(number)) == known


def test_buffers_beside_what_learns_are_kept():
    model = network()
    model[1].register_buffer("count", torch.zeros(1))
    model.register_buffer("table", torch.zeros(2))
    assert changing(model) == {"1.weight", "1.bias", "1.count", "table"}


def test_a_checkpoint_of_another_model_is_refused(run: RunFolder):
    for other in (network(4), network().requires_grad_(requires_grad=True)):
        with pytest.raises(FileError, match="written for another model"):
            run.resume(other, optimizer_of(other))


def test_a_base_that_was_exchanged_is_refused(run: RunFolder):
    other = network(base=1.5)
    with pytest.raises(FileError, match="other frozen weights"):
        run.resume(other, optimizer_of(other))


def test_a_config_that_was_cut_off_does_not_stop_a_run_without_checkpoints(tmp_path: Path):
    RunFolder(tmp_path, Config())
    (tmp_path / "config.json").write_text("{")
    RunFolder(tmp_path, Config())
    model = network()
    RunFolder(tmp_path, Config()).save(1, model, optimizer_of(model))
    with pytest.raises(ConfigError, match="another configuration"):
        RunFolder(tmp_path, Config(width=4))


def test_a_run_goes_on_with_another_number_of_workers(run: RunFolder):
    RunFolder(run.path, Config(workers=3))
    with pytest.raises(ConfigError, match="another configuration"):
        RunFolder(run.path, Config(workers=3, width=4))


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"batch": 0}, {"save_every": 0}])
def test_settings_that_make_no_run_are_refused(wrong: dict, tmp_path: Path):
    known = {"out": tmp_path, "steps": 1, "batch": 1, "peak_rate": 1.0}
    with pytest.raises(ConfigError, match="at least 1"):
        RunSettings(**known | wrong)
