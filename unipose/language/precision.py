"""Number types: where they are changed, and where float32 has to stay."""

from __future__ import annotations

import torch
from torch import nn


def dtype_of(module: nn.Module) -> torch.dtype:
    """Return the number type of a module's first weight."""
    return next(module.parameters()).dtype


def float32_on(device: torch.device) -> torch.autocast:
    """Return a context in which mixed precision leaves float32 as it is."""
    return torch.autocast(device.type, enabled=False)
