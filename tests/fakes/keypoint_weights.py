"""Weights that anybody can make from a formula: published networks were run with them.

The numbers of `cigpose_golden.json` belong to these weights and this input.
"""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import torch
from torch import Tensor


def published_names(names: Mapping[str, Tensor], *, causal: bool) -> dict[str, str]:
    """Return our name -> the name in a published checkpoint."""
    if not causal:
        return {name: name for name in names}
    theirs = {
        "head.mlp.": "head.mlp_pre_gau.", "head.cls_x.": "head.cls_gx.",
        "head.cls_y.": "head.cls_gy.",
    }  # fmt: skip
    found = {}
    for name in names:
        old = next((old for old in theirs if name.startswith(old)), "")
        found[name] = theirs.get(old, "") + name.removeprefix(old)
    return found


def formula_weight(name: str, like: Tensor) -> Tensor:
    """Return the weight of a published name."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros_like(like)
    count = like.numel()
    wave = torch.sin(0.7310 * torch.arange(count, dtype=torch.float64) + crc32(name.encode()) % 997)
    wave = wave.view(like.shape)
    if name.endswith("running_var"):
        return 1 + 0.2 * wave
    if name.endswith("running_mean"):
        return 0.1 * wave
    if name.endswith((".g", "res_scale.scale")) or (like.ndim == 1 and name.endswith(".weight")):
        return 1 + 0.1 * wave
    if name.endswith(("gamma", "beta")):
        return 0.5 + 0.3 * wave
    if name.endswith(".bias"):
        return 0.05 * wave
    return wave * (2 / (count / like.shape[0])) ** 0.5


def formula_images(people: int, height: int, width: int) -> Tensor:
    """Return normalised crops of the formula."""
    count = people * 3 * height * width
    wave = torch.sin(0.013 * torch.arange(count, dtype=torch.float64))
    return 1.5 * wave.view(people, 3, height, width)


def checkpoint_of(network: torch.nn.Module, *, causal: bool) -> dict[str, Tensor]:
    """Return a published checkpoint's state_dict for a network, dead layers included."""
    own = network.state_dict()
    names = published_names(own, causal=causal)
    weights = {theirs: formula_weight(theirs, own[ours]) for ours, theirs in names.items()}
    if causal:
        for dead in ("mlp.0.g", "mlp.1.weight", "cls_x.weight", "cls_y.weight"):
            ours = own[f"head.{dead}"]
            weights[f"head.{dead}"] = formula_weight(f"head.{dead}", ours)
    return weights
