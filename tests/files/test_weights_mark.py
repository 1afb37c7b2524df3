"""Marks of weights: the same numbers have the same mark, any other number another one."""

from __future__ import annotations

import torch
from torch import nn

from unipose.files.weights_mark import AT_ONCE, network_mark, tensors_mark


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 50), nn.BatchNorm1d(50))


def test_the_same_weights_have_the_same_mark():
    assert network_mark(network()) == network_mark(network())
    assert network_mark(network().double()) == network_mark(network())


def test_one_other_weight_or_buffer_is_another_mark():
    first, weight, buffer = network(), network(), network()
    with torch.no_grad():
        weight[0].weight[17, 1] += 1e-3
    buffer[1].running_mean[3] = 1.0
    assert len({network_mark(one) for one in (first, weight, buffer)}) == 3


def test_a_buffer_that_is_never_saved_counts():
    marks = set()
    for value in (0.0, 1.0):
        model = network()
        model.register_buffer("table", torch.full((2,), value), persistent=False)
        marks.add(network_mark(model))
    assert len(marks) == 2


def test_names_and_shapes_count_and_the_order_does_not():
    a, b = torch.arange(6.0), torch.zeros(2)
    assert tensors_mark([("a", a), ("b", b)]) == tensors_mark([("b", b), ("a", a)])
    assert tensors_mark([("a", a)]) != tensors_mark([("c", a)])
    assert tensors_mark([("a", a)]) != tensors_mark([("a", a.reshape(2, 3))])


def test_a_few_numbers_of_each_or_all_of_them():
    values = torch.zeros(AT_ONCE + 5)
    other = values.clone()
    other[-1] = 1.0
    assert tensors_mark([("a", values)], numbers=4) == tensors_mark([("a", other)], numbers=4)
    assert tensors_mark([("a", values)]) != tensors_mark([("a", other)])
