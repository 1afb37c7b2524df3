"""Muon and AdamW behind one set of rates."""

from __future__ import annotations

import copy

import torch
from torch import nn

from train.muon import MuonAndAdamW


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2))


def optimizer_of(model: nn.Sequential) -> MuonAndAdamW:
    inner = [model[0].weight]
    others = [p for p in model.parameters() if p is not inner[0]]
    return MuonAndAdamW(inner, others, lr=0.01, weight_decay=0.1)


def take_step(model: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    model(images).square().mean().backward()
    optimizer.step()


def test_a_convolution_moves_as_the_matrix_from_what_it_sees_to_its_channels():
    model = network()
    before = model[0].weight.detach().clone()
    matrix = before.flatten(1).clone().requires_grad_()
    theirs = torch.optim.Muon([matrix], lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    images = torch.randn(5, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    twin = network()
    twin(images).square().mean().backward()
    matrix.grad = twin[0].weight.grad.flatten(1)
    theirs.step()
    take_step(model, optimizer_of(model), 0)
    torch.testing.assert_close(model[0].weight.flatten(1), matrix)
    assert not torch.equal(model[0].weight, before)


def test_a_rate_of_zero_moves_nothing_and_vectors_are_not_decayed():
    model = network()
    optimizer = optimizer_of(model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    before = copy.deepcopy(model.state_dict())
    take_step(model, optimizer, 0)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    decays = [group["weight_decay"] for group in optimizer.adamw.param_groups]
    sizes = [{p.ndim for p in group["params"]} for group in optimizer.adamw.param_groups]
    assert (decays, sizes) == ([0.1, 0.0], [{2}, {1}])


def test_what_was_saved_goes_on_as_if_nothing_had_happened():
    unbroken, broken = network(), network()
    one, other = optimizer_of(unbroken), optimizer_of(broken)
    for seed in (0, 1):
        take_step(unbroken, one, seed)
    take_step(broken, other, 0)
    again = optimizer_of(broken)
    again.load_state_dict(other.state_dict())
    take_step(broken, again, 1)
    for name, value in unbroken.state_dict().items():
        assert torch.equal(value, broken.state_dict()[name]), name
