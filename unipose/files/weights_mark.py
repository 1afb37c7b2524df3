"""Short marks by which weights are known again: what was kept of other weights is not taken."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn

AT_ONCE = 1 << 20
"""Numbers that are turned into float64 together."""


def tensors_mark(named: Iterable[tuple[str, Tensor]], *, numbers: int | None = None) -> str:
    """Return a mark of tensors by their names, shapes and values, whatever their order and device.

    With `numbers` only so many values of each count, evenly spread: enough to know a large base
    again, not to see that one row of a table has changed.
    """
    mark = hashlib.sha256()
    for name, tensor in sorted(named, key=lambda one: one[0]):
        values = tensor.detach().flatten()
        if numbers is not None:
            values = values[:: max(1, values.numel() // numbers)][:numbers]
        mark.update(f"{name} {tuple(tensor.shape)}".encode())
        for some in values.split(AT_ONCE):
            mark.update(some.cpu().to(torch.float64).numpy().tobytes())
    return mark.hexdigest()


def network_mark(network: nn.Module) -> str:
    """Return a mark of all weights and buffers of a network, also of those that are never saved."""
    return tensors_mark([*network.named_parameters(), *network.named_buffers()])
