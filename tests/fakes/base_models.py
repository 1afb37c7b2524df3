"""Tiny random language models of many families, in folders as Hugging Face and LLaVA have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
_NO_MARKS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "mistral": {"sliding_window": 9},
    "qwen2": {"tie_word_embeddings": True},
    "qwen3": {"head_dim": 8},
    "gemma2": {"head_dim": 8, "sliding_window": 9, "final_logit_softcapping": 2.0,
               "attn_logit_softcapping": 3.0},
    "gemma3_text": {"head_dim": 8, "sliding_window": 9, "final_logit_softcapping": 2.0,
                    "layer_types": ["sliding_attention", "full_attention"]},
    "cohere": {"logit_scale": 0.25},
    "cohere2": {"logit_scale": 0.25, "sliding_window": 9,
                "layer_types": ["sliding_attention", "full_attention"]},
    "granite": {"logits_scaling": 4.0, "embedding_multiplier": 6.0, "residual_multiplier": 0.5},
    "smollm3": {"tie_word_embeddings": True},
}  # fmt: skip
"""What sets each family apart, so that overlooking it shows."""

LLAVAS = ("llava", "llava_next", "llava_mistral", "llava_llama")
"""Hugging Face's two types, then the original layout's."""


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """A tokenizer as Llama and Mistral ship it: BPE over "▁" with single bytes to fall back on."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += ["▁", *"abcdefghijklmnopqrstuvwxyzT.,:?"]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    inner = Tokenizer(models.BPE(vocabulary, [], byte_fallback=True, unk_token="<unk>"))
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)]
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def write_base(folder: Path, family: str, *, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """Write a tiny model of a family with its tokenizer; return the model as it was written."""
    text = sentencepiece_like()
    sizes = SMALL | _NO_MARKS | {"vocab_size": len(text) + 7} | FAMILIES[family]
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **sizes))
    _spread(model)
    model.to(dtype).save_pretrained(folder)
    text.save_pretrained(folder)
    return model.eval()


def write_llava(folder: Path, kind: str) -> PreTrainedModel:
    """Write a tiny LLaVA with its tokenizer; return its language model as it was written."""
    text = sentencepiece_like()
    family = "mistral" if kind in ("llava_next", "llava_mistral") else "llama"
    numbers = SMALL | _NO_MARKS | {"vocab_size": len(text) + 7}
    torch.manual_seed(0)
    language = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **numbers))
    _spread(language)
    text.save_pretrained(folder)
    if kind in ("llava_mistral", "llava_llama"):
        _write_original(folder, kind, language)
        return language.eval()
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        image_size=28, patch_size=14, projection_dim=16,
    )  # fmt: skip
    config_class, model_class = {
        "llava": (LlavaConfig, LlavaForConditionalGeneration),
        "llava_next": (LlavaNextConfig, LlavaNextForConditionalGeneration),
    }[kind]
    whole = model_class(
        config_class(vision_config=vision, text_config=language.config, image_token_index=5)
    )
    whole.model.language_model.load_state_dict(language.model.state_dict())
    whole.lm_head.load_state_dict(language.lm_head.state_dict())
    whole.save_pretrained(folder)
    return language.eval()


def _write_original(folder: Path, kind: str, language: PreTrainedModel) -> None:
    """Write a LLaVA as its authors do: one flat config, the language model's own names."""
    numbers = language.config.to_dict()
    numbers |= {
        "model_type": kind,
        "architectures": [f"Llava{kind.removeprefix('llava_').title()}ForCausalLM"],
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_tower": "openai/clip-vit-large-patch14-336",
    }
    (folder / "config.json").write_text(json.dumps(numbers, default=str))
    hidden = language.config.hidden_size
    weights = dict(language.state_dict())
    weights["model.image_newline"] = torch.randn(hidden)
    for name, size in (("0", 16), ("2", hidden)):
        weights[f"model.mm_projector.{name}.weight"] = torch.randn(hidden, size)
        weights[f"model.mm_projector.{name}.bias"] = torch.randn(hidden)
    weights["model.vision_tower.vision_tower.vision_model.post_layernorm.weight"] = torch.ones(16)
    whole = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(whole, folder / "model.safetensors", metadata={"format": "pt"})


@torch.no_grad()
def _spread(model: PreTrainedModel) -> None:
    """Make the weights large enough that what is done to logits shows in them."""
    for name, weight in model.named_parameters():
        if weight.ndim == 2:
            weight.mul_(0.4 / weight.std())
        elif "norm" in name:
            weight.add_(0.1 * torch.randn_like(weight))
