"""Teaching lifters: runs resume, the loss-net learns from more than the batch, nothing is added."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from data_builders.lifting.lifting_splits import made_up
from train import lifter, lifter_runs
from train.lifter import PRESETS, LifterRun, LifterTraining, contrast_step, lifter_step, main
from train.lifter_losses import mixste_loss, say_and_lose
from train.lifter_runs import LifterRuns
from train.run_folder import RunFolder
from unipose.body.keypoint_sets import HUMAN36M_17
from unipose.errors import ConfigError
from unipose.lifting.saved_lifter import LifterConfig, load_lifter, make_task_net


def debug(out: Path, **changed) -> LifterTraining:
    return replace(PRESETS["debug"], out=out, **changed)


def weights(folder: Path) -> torch.Tensor:
    net, _ = load_lifter(folder)
    return torch.cat([weight.flatten() for weight in net.state_dict().values()])


@pytest.mark.slow
def test_a_resumed_run_equals_an_unbroken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    main(debug(tmp_path / "whole", seal="margin"))
    wanted = weights(tmp_path / "whole" / "last")
    before, steps = RunFolder.save, []

    def stop_after_two(self: RunFolder, step: int, *rest) -> None:
        before(self, step, *rest)
        steps.append(step)
        if len(steps) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "save", stop_after_two)
    broken = debug(tmp_path / "broken", seal="margin")
    with pytest.raises(KeyboardInterrupt):
        main(broken)
    main(broken)
    assert steps == [2, 4]
    torch.testing.assert_close(weights(tmp_path / "broken" / "last"), wanted, rtol=0, atol=0)
    rows = (tmp_path / "broken" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [2, 4]
    assert json.loads(rows[-1])["energy_said"] != json.loads(rows[-1])["energy_truth"]


@pytest.mark.slow
def test_the_loss_learns_nothing_into_the_lifters_graph():
    """What is lifted with costs the same: SEAL leaves no module, no buffer and no operation."""
    plain = LifterRun(PRESETS["debug"], HUMAN36M_17).net
    taught = LifterRun(replace(PRESETS["debug"], seal="nce"), HUMAN36M_17).net
    shapes = [{n: v.shape for n, v in net.state_dict().items()} for net in (plain, taught)]
    assert shapes[0] == shapes[1]
    seen = torch.zeros(2, 1, 17, 2)
    graphs = [str(torch.export.export(net.eval(), (seen,)).graph) for net in (plain, taught)]
    assert graphs[0] == graphs[1]


def test_each_net_learns_in_its_own_step_alone():
    config = replace(PRESETS["debug"], seal="margin", energy_weight=1.0)
    run = LifterRun(config, HUMAN36M_17)
    optimizer = run.optimizer(config)
    data = made_up("human36m-17", seed=0)
    rows = data.windows(torch.arange(16), 1)
    assert run.seal is not None

    def state(module: torch.nn.Module) -> torch.Tensor:
        return torch.cat([weight.detach().flatten() for weight in module.parameters()]).clone()

    first = state(run.net), state(run.seal)
    contrast_step(run, rows, optimizer)
    second = state(run.net), state(run.seal)
    assert torch.equal(first[0], second[0])
    assert not torch.equal(first[1], second[1])
    lifter_step(run, rows, optimizer, config)
    assert not torch.equal(second[0], state(run.net))
    assert torch.equal(second[1], state(run.seal))


@pytest.mark.slow
def test_the_loss_nets_batch_holds_the_lifters_and_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    taken: list[tuple[str, torch.Tensor]] = []

    def note_contrast(run, rows, optimizer):
        taken.append(("loss-net", rows[0]))
        return contrast_step(run, rows, optimizer)

    def note_lifter(run, rows, optimizer, config):
        taken.append(("lifter", rows[0]))
        return lifter_step(run, rows, optimizer, config)

    monkeypatch.setattr(lifter, "contrast_step", note_contrast)
    monkeypatch.setattr(lifter, "lifter_step", note_lifter)
    main(debug(tmp_path, seal="nce", extra=0.5))
    assert [who for who, _ in taken] == ["loss-net", "lifter"] * 4
    for (_, more), (_, own) in zip(taken[::2], taken[1::2], strict=True):
        assert (len(more), len(own)) == (12, 8)
        assert torch.equal(more[:8], own)


@pytest.mark.slow
def test_a_static_loss_learns_first_and_then_stays(tmp_path: Path):
    main(debug(tmp_path / "plain"))
    config = debug(tmp_path / "static", seal="margin", static_from=tmp_path / "plain" / "last")
    main(config)
    rows = [
        json.loads(row) for row in (tmp_path / "static" / "metrics.jsonl").read_text().splitlines()
    ]
    assert ["contrast" in row for row in rows] == [True, True, False, False]
    assert ["task" in row for row in rows] == [False, False, True, True]
    assert rows[2]["energy_truth"] == pytest.approx(rows[3]["energy_truth"])
    with pytest.raises(ConfigError, match="static-from needs"):
        debug(tmp_path, static_from=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("semgcn", {"width": 4}),
        ("videopose243", {"width": 8, "levels": 2}),
        ("mixste", {"width": 16, "depth": 1, "frames": 9}),
        ("pstmo", {"width": 16, "inner": 8, "levels": 2}),
    ],
)
def test_every_lifter_learns_with_the_trainable_loss(tmp_path: Path, name: str, changes: dict):
    config = debug(tmp_path, task_net=name, changes=changes, seal="margin", steps=30, save_every=10)
    main(config)
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["task"] < rows[0]["task"]
    chosen = json.loads((tmp_path / "chosen" / "scores.json").read_text())
    assert chosen["mpjpe_mm"] == min(row["mpjpe_mm"] for row in rows)


def test_mixstes_loss_is_its_three_printed_parts():
    said, truth = torch.randn(2, 3, 17, 3), torch.randn(2, 3, 17, 3)
    weight = torch.tensor([1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4])
    off = (weight * (said - truth).norm(dim=-1)).mean()
    step, wanted = said[:, 1:] - said[:, :-1], truth[:, 1:] - truth[:, :-1]
    parts = (
        off
        + 0.5 * (weight * step.square().sum(-1)).mean()
        + 2 * (step - wanted).norm(dim=-1).mean()
    )
    torch.testing.assert_close(mixste_loss(said, truth, HUMAN36M_17), parts)


@pytest.mark.slow
def test_p_stmo_learns_by_the_middle_frame_and_by_every_frame():
    config = LifterConfig(task_net="pstmo", changes={"width": 16, "inner": 8, "levels": 2})
    net = make_task_net(config).eval()
    seen, truth = torch.randn(2, 9, 17, 2), torch.randn(2, 9, 17, 3)
    said, loss = say_and_lose("pstmo", net, seen, truth, HUMAN36M_17)
    _, every = net.both(seen)
    middle = (said[:, 0] - truth[:, 4]).norm(dim=-1).mean()
    torch.testing.assert_close(loss, middle + (every - truth).norm(dim=-1).mean())


@pytest.mark.slow
def test_a_bench_trains_what_is_missing_and_only_that(tmp_path: Path, monkeypatch):
    config = LifterRuns(
        out=tmp_path, nets=("simple",), seals=("none", "nce"), seeds=1, training=PRESETS["debug"],
        size="tiny",
    )  # fmt: skip
    lifter_runs.main(config)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["simple.nce.0", "simple.plain.0"]
    monkeypatch.setattr(lifter_runs, "train", lambda *_: pytest.fail("trained again"))
    lifter_runs.main(config)


def test_a_static_loss_of_the_bench_learns_from_the_plain_run_of_its_seed(tmp_path: Path):
    config = LifterRuns(out=tmp_path, nets=("simple", "pstmo"), seals=("none", "static"), seeds=1,
                        masked_steps=7, training=PRESETS["debug"])  # fmt: skip
    plain, static, film, _ = config.runs()
    assert (static.out.name, static.seal, static.root_held) == ("simple.static.0", "margin", True)
    assert static.static_from == plain.out / "last"
    assert not plain.root_held
    assert (plain.masked_steps, film.masked_steps, film.batch) == (0, 7, 32)


def test_a_loss_whose_root_is_held_sees_and_moves_the_other_joints_alone():
    run = LifterRun(replace(PRESETS["debug"], seal="margin", root_held=True), HUMAN36M_17)
    said = torch.randn(2, 3, 17, 3, requires_grad=True)
    judged = run.judged(said)
    root = HUMAN36M_17.index["pelvis"]
    assert not judged.detach()[:, root].any()
    torch.testing.assert_close(judged[:, root + 1 :], said.flatten(0, 1)[:, root + 1 :])
    judged.sum().backward()
    assert said.grad is not None
    assert float(said.grad[..., root, :].abs().max()) == 0


@pytest.mark.slow
def test_pre_training_fills_in_what_is_hidden_and_says_how_well(tmp_path: Path):
    changes = {"width": 16, "inner": 8, "levels": 2}
    main(debug(tmp_path, task_net="pstmo", changes=changes, masked_steps=25, masked_rate=3e-3))
    rows = [json.loads(row) for row in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    masked = [row["masked"] for row in rows if "masked" in row]
    assert [row["masked_step"] for row in rows[:3]] == [1, 21, 25]
    assert masked[-1] < masked[0]
    assert rows[-1]["step"] == 4
