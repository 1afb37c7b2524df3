"""A network in a folder: config.json beside model.safetensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from unipose.errors import MissingFileError, UniPoseError, WeightsError
from unipose.files.atomic import written_whole
from unipose.files.checkpoints import load_strictly, read_checkpoint

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
Config = TypeVar("Config")
Network = TypeVar("Network", bound=nn.Module)


def save_network(
    network: nn.Module,
    config: Any,
    folder: str | Path,
    *,
    dtype: torch.dtype | None = None,
    unchanged: Callable[[str, Tensor], bool] = lambda name, weight: False,
) -> None:
    """Write a network and its configuration (a dataclass, or its values).

    Numbers that have fractions become `dtype`, but for those of which `unchanged` says so by name
    and value. Each file appears whole, the weights last.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    values = dict(config) if isinstance(config, Mapping) else asdict(config)
    weights = {
        name: (
            weight.to(dtype)
            if dtype is not None and weight.is_floating_point() and not unchanged(name, weight)
            else weight
        ).contiguous()
        for name, weight in network.state_dict().items()
    }
    with written_whole(folder / CONFIG) as path:
        path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    with written_whole(folder / WEIGHTS) as path:
        save_file(weights, path, metadata={"format": "pt"})


def read_config(
    folder: str | Path,
    kind: Callable[..., Config],
    *,
    holds: str,
    remedy: str = "Expected config.json and model.safetensors.",
) -> Config:
    """Return `kind` of the values in a folder's config.json; `holds` says what should be there.

    Raises MissingFileError without a file, WeightsError for one of something else.
    """
    path = Path(folder) / CONFIG
    try:
        return kind(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise MissingFileError(path, f"there is no {holds} here.", remedy) from error
    except (AttributeError, KeyError, TypeError, ValueError, UniPoseError) as error:
        raise WeightsError(path, f"is no configuration of a {holds} ({error}).") from error


def load_weights(network: Network, folder: str | Path) -> Network:
    """Load what `save_network` wrote, in the network's own number type, ready to be asked.

    Raises MissingFileError, or WeightsError as `load_strictly` does.
    """
    path = Path(folder) / WEIGHTS
    load_strictly(network, read_checkpoint(path), path)
    return network.eval()
