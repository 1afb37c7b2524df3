"""One loop for all programs: rates, log, checkpoints, and no step along a broken gradient."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator, DistributedType
from torch import nn

from train.run_folder import RunFolder
from train.settings import NonFiniteLossError, RunSettings
from train.step_loop import StepLoop
from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LineSettings(RunSettings):
    steps: int = 6
    batch: int = 4
    peak_rate: float = 0.1
    warmup: int = 2
    save_every: int = 2
    trackers: tuple[str, ...] = ()


def learn_a_line(
    out: Path, *, stop_at: int | None = None, broken: int | None = None
) -> tuple[nn.Linear, list[float]]:
    """Fit y = 2 x; return the layer and the rates of the steps that were taken."""
    torch.manual_seed(0)
    config, accelerator = LineSettings(out=out), Accelerator(cpu=True)
    layer = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.0)
    run = RunFolder(out, config)
    loop = StepLoop(
        accelerator, run, layer, optimizer, config, name="a line", clip=1.0, log_every=3
    )
    rates = []
    for step, generator in loop.steps():
        x = torch.rand(config.batch, 1, generator=generator)
        apart = (loop.trained(x) - 2 * x).square().mean()
        loop.learn(step, apart / (0.0 if step == broken else 1.0), {"apart": apart})
        rates.append(loop.optimizer.param_groups[0]["lr"])
        if loop.saves(step):
            loop.save(step, {"slope": layer.weight.item()})
            if step + 1 == stop_at:
                return layer, rates
    loop.end({"slope": layer.weight.item()})
    return layer, rates


def lines_of(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path):
    whole, rates = learn_a_line(tmp_path / "whole")
    learn_a_line(tmp_path / "halves", stop_at=4)
    assert RunFolder(tmp_path / "halves", LineSettings(out=tmp_path / "halves")).steps_done() == 4
    again, later = learn_a_line(tmp_path / "halves")
    assert torch.equal(again.weight, whole.weight)
    assert later == rates[4:]
    assert rates == [LineSettings(out=tmp_path).rate(step) for step in range(6)]


def test_losses_and_scores_are_logged_when_they_are_due(tmp_path: Path):
    learn_a_line(tmp_path / "run")
    logged = lines_of(tmp_path / "run")
    assert [line["step"] for line in logged if "apart" in line] == [0, 3, 5]
    assert [line["step"] for line in logged if "slope" in line and "step" in line] == [2, 4, 6]
    assert logged[-1]["split"] == "test"


def test_a_loss_that_is_not_finite_changes_no_weight(tmp_path: Path):
    with pytest.raises(NonFiniteLossError, match="step 3 is not finite"):
        learn_a_line(tmp_path / "run", broken=3)
    assert [line["step"] for line in lines_of(tmp_path / "run") if "slope" in line] == [2]


@pytest.mark.parametrize("engine", [DistributedType.DEEPSPEED, DistributedType.FSDP])
def test_an_engine_that_spreads_is_refused_where_nothing_gathers(
    engine: DistributedType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Accelerator, "distributed_type", engine)
    with pytest.raises(ConfigError, match=f"a line cannot be saved under {engine.value}.*ddp.yaml"):
        learn_a_line(tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()


def test_a_step_in_pieces_is_the_step_in_one_and_syncs_with_the_last(tmp_path: Path):
    config, accelerator = LineSettings(out=tmp_path), Accelerator(cpu=True)
    layer = nn.Linear(1, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.0)
    run = RunFolder(tmp_path, config)
    loop = StepLoop(accelerator, run, layer, optimizer, config, name="a line")
    x = torch.arange(4.0)[:, None]
    (loop.trained(x) - 2 * x).square().sum().backward()
    assert layer.weight.grad is not None
    whole = layer.weight.grad.clone()
    loop.optimizer.zero_grad()
    synced = []
    for i, some in enumerate(x.split(2)):
        with loop.piece(last=i == 1):
            synced.append(accelerator.sync_gradients)
            accelerator.backward((loop.trained(some) - 2 * some).square().sum())
    assert synced == [False, True]
    torch.testing.assert_close(layer.weight.grad, whole)
