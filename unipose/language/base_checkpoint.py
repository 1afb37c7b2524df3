"""The language model that a pose language model is built on, out of a checkpoint of any family.

A folder (or a name on the Hugging Face hub) holds a causal language model, or a LLaVA whose
language model is taken out of it. LLaVA comes in two layouts: Hugging Face's, with a `text_config`
and prefixed names, and the original one, with one flat config and the names of a plain model.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from unipose.errors import ConfigError, WeightsError

ORIGINAL_LLAVA = re.compile(r"llava_?(llama|mistral|qwen2|qwen)", re.IGNORECASE)
"""How the original layout names the language model, in its type or its architecture."""

LANGUAGE_MODEL = {
    r"^(model\.)?language_model\.lm_head\.": "lm_head.",
    r"^(model\.)?language_model\.model\.": "model.",
    r"^(model\.)?language_model\.": "model.",
}
"""Names of a language model inside a model that also sees, and its own names (first match)."""


def read_text_config(llm: str | Path) -> PreTrainedConfig:
    """Return the configuration of the language model at `llm`, also of one inside a LLaVA.

    Raises WeightsError if there is none.
    """
    try:
        numbers, _ = PreTrainedConfig.get_config_dict(str(llm))
        if not numbers:
            raise WeightsError(llm, "holds no config.json.")
        return text_config_of(numbers)
    except WeightsError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(llm, f"describes no causal language model ({error}).") from error


def text_config_of(numbers: dict[str, Any]) -> PreTrainedConfig:
    """Return the configuration of the language model that a config.json describes.

    Raises ValueError, KeyError or TypeError if it describes none.
    """
    numbers = dict(numbers)
    kind = str(numbers.pop("model_type"))
    if "text_config" in numbers:
        text = dict(numbers["text_config"])
        if "model_type" in text:
            return AutoConfig.for_model(str(text.pop("model_type")), **text)
        return AutoConfig.for_model(kind, **numbers).get_text_config()
    if kind.startswith("llava"):
        names = [kind, *numbers.get("architectures", [])]
        found = [match for match in map(ORIGINAL_LLAVA.search, names) if match]
        if not found:
            raise ValueError(f"{kind!r} without text_config names no language model")
        kind = {"qwen": "qwen2"}.get(found[0][1].lower(), found[0][1].lower())
        numbers.pop("architectures", None)
    config = AutoConfig.for_model(kind, **numbers)
    if not isinstance(getattr(config, "vocab_size", None), int):
        raise ValueError(f"a model of type {kind!r} has no vocabulary")
    return config


def stored_dtype(llm: str | Path) -> torch.dtype:
    """Return the number type in which a frozen base is held unless one is asked for.

    That in which it is stored; bfloat16 in place of float16, through which small gradients vanish.
    """
    numbers, _ = PreTrainedConfig.get_config_dict(str(llm))
    text = numbers.get("text_config", {})
    name = None
    for some in (text, numbers):
        name = name or some.get("dtype") or some.get("torch_dtype")
    found = getattr(torch, str(name), None)
    if found == torch.float16:
        return torch.bfloat16
    return found if isinstance(found, torch.dtype) else torch.float32


def load_base(
    llm: str | Path, *, dtype: torch.dtype, bits: int = 16, attention: str | None = None
) -> PreTrainedModel:
    """Read a language model: built on the meta device, read once, its weights in `dtype`.

    `attention` is one of transformers' implementations; None takes its choice.

    With 4 or 8 `bits` its linear layers are quantised by bitsandbytes as they are read, all but the
    output layer, and `dtype` is that of the rest. Raises WeightsError if weights are missing.
    """
    config = read_text_config(llm)
    options: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
    found: Any
    if bits != 16:
        options["quantization_config"] = BitsAndBytesConfig(
            llm_int8_skip_modules=["lm_head"],
            load_in_4bit=bits == 4,
            load_in_8bit=bits == 8,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    try:
        with _quiet():  # what of a LLaVA is no language model is left where it is
            found = AutoModelForCausalLM.from_pretrained(
                str(llm), config=config, dtype=dtype, key_mapping=LANGUAGE_MODEL,
                output_loading_info=True, **options,
            )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(llm, f"the language model cannot be loaded ({error}).") from error
    model, report = found
    wrong = [*report["missing_keys"], *report["mismatched_keys"]]
    if wrong:
        raise WeightsError(
            llm, f"{len(wrong)} weights of the language model are missing, the first is {wrong[0]}."
        )
    return model


def add_rows(model: PreTrainedModel, rows: int, *, text: int, seed: int) -> None:
    """Give the embedding and the output layer `rows` rows, those from `text` on drawn anew.

    Each new row is drawn like the `text` rows: with their mean and standard deviation in every
    dimension, so that new words lie among the known ones and differ from one another. A tied output
    layer shares them, another one draws its own. The same seed draws the same rows.
    """
    before = model.get_input_embeddings()
    if not isinstance(before, nn.Embedding):
        raise ConfigError(f"expected a table of embeddings, got a {type(before).__name__}")
    text = min(text, before.num_embeddings)
    model.resize_token_embeddings(rows, mean_resizing=False)
    generator = torch.Generator().manual_seed(seed)
    embedding: Any = model.get_input_embeddings()
    head: Any = model.get_output_embeddings()
    tables = [embedding.weight]
    if head is not None and head.weight is not embedding.weight:
        tables.append(head.weight)
    with torch.no_grad():
        for table in tables:
            table[text:] = like_rows(table[:text], rows - text, generator).to(table)
        bias = getattr(head, "bias", None)
        if bias is not None:
            bias[text:] = bias[:text].mean()


def like_rows(
    known: Float[Tensor, "row width"], count: int, generator: torch.Generator
) -> Float[Tensor, "new width"]:
    """Return float32 rows on the CPU with the mean and deviation of `known` in each dimension."""
    mean = known.mean(dim=0, dtype=torch.float32).cpu()
    square = torch.linalg.vector_norm(known, dim=0, dtype=torch.float32).cpu() ** 2 / len(known)
    deviation = (square - mean**2).clamp(min=0).sqrt()
    return mean + deviation * torch.randn(count, len(mean), generator=generator)


@contextmanager
def _quiet() -> Iterator[None]:
    names = ("transformers.modeling_utils", "transformers.distributed.tensor_parallel")
    levels = {logging.getLogger(name): logging.getLogger(name).level for name in names}
    for logger in levels:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
