"""A training run on disk: what it was started with, its log, and checkpoints that survive a kill.

A checkpoint is one safetensors file, written under a temporary name, flushed, then renamed: it is
complete or it is not there. Batches are drawn from (seed, step), so the step number is all the
random state a run needs, and a resumed run equals an unbroken one.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from unipose.available_cores import available_cores
from unipose.errors import ConfigError, FileError
from unipose.files.weights_mark import tensors_mark

KEEP = 2
NO_MATTER = {"workers": 0, "threads": 0}
"""Settings with which a run may go on otherwise than it began: they change no result, but for the
order in which other threads add up numbers."""
MARKED = 16
"""Numbers of each frozen weight by which it is known again."""


class RunFolder:
    """The folder of one run; creating it records the config and the state of the code.

    The trackers of `accelerator`, if it has any, get what is logged.
    """

    def __init__(self, path: Path, config: object, accelerator: Accelerator | None = None) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        if not is_dataclass(config) or isinstance(config, type):
            raise ConfigError(f"expected a config dataclass, got {config!r}")
        text = json.dumps(asdict(config), indent=2, default=str)
        known = path / "config.json"
        if self.checkpoints() and known.exists() and not _same(known, text):
            raise ConfigError(
                f"{path} holds a run with another configuration; choose another --out, "
                "or remove it to start over"
            )
        self.accelerator = accelerator
        if accelerator is None or accelerator.is_main_process:
            known.write_text(text)
            (path / "code.txt").write_text(_state_of_the_code())
            (path / "machine.json").write_text(json.dumps(_machine(accelerator), indent=2) + "\n")
        if accelerator is not None and accelerator.log_with:
            accelerator.init_trackers("log")

    def log(self, **values: float | int | str) -> None:
        """Append one line to the run's metrics."""
        with (self.path / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(values) + "\n")
        if self.accelerator is not None and self.accelerator.log_with:
            logged = {name: value for name, value in values.items() if name != "step"}
            step = values.get("step")
            self.accelerator.log(logged, step=int(step) if isinstance(step, int) else None)

    def close(self) -> None:
        """Let the trackers write what they still hold."""
        for tracker in [] if self.accelerator is None else self.accelerator.trackers:
            tracker.finish()

    def checkpoints(self) -> list[Path]:
        """Return the complete checkpoints, oldest first."""
        return sorted(self.path.glob("step-*.safetensors"))

    def steps_done(self) -> int:
        """Return after how many steps the newest checkpoint was written; 0 without one."""
        checkpoints = self.checkpoints()
        return int(checkpoints[-1].stem.removeprefix("step-")) if checkpoints else 0

    def save(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Write everything needed to go on after `step` steps; older checkpoints are removed."""
        whole = model.state_dict()
        changed = {name: whole[name] for name in changing(model) & whole.keys()}
        self.write(step, changed, optimizer.state_dict()["state"], frozen=frozen_mark(model))

    def write(
        self,
        step: int,
        weights: Mapping[str, Tensor],
        states: Mapping[int, Mapping[str, Any]],
        *,
        frozen: str = "",
    ) -> None:
        """Write a checkpoint: weights by name, the optimiser's states by place of their weight.

        `frozen` is the `frozen_mark` of what is not written.
        """
        tensors = {f"model.{k}": v.detach().contiguous() for k, v in weights.items()}
        for index, state in states.items():
            for key, value in state.items():
                tensors[f"optimizer.{index}.{key}"] = torch.as_tensor(value).contiguous()
        unfinished = self.path / "unfinished.safetensors.tmp"
        metadata = {"step": str(step), "frozen": frozen}
        save_file(_unshared(tensors), unfinished, metadata=metadata)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.rename(self.path / f"step-{step:08d}.safetensors")
        for old in self.checkpoints()[:-KEEP]:
            old.unlink()

    def resume(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Load the newest checkpoint into model and optimizer; return the steps already done.

        Raises FileError if the checkpoint is damaged or of another model.
        """
        checkpoints = self.checkpoints()
        if not checkpoints:
            return 0
        step, weights, state = self.read(checkpoints[-1])
        whole = model.state_dict()
        own = {name: whole[name] for name in changing(model) & whole.keys()}
        shapes = ({n: tuple(w.shape) for n, w in some.items()} for some in (own, weights))
        if len({str(sorted(named.items())) for named in shapes}) > 1:
            raise FileError(
                checkpoints[-1], "was written for another model.", "Choose another --out."
            )
        with safe_open(checkpoints[-1], framework="pt") as file:
            mark = file.metadata().get("frozen")
        if mark and mark != frozen_mark(model):
            raise FileError(
                checkpoints[-1],
                "was written beside other frozen weights: what the run started from has changed.",
                "Choose another --out, or put back what it started from.",
            )
        with torch.no_grad():
            for name, value in own.items():
                value.copy_(weights[name])
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return step

    @staticmethod
    def read(path: Path) -> tuple[int, dict[str, Tensor], dict[int, dict[str, Tensor]]]:
        """Return the step, the weights and the optimiser's states of a checkpoint.

        Raises FileError if the file is damaged.
        """
        try:
            with safe_open(path, framework="pt") as file:
                step = int(file.metadata()["step"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise FileError(
                path, f"is damaged ({error}).", "Remove it to resume earlier."
            ) from error
        state: dict[int, dict[str, Tensor]] = {}
        weights: dict[str, Tensor] = {}
        for name, value in tensors.items():
            kind, rest = name.split(".", 1)
            if kind == "model":
                weights[rest] = value
            else:
                index, key = rest.split(".")
                state.setdefault(int(index), {})[key] = value
        return step, weights, state


def changing(model: nn.Module) -> set[str]:
    """Return the names of what a run changes: weights that learn, and buffers beside them.

    All else comes from where the run started: a quantised base is many times the rest.
    """
    names = set()
    for name, weight in model.named_parameters(remove_duplicate=False):
        if weight.requires_grad:
            names.add(name)
    still = [
        f"{name}."
        for name, module in model.named_modules()
        if name
        and any(True for _ in module.parameters())
        and not any(weight.requires_grad for weight in module.parameters())
    ]
    buffers = {name for name, _ in model.named_buffers()}
    return names | {name for name in buffers if not name.startswith(tuple(still))}


def frozen_mark(model: nn.Module) -> str:
    """Return a short mark of all that a run does not change, by a few numbers of each tensor."""
    changed = changing(model)
    weights = model.named_parameters(remove_duplicate=False)
    return tensors_mark([one for one in weights if one[0] not in changed], numbers=MARKED)


def _machine(accelerator: Accelerator | None) -> dict[str, object]:
    """Return what the run was last started on; its threads decide how long a step takes."""
    return {
        "processes": 1 if accelerator is None else accelerator.num_processes,
        "threads": torch.get_num_threads(),
        "cores": available_cores(),
        "device": "cpu" if accelerator is None else str(accelerator.device),
        "mixed_precision": "no" if accelerator is None else accelerator.mixed_precision,
        "torch": torch.__version__,
    }


def _same(known: Path, text: str) -> bool:
    try:
        one, other = json.loads(known.read_text()), json.loads(text)
    except json.JSONDecodeError:
        return False
    return one | NO_MATTER == other | NO_MATTER


def _unshared(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors with a copy wherever two names share memory (safetensors refuses that)."""
    seen: set[int] = set()
    result = {}
    for name, value in tensors.items():
        pointer = value.untyped_storage().data_ptr()
        result[name] = value.clone() if pointer in seen else value
        seen.add(pointer)
    return result


def _state_of_the_code() -> str:
    """Return the commit and the uncommitted difference, or say that there is no repository."""
    root = Path(__file__).parent
    answers = []
    for command in (["git", "rev-parse", "HEAD"], ["git", "diff", "HEAD"]):
        try:
            done = subprocess.run(  # noqa: S603
                command, cwd=root, capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            return "no git\n"
        answers.append(done.stdout)
    return "\n".join(answers)
