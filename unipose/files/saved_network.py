"""A network in a folder: config.json beside model.safetensors."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from safetensors.torch import save_file
from torch import nn

from unipose.errors import MissingFileError, WeightsError

WEIGHTS = "model.safetensors"
_Config = TypeVar("_Config")


def save_network(network: nn.Module, config: Any, folder: str | Path) -> None:
    """Write a network and its configuration (a dataclass)."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(asdict(config), indent=2) + "\n")
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)


def read_config(folder: Path, kind: type[_Config], *, holds: str) -> _Config:
    """Return the configuration in a folder; `holds` says what should be there.

    Raises MissingFileError without a file, WeightsError for one of something else.
    """
    try:
        return kind(**json.loads((folder / "config.json").read_text()))
    except FileNotFoundError as error:
        raise MissingFileError(folder, f"it holds no {holds}.") from error
    except (TypeError, ValueError) as error:
        raise WeightsError(folder, f"its config.json is none of ours ({error}).") from error
