"""An adaptation between two epochs, in one file that appears whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from unipose.errors import FileError
from unipose.files.atomic import written_whole


@dataclass(frozen=True, kw_only=True, eq=False)
class AdapterState:
    """What changes from epoch to epoch: weights and the optimisers' moments."""

    weights: Sequence[Tensor]
    denoiser: Sequence[Tensor]
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer]

    def save(self, path: Path, epochs: int, tensors: dict[str, Tensor]) -> None:
        """Write the state after so many epochs, with what else belongs to it."""
        held = {f"held.{name}": value for name, value in tensors.items()}
        for kind, weights in (("weight", self.weights), ("denoiser", self.denoiser)):
            held |= {f"{kind}.{i}": value for i, value in enumerate(weights)}
        for i, optimizer in enumerate(self.optimizers):
            for number, state in optimizer.state_dict()["state"].items():
                for name, value in state.items():
                    held[f"optimizer{i}.{number}.{name}"] = torch.as_tensor(value)
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in held.items()}
        with written_whole(path) as temporary:
            save_file(plain, temporary, metadata={"epochs": str(epochs)})

    def load(self, path: Path) -> tuple[int, dict[str, Tensor]]:
        """Put a written state back; return the epochs done and what else was written.

        Raises FileError if the file is damaged or of another network.
        """
        try:
            with safe_open(path, framework="pt") as file:
                epochs = int(file.metadata()["epochs"])
                held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            with torch.no_grad():
                for kind, weights in (("weight", self.weights), ("denoiser", self.denoiser)):
                    for i, value in enumerate(weights):
                        value.copy_(held[f"{kind}.{i}"])
        except (SafetensorError, KeyError, RuntimeError, ValueError) as error:
            raise FileError(
                path, f"is no state of this adaptation ({error}).", "Remove it to start over."
            ) from error
        for i, optimizer in enumerate(self.optimizers):
            states: dict[int, dict[str, Tensor]] = {}
            for name, value in held.items():
                if name.startswith(f"optimizer{i}."):
                    _, number, key = name.split(".", 2)
                    states.setdefault(int(number), {})[key] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": states, "param_groups": groups})
        return epochs, {n[5:]: value for n, value in held.items() if n.startswith("held.")}
