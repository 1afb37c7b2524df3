"""Do our keypoint networks say what the authors' code says? Weights and input made from formulas.

The authors' networks were run with the same weights and the same crops; what came out is in a file
of reference numbers (`--golden`). Nothing needs to be downloaded to compare.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import torch
from torch import Tensor, nn

from unipose.errors import FileError
from unipose.wholebody.config import published
from unipose.wholebody.network import WholeBodyNetwork, own_names

NAMES = {
    "rtmpose-m_coco17_256x192": "rtmpose-m-coco-256x192",
    "cigpose-m_coco17_256x192": "cigpose-m-coco-256x192",
    "cigpose-m_crowdpose14_256x192": "cigpose-m-crowdpose-256x192",
    "cigpose-m_wholebody133_256x192": "cigpose-m-wholebody-256x192",
    "cigpose-l_wholebody133_384x288": "cigpose-l-wholebody-384x288",
}
"""What the file calls a network -> what we do."""
DEAD = ("mlp.0.g", "mlp.1.weight", "cls_x.weight", "cls_y.weight")
"""Layers of CIGPose's head that its files hold and that are never used."""


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


def checkpoint_of(network: nn.Module, *, causal: bool) -> dict[str, Tensor]:
    """Return a published checkpoint's state_dict for a network, dead layers included."""
    own = network.state_dict()
    names = published_names(own, causal=causal)
    weights = {theirs: formula_weight(theirs, own[ours]) for ours, theirs in names.items()}
    if causal:
        for dead in DEAD:
            ours = own[f"head.{dead}"]
            weights[f"head.{dead}"] = formula_weight(f"head.{dead}", ours)
    return weights


def formula_network(name: str) -> WholeBodyNetwork:
    """Return a published network (our name) with the formula's weights, in float64."""
    network = WholeBodyNetwork(published(name)).double()
    weights = checkpoint_of(network, causal=network.config.causal)
    network.load_state_dict(own_names(weights), strict=True)
    return network.eval()


@torch.inference_mode()
def golden_errors(path: Path) -> dict[str, float]:
    """Return the largest relative error of each network of a file of reference numbers.

    Of the sums of squares of map and logits, of the logits that are given one by one (relative to
    their root mean square), and infinite if another keypoint is replaced or another bin is largest.
    Raises FileError for a file of another kind.
    """
    try:
        models: dict[str, dict[str, Any]] = json.loads(path.read_text("utf-8"))["models"]
        return {name: _error(NAMES[name], truth) for name, truth in models.items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FileError(path, f"holds no reference numbers of networks ({error!r}).") from error


def _error(name: str, truth: dict[str, Any]) -> float:
    network = formula_network(name)
    config = network.config
    maps = network.backbone(formula_images(2, config.height_px, config.width_px))
    said = network.head(maps)
    pairs = [(float(maps.square().sum()), truth["feat_sumsq"])]
    pairs += [
        (float(v.square().sum()), truth[f"{a}_sumsq"]) for v, a in ((said.x, "x"), (said.y, "y"))
    ]
    errors = [abs(found - true) / abs(true) for found, true in pairs]
    for found, true in (
        (said.x[0, 0, :8], truth["x_b0k0_first8"]), (said.y[1, -1, :8], truth["y_b1klast_first8"]),
    ):  # fmt: skip
        expected = torch.tensor(true, dtype=torch.float64)
        scale = expected.square().mean().sqrt()
        errors.append(float((found - expected).abs().max() / scale))
    same = [
        said.x[0].argmax(-1).tolist() == truth["x_argmax_b0"],
        said.y[1].argmax(-1).tolist() == truth["y_argmax_b1"],
    ]
    if said.replaced is not None:
        same.append(said.replaced.nonzero()[:, 1].tolist() == truth["eval_intervened"])
    return max(errors) if all(same) else float("inf")
