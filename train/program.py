"""What every training program shares: its config, accelerate, the learning rate, seeds."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Mapping
from typing import TypeVar

import torch
import tyro
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs

from tokenizer.codec import CodecError
from unipose.errors import ConfigError, UniPoseError

Config = TypeVar("Config")


def read_config(presets: Mapping[str, Config], arguments: list[str] | None = None) -> Config:
    """Return the preset that `--preset NAME` names, with every other flag laid over it."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    name = next(iter(presets))
    for i, argument in enumerate(arguments):
        if argument == "--preset" or argument.startswith("--preset="):
            given = argument.partition("=")[2] or "".join(arguments[i + 1 : i + 2])
            del arguments[i : i + 1 + ("=" not in argument)]
            name = given
            break
    if name not in presets:
        raise SystemExit(f"error: no preset {name!r}; there are {', '.join(presets)}")
    default = presets[name]
    return tyro.cli(
        type(default),
        default=default,
        args=arguments,
        description=f"--preset {{{','.join(presets)}}}; the values below are those of {name!r}.",
    )


def run_program(main: Callable[[Config], None], presets: Mapping[str, Config]) -> None:
    """Run a training program with the command line's config; our errors become one line."""
    try:
        main(read_config(presets))
    except (UniPoseError, CodecError) as error:
        raise SystemExit(f"error: {error}") from error


def start_accelerator() -> Accelerator:
    """Return an Accelerator that really spans the processes that were launched.

    A configuration that accelerate does not apply would train every process alone, with exit
    status 0; this is refused.
    """
    # adding up gradients in the order in which threads come makes a resumed run another one
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    # a step without, say, an edit leaves the weights that only edits use without a gradient
    spread = DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = Accelerator(cpu=not torch.cuda.is_available(), kwargs_handlers=[spread])
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if accelerator.num_processes != launched:
        raise ConfigError(
            f"{launched} processes were launched but accelerate runs {accelerator.num_processes}; "
            "on CPU use accelerate launch --multi_gpu --num_processes N, or torchrun"
        )
    return accelerator


def cosine(step: int, *, steps: int, warmup: int, peak: float, floor: float = 0.0) -> float:
    """Return the rate of `step`: linear warm-up to `peak`, then half a cosine to `floor`."""
    if step < warmup:
        return peak * (step + 1) / warmup
    done = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * done))


def generator_of(*, seed: int, step: int, process: int = 0) -> torch.Generator:
    """Return the generator that draws one process's batch of one step."""
    return torch.Generator().manual_seed(hash((seed, step, process)) % 2**63)
