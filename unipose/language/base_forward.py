"""What a base language model does differently from a plain one, around its layers.

Families scale or cap their logits, let some layers see only a window, or take masks as numbers.
The pose language model computes logits and masks by itself and has to do the same.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from unipose.errors import ConfigError

KINDS_OF_LAYERS = {"full_attention", "sliding_attention"}
CLOSE = 1e-3
"""Largest difference of logits, relative to their size, that is rounding in float32."""

Masks = Tensor | dict[str, Tensor]


def own_logits(
    config: PreTrainedConfig, logits: Float[Tensor, "*place token"]
) -> Float[Tensor, "*place token"]:
    """Return the output layer's products as this base makes logits of them.

    Cohere multiplies by `logit_scale`, Granite divides by `logits_scaling`, Falcon-H1 multiplies by
    `lm_head_multiplier`, Gemma caps: cap * tanh(logits / cap).
    """
    for name in ("logit_scale", "lm_head_multiplier"):
        if isinstance(factor := getattr(config, name, None), int | float):
            logits = logits * factor
    if divisor := getattr(config, "logits_scaling", None):
        logits = logits / divisor
    if cap := getattr(config, "final_logit_softcapping", None):
        logits = torch.tanh(logits / cap) * cap
    return logits


def own_masks(
    llm: PreTrainedModel,
    seen: Bool[Tensor, "row 1 new place"],
    positions: Int[Tensor, "row place"],
    dtype: torch.dtype,
) -> Masks:
    """Return the masks of attention as the base's layers take them.

    Layers with a window of w see places less than w positions back, as w = 2 in a row of text:

        places   a  b  c        positions 0 1 2
        a        1  0  0
        b        1  1  0
        c        0  1  1

    Where only some layers have a window there is a mask for each kind of layer. Attention that adds
    masks to its scores gets numbers (0 or the least).
    """
    config = llm.config
    window = getattr(config, "sliding_window", None)
    kinds = set(getattr(config, "layer_types", None) or ())
    if not kinds <= KINDS_OF_LAYERS:
        raise ConfigError(
            f"{config.model_type} has layers of {', '.join(sorted(kinds - KINDS_OF_LAYERS))}; "
            f"poses need {' or '.join(sorted(KINDS_OF_LAYERS))}"
        )
    windowed = seen
    if window is not None and seen.shape[-1] > window:
        new = seen.shape[2]
        back = positions[:, None, -new:, None] - positions[:, None, None, :]
        windowed = seen & (back < window)
    if config._attn_implementation == "eager":
        seen, windowed = (_added(mask, dtype) for mask in (seen, windowed))
    if "sliding_attention" in kinds:
        return {"full_attention": seen, "sliding_attention": windowed}
    return seen if kinds else windowed


def layer_dtype(llm: PreTrainedModel) -> torch.dtype:
    """Return the number type of the base's layers, adapters and quantised weights aside."""
    layers: Any = llm.get_decoder().layers
    for name, weight in layers.named_parameters():
        if weight.is_floating_point() and "lora_" not in name:
            return weight.dtype
    raise ConfigError("the language model's layers have no weights")


def output_products(
    head: nn.Module, hidden: Float[Tensor, "*place width"], rows: slice
) -> Float[Tensor, "*place token"]:
    """Return the products of some rows of the output layer, its bias included."""
    weight, bias = head.weight, getattr(head, "bias", None)
    assert isinstance(weight, Tensor)
    chosen = bias[rows] if isinstance(bias, Tensor) else None
    return nn.functional.linear(hidden, weight[rows], chosen)


def _added(mask: Bool[Tensor, "*any"], dtype: torch.dtype) -> Float[Tensor, "*any"]:
    return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(
        ~mask, torch.finfo(dtype).min
    )
