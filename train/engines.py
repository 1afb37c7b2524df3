"""Whole weights and optimiser states out of an engine that spreads them, and back.

A checkpoint then is the same file for any engine and any number of processes: a run that began
with ZeRO-2 on four GPUs goes on with one. DeepSpeed's own checkpoints are pickles, which we never
read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator, DistributedType
from torch import Tensor, nn

from train.run_folder import RunFolder, changing
from unipose.errors import ConfigError

SPREADING = (DistributedType.DEEPSPEED, DistributedType.FSDP)

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each weight."""

Tensors = dict[str, Tensor]


def gathered(
    accelerator: Any, model: nn.Module, optimizer: Any
) -> tuple[Tensors, dict[int, Tensors]]:
    """Return all weights by name and AdamW's states by place in the optimiser, on the main process.

    A collective: every process must call it, others may get less. Weights that learn come in the
    optimiser's precision (float32 under DeepSpeed's bfloat16).
    """
    if accelerator.distributed_type == DistributedType.DEEPSPEED:
        return _from_deepspeed(model, optimizer.optimizer)
    return _from_fsdp(model, optimizer.optimizer)


def save_run(
    accelerator: Accelerator, run: RunFolder, step: int, model: nn.Module, optimizer: Any
) -> Tensors:
    """Write a checkpoint of `step` on the main process; return all weights by name."""
    if accelerator.distributed_type not in SPREADING:
        if accelerator.is_main_process:
            run.save(step, model, optimizer)
        return dict(model.state_dict())
    weights, states = gathered(accelerator, model, optimizer)
    if accelerator.is_main_process:
        kept = changing(model) & weights.keys()
        run.write(step, {name: weights[name] for name in kept}, states)
    return weights


def resume_moments(
    accelerator: Accelerator, model: nn.Module, optimizer: Any, checkpoint: Path
) -> None:
    """Hand a checkpoint's float32 weights and AdamW's states to an engine that was just prepared.

    A plain optimiser needs nothing: `RunFolder.resume` did it. Raises ConfigError for engines that
    cannot go on with a run yet.
    """
    if accelerator.distributed_type not in SPREADING:
        return
    _, weights, states = RunFolder.read(checkpoint)
    zero = optimizer.optimizer
    if not hasattr(zero, "single_partition_of_fp32_groups"):
        raise ConfigError(
            f"a run cannot be resumed under {type(zero).__name__}; go on with "
            "train/configs/zero2.yaml or on one GPU: the checkpoint is the same for all"
        )
    from deepspeed.utils import safe_set_full_fp32_param, safe_set_full_optimizer_state

    base = zero.optimizer
    base.state.clear()  # what RunFolder.resume put there belongs to weights that were replaced
    for flat in zero.single_partition_of_fp32_groups:
        base.state[flat] = {name: torch.zeros_like(flat) for name in MOMENTS}
        base.state[flat]["step"] = states[0]["step"].clone()
    zero._lazy_init_hp_params_optimizer_state()  # lets the next lines reach the states
    names = {id(weight): name for name, weight in model.named_parameters()}
    for index, weight in enumerate(_learning(zero)):
        safe_set_full_fp32_param(weight, weights[names[id(weight)]].to(weight.device).float())
        for moment in MOMENTS:
            value = states[index][moment].to(weight.device)
            safe_set_full_optimizer_state(weight, value, moment)


def _learning(zero: Any) -> list[nn.Parameter]:
    groups = getattr(zero, "bit16_groups", None) or zero.fp16_groups
    return [weight for group in groups for weight in group]


def _from_deepspeed(model: nn.Module, zero: Any) -> tuple[Tensors, dict[int, Tensors]]:
    from deepspeed.utils import safe_get_full_fp32_param, safe_get_full_optimizer_state

    steps = [s["step"] for s in zero.optimizer.state.values() if "step" in s]
    masters: dict[int, Any] = {}
    states: dict[int, dict[str, Any]] = {}
    for index, weight in enumerate(_learning(zero)):
        masters[id(weight)] = safe_get_full_fp32_param(weight)
        states[index] = {m: safe_get_full_optimizer_state(weight, m) for m in MOMENTS}
        states[index]["step"] = steps[0].clone()
    weights = {name: table.detach() for name, table in model.state_dict().items()}
    for name, weight in model.named_parameters(remove_duplicate=False):
        if id(weight) in masters:
            weights[name] = masters[id(weight)]
    return weights, states


def _from_fsdp(model: nn.Module, optimizer: Any) -> tuple[Tensors, dict[int, Tensors]]:
    from torch.distributed.checkpoint.state_dict import (
        StateDictOptions,
        get_model_state_dict,
        get_optimizer_state_dict,
    )

    whole = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights: dict[str, Any] = get_model_state_dict(model, options=whole)
    found: Any = get_optimizer_state_dict(model, optimizer, options=whole).get("state")
    learning = [weight for group in optimizer.param_groups for weight in group["params"]]
    names = {id(weight): name for name, weight in model.named_parameters()}
    states = {i: dict(found[names[id(w)]]) for i, w in enumerate(learning) if found}
    return weights, states
