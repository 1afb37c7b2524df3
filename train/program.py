"""What every training program shares: its command line, accelerate, seeds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
import tyro
from accelerate import Accelerator, DistributedType
from accelerate.tracking import get_available_trackers
from accelerate.utils import (
    DistributedDataParallelKwargs,
    InitProcessGroupKwargs,
    KwargsHandler,
)
from torch import nn

from tokenizer.codec import CodecError
from train.kept_memory import keep_memory
from train.threads import set_threads
from unipose.app.installation import command_for
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


def start_accelerator(
    *,
    clip: float | None = None,
    trackers: Sequence[str] = (),
    folder: Path | None = None,
    threads: int = 0,
    workers: int = 0,
) -> Accelerator:
    """Return an Accelerator that really spans the processes that were launched.

    A configuration that accelerate does not apply would train every process alone, with exit
    status 0; this is refused with ConfigError. `clip` is the largest norm of the gradients, for
    DeepSpeed, which clips by itself and overlooks `clip_grad_norm_`. `trackers` log into `folder`
    once a RunFolder has been given the Accelerator; ConfigError for one that is not installed.
    Torch's threads are set to `threads`, or to this process's share of the cores beside `workers`
    that draw batches (`train.threads`).
    """
    # adding up gradients in the order in which threads come makes a resumed run another one
    torch.use_deterministic_algorithms(True, warn_only=True)
    setattr(torch.utils.deterministic, "fill_uninitialized_memory", False)  # noqa: B010
    installed = {tracker.value for tracker in get_available_trackers()}
    missing = sorted(set(trackers) - installed)
    if missing:
        command = command_for(missing[0])
        raise ConfigError(
            f"the tracker {missing[0]!r} is not installed, or unknown to accelerate; here are "
            f"{', '.join(sorted(installed)) or 'none'}"
            + (f" ({command} brings it; --trackers without a name logs to the folder alone)"
               if command else "")
        )  # fmt: skip
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    asked = asked_engine()
    # a step without, say, an edit leaves the weights that only edits use without a gradient
    handlers: list[KwargsHandler] = [DistributedDataParallelKwargs(find_unused_parameters=True)]
    on_cpu = not torch.cuda.is_available()
    if on_cpu:
        keep_memory()
        # or DeepSpeed, which accelerate imports, prints that it found nothing else
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    if on_cpu and asked == "DEEPSPEED":
        # cpu=True makes DeepSpeed's processes rank 0 of 1; without gloo it looks for a GPU
        handlers.append(InitProcessGroupKwargs(backend="gloo"))
    accelerator = Accelerator(
        cpu=on_cpu and asked != "DEEPSPEED", kwargs_handlers=handlers,
        log_with=list(trackers) or None, project_dir=folder,
    )  # fmt: skip
    if accelerator.num_processes != launched:
        raise ConfigError(
            f"{launched} processes were launched but accelerate runs {accelerator.num_processes}; "
            "on CPU use accelerate launch --config_file train/configs/cpu2.yaml, or torchrun"
        )
    started = accelerator.distributed_type
    if asked in ("DEEPSPEED", "FSDP") and started.value != asked:
        raise ConfigError(
            f"{asked} was asked for but accelerate started {started.value}: it does not apply it "
            f"here ({'no GPU was found' if on_cpu else 'see accelerate env'}); "
            "take another file of train/configs"
        )
    if started == DistributedType.DEEPSPEED:
        # accelerate reads these off a data loader and a YAML; we have neither
        settings = deepspeed_settings(accelerator)
        settings["train_micro_batch_size_per_gpu"] = 1
        settings["gradient_clipping"] = clip or 0.0
    chosen = set_threads(asked=threads, workers=workers)
    if accelerator.is_main_process:
        sys.stderr.write(f"{chosen}\n")
    return accelerator


def asked_engine() -> str:
    """Return which engine `accelerate launch` was asked for: DEEPSPEED, FSDP, or nothing."""
    for engine in ("DEEPSPEED", "FSDP"):
        if os.environ.get(f"ACCELERATE_USE_{engine}", "false").lower() in ("true", "1"):
            return engine
    return ""


ZERO3_REFUSED = (
    "ZeRO-3 takes weights away that the pose language model reads outside of its layers (slices of "
    "the output layer): the backward pass fails. Use train/configs/zero2.yaml, or fsdp2.yaml to "
    "spread the weights, too"
)
"""Tried with deepspeed 0.19.8 on the debug preset."""


def check_engine(accelerator: Any, trained: nn.Module) -> None:
    """Check that what `accelerator.prepare` returned is what the launched engine trains.

    Raises ConfigError if several processes would each train a model of their own, or an engine
    that was asked for did not take the model.
    """
    engine = asked_engine()
    if engine == "DEEPSPEED":
        from deepspeed import DeepSpeedEngine  # seconds to import, and seldom needed

        taken = isinstance(trained, DeepSpeedEngine)
        if taken:
            stage = deepspeed_settings(accelerator)["zero_optimization"]["stage"]
            if stage == 3:
                raise ConfigError(ZERO3_REFUSED)
            running: Any = trained
            taken = running.zero_optimization_stage() == stage
    elif engine == "FSDP":
        from torch.distributed.fsdp import FSDPModule, FullyShardedDataParallel

        taken = isinstance(trained, FSDPModule | FullyShardedDataParallel)
    else:
        engine = "DistributedDataParallel"
        alone = accelerator.num_processes == 1
        taken = alone or isinstance(trained, nn.parallel.DistributedDataParallel)
    if not taken:
        raise ConfigError(
            f"{engine} should train the model on {accelerator.num_processes} processes, but "
            f"accelerate handed back a {type(trained).__name__}; nothing would keep the copies "
            "equal. Use a file of train/configs, or fewer processes"
        )


def deepspeed_settings(accelerator: Any) -> dict[str, Any]:
    """Return the settings that DeepSpeed will be given; they can be changed before `prepare`."""
    return accelerator.state.deepspeed_plugin.deepspeed_config


def generator_of(*, seed: int, step: int, process: int = 0) -> torch.Generator:
    """Return the generator that draws one process's batch of one step."""
    return torch.Generator().manual_seed(hash((seed, step, process)) % 2**63)
