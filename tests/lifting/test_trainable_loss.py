"""The loss that learns: printed formulas, where gradients go, and the ten lines that use it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from unipose.errors import ConfigError
from unipose.lifting.gradient_inference import energy_of_joints, follow_energy
from unipose.lifting.loss_net import LossNetConfig
from unipose.lifting.task_net import of_frames_said
from unipose.lifting.trainable_loss import (
    SealConfig,
    TrainableLoss,
    margin_loss,
    nce_loss,
    predicted,
)


def seal_of(joints: int, **changed) -> TrainableLoss:
    return TrainableLoss(SealConfig(net=LossNetConfig(joints=joints, width=16), **changed))


def test_both_losses_are_the_printed_formulas():
    energies = torch.randn(2, 6, dtype=torch.float64)
    of_truth, of_said = energies
    margin = torch.rand(6, dtype=torch.float64)
    rows = [max(0.0, float(m - b + a)) for a, b, m in zip(of_truth, of_said, margin, strict=True)]
    assert margin_loss(of_truth, of_said, margin).item() == pytest.approx(sum(rows) / 6)
    shares = (-of_truth).exp() / ((-of_truth).exp() + (-of_said).exp())
    assert nce_loss(of_truth, of_said).item() == pytest.approx(-shares.log().mean().item())


def test_nce_stays_finite_where_its_printed_form_overflows():
    far = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = nce_loss(far, torch.zeros(2))
    loss.backward()
    assert loss.item() == pytest.approx(5e3)
    assert far.grad is not None
    assert far.grad.tolist() == [0.5, 0.0]


def test_the_margin_is_each_poses_own_error():
    seal = seal_of(2)
    seen, truth = torch.randn(3, 2, 2), torch.randn(3, 2, 3)
    said = truth + torch.tensor([0.0, 3.0, 4.0])
    a, b = seal.net(seen, truth), seal.net(seen, said)
    wanted = (5.0 - b + a).clamp(min=0).mean()
    torch.testing.assert_close(seal.contrast(seen, truth, said), wanted)


def test_gradients_of_the_energy_reach_the_pose_and_not_the_loss_net():
    seal = seal_of(3, energy_weight=2.0)
    said = torch.randn(4, 3, 3, requires_grad=True)
    seen = torch.randn(4, 3, 2)
    seal(seen, said).backward()
    assert said.grad is not None
    assert float(said.grad.abs().sum()) > 0
    assert all(weight.grad is None for weight in seal.parameters())
    torch.testing.assert_close(seal(seen, said), 2 * seal.net(seen, said).mean())
    seal.contrast(seen, torch.randn(4, 3, 3), said.detach()).backward()
    assert all(weight.grad is not None for weight in seal.parameters())


def test_negatives_are_said_without_dropout_and_leave_the_mode_as_it_was():
    net = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    seen = torch.randn(8, 4)
    first, second = predicted(net, seen), predicted(net, seen)
    assert torch.equal(first, second)
    assert not first.requires_grad
    assert net.training


@pytest.mark.slow
def test_the_example_of_the_docs_teaches_somebodys_own_lifter():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 15),
                        nn.Unflatten(1, (5, 3)))  # fmt: skip
    truth = torch.randn(64, 5, 3) * 0.2
    seen = truth[..., :2]
    before = mse_loss(net(seen), truth).item()
    text = (Path(__file__).parents[2] / "docs" / "lifting.md").read_text("utf-8")
    example = text.split("```python")[1].split("```")[0]
    names = {
        "torch": torch, "net": net, "own": torch.optim.Adam(net.parameters(), lr=1e-2),
        "batches": [(seen, truth)] * 60,
    }  # fmt: skip
    exec(compile(example, "docs/lifting.md", "exec"), names)
    assert mse_loss(net(seen), truth).item() < 0.3 * before
    seal = names["seal"]
    assert isinstance(seal, TrainableLoss)
    # what is said is still told from the truth
    assert seal.energy(seen, truth).mean() < seal.energy(seen, net(seen)).mean()


def test_frames_are_matched_with_what_is_said_of_them():
    rows = torch.arange(10.0).view(2, 5, 1, 1).expand(2, 5, 3, 2)
    middle = of_frames_said(rows, torch.zeros(2, 1, 3, 3))
    assert middle[:, 0, 0].tolist() == [2.0, 7.0]
    assert of_frames_said(rows, torch.zeros(2, 5, 3, 3))[:, 0, 0].tolist() == list(range(10))


def test_inference_goes_down_the_energy_by_the_first_step_that_was_asked_for():
    goal = torch.randn(4, 3, 3)

    def energy(seen: torch.Tensor, said: torch.Tensor) -> torch.Tensor:
        return (said - goal).square().sum((1, 2))

    start = torch.zeros(4, 3, 3)
    path = follow_energy(energy, start[..., :2], start, steps=40, first_step_mm=50.0)
    moved = (path[1] - path[0]).norm(dim=-1).mean()
    assert float(moved) == pytest.approx(0.05, rel=1e-4)
    energies = [float(energy(start, poses).sum()) for poses in path]
    assert energies == sorted(energies, reverse=True)
    assert energy_of_joints(energy, start[..., :2], start).shape == (4, 3)
    with pytest.raises(ConfigError, match="steps"):
        follow_energy(energy, start[..., :2], start, steps=-1)


def test_a_negative_weight_of_the_energy_is_refused():
    with pytest.raises(ConfigError, match="at least 0"):
        SealConfig(energy_weight=-1.0)
