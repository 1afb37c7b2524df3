"""How many weights a pose language model has, part by part: counted on the meta device.

The model is built without memory from a configuration alone, so a plan for 72 billion weights
takes seconds on a laptop. Nothing is downloaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from tokenizer.codec import PAPER, CodecConfig
from train.stages import TRAINABLE, WHOLE, Stage, part_of
from unipose.errors import ConfigError, FileError
from unipose.language.base_checkpoint import text_config_of
from unipose.language.config import PoseLanguageConfig
from unipose.language.eyes import PAPER_EYE
from unipose.language.model import PoseLanguageModel
from unipose.vision.clip import ClipEye
from unipose.vision.pose_vit import PAPER_POSE_VIT, PoseViT
from unipose.vision.projector import ProjectorConfig, VisualProjector


@dataclass(frozen=True, kw_only=True)
class ModelOutline:
    """A language model that is known only by its numbers."""

    config: PreTrainedConfig
    text_tokens: int
    """Length of its text tokenizer; often less than the rows of its embedding."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What a plan needs to know of a model; counts of weights."""

    parts: Mapping[str, int]
    """base (linear layers), norms, lora, embeddings, poses, codec, projector, eyes."""
    vocabulary: int
    hidden: int
    feed_forward: int
    layers: int
    heads: int
    groups: int
    """Heads of keys and values."""
    head: int
    """Width of a head."""
    rank: int
    """Of LoRA; 0 is full training."""
    layer: int
    """Weights of one block of the language model, adapters included."""
    codec: CodecConfig

    def learning(self, stage: Stage) -> int:
        """Return how many weights learn in a stage."""
        return sum(self.parts[name] for name in self.learning_parts(stage))

    def learning_parts(self, stage: Stage) -> list[str]:
        """Return which parts learn in a stage."""
        names = TRAINABLE[stage]
        if "lora" in names and not self.rank:
            names = names - {"lora"} | {"base", "norms"}
        return [name for name in self.parts if name in names]


def _llama(
    hidden: int, feed_forward: int, layers: int, heads: int, groups: int, **other: Any
) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": hidden,
        "intermediate_size": feed_forward,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": groups,
        "tie_word_embeddings": False,
        "vocab_size": 32_000,
        "text_tokens": 32_000,
    } | other


_LLAMA3 = {"vocab_size": 128_256, "text_tokens": 128_256}
_QWEN_SMALL = {
    "model_type": "qwen2", "vocab_size": 151_936, "text_tokens": 151_665,
    "tie_word_embeddings": True,
}  # fmt: skip
_QWEN = {"model_type": "qwen2", "vocab_size": 152_064, "text_tokens": 151_665}
_MISTRAL = _llama(4096, 14_336, 32, 32, 8, model_type="mistral", head_dim=128)

KNOWN: dict[str, dict[str, Any]] = {
    "mistralai/Mistral-7B-Instruct-v0.2": _MISTRAL,
    "liuhaotian/llava-v1.6-mistral-7b": _MISTRAL,
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": _llama(2048, 5632, 22, 32, 4),
    "meta-llama/Llama-2-7b-hf": _llama(4096, 11_008, 32, 32, 32),
    "meta-llama/Llama-2-13b-hf": _llama(5120, 13_824, 40, 40, 40),
    "meta-llama/Llama-3.2-1B": _llama(
        2048, 8192, 16, 32, 8, head_dim=64, **_LLAMA3 | {"tie_word_embeddings": True}
    ),
    "meta-llama/Llama-3.2-3B": _llama(
        3072, 8192, 28, 24, 8, head_dim=128, **_LLAMA3 | {"tie_word_embeddings": True}
    ),
    "meta-llama/Llama-3.1-8B": _llama(4096, 14_336, 32, 32, 8, **_LLAMA3),
    "meta-llama/Llama-3.1-70B": _llama(8192, 28_672, 80, 64, 8, **_LLAMA3),
    "Qwen/Qwen2.5-0.5B": _llama(896, 4864, 24, 14, 2, **_QWEN_SMALL),
    "Qwen/Qwen2.5-1.5B": _llama(1536, 8960, 28, 12, 2, **_QWEN_SMALL),
    "Qwen/Qwen2.5-3B": _llama(2048, 11_008, 36, 16, 2, **_QWEN_SMALL),
    "Qwen/Qwen2.5-7B": _llama(3584, 18_944, 28, 28, 4, **_QWEN),
    "Qwen/Qwen2.5-14B": _llama(5120, 13_824, 48, 40, 8, **_QWEN),
    "Qwen/Qwen2.5-32B": _llama(5120, 27_648, 64, 40, 8, **_QWEN),
    "Qwen/Qwen2.5-72B": _llama(8192, 29_568, 80, 64, 8, **_QWEN),
}
"""Published shapes; an Instruct model has its base model's, a Qwen2 of these sizes Qwen2.5's."""


def describe(llm: str) -> ModelOutline:
    """Return the numbers of a language model: a known name, a checkpoint's folder, a config.json.

    Raises ConfigError if the name is not known and no such file is here; FileError if the file
    describes no causal language model.
    """
    known = {name.lower(): name for full in KNOWN for name in (full, full.split("/")[1])}
    short = llm.removesuffix("-Instruct").replace("Qwen2-", "Qwen2.5-")
    found = known.get(llm.lower()) or known.get(short.lower())
    if found is not None:
        numbers = next(dict(v) for name, v in KNOWN.items() if name.endswith(found))
        text_tokens = numbers.pop("text_tokens")
        config = AutoConfig.for_model(numbers.pop("model_type"), **numbers)
        return ModelOutline(config=config, text_tokens=text_tokens)
    path = Path(llm)
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(
            f"{llm!r} is neither a folder or file here nor one of the known models: "
            f"{', '.join(KNOWN)}. Nothing is downloaded; give a folder with config.json"
        )
    return _read(file)


def _read(file: Path) -> ModelOutline:
    try:
        numbers = json.loads(file.read_text())
        config = text_config_of(numbers)
        text_tokens = int(config.vocab_size)
        int(config.num_hidden_layers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(
            file, f"describes no causal language model ({error}).", "Give a Hugging Face config."
        ) from error
    if (file.parent / "tokenizer.json").is_file():
        text_tokens = len(AutoTokenizer.from_pretrained(file.parent, local_files_only=True))
    return ModelOutline(config=config, text_tokens=text_tokens)


def count(
    described: ModelOutline,
    *,
    rank: int,
    turn_markers: int = 4,
    codec: CodecConfig = PAPER,
    eyes: bool = True,
) -> Sizes:
    """Return the sizes of the pose language model over a described base; `rank` 0: no LoRA.

    `turn_markers` is how many ids `train.align` adds to the text tokenizer; the published
    vocabulary (34,132) has none.
    """
    text_tokens = described.text_tokens + turn_markers
    numbers = described.config.to_dict()
    numbers["vocab_size"] = vocabulary = text_tokens + codec.codes + 4 + codec.length
    with torch.device("meta"):
        model = PoseLanguageModel(
            PoseLanguageConfig(llm=numbers, codec=asdict(codec), text_tokens=text_tokens)
        )
        if rank:
            model.add_adapters({"r": rank})
    config = described.config
    hidden, heads = int(config.hidden_size), int(config.num_attention_heads)
    parts: dict[str, int] = dict.fromkeys(
        ("base", "norms", "lora", "embeddings", "poses", "codec", "projector", "eyes"), 0
    )
    for name, weight in model.named_parameters():
        parts[_part(name, weight)] += weight.numel()
    parts["codec"] += sum(
        table.numel() for name, table in model.named_buffers() if name.startswith("codec.")
    )
    if eyes:
        parts["projector"] = _weights(build_projector(hidden))
        parts["eyes"] = sum(_weights(eye) for eye in build_eyes())
    return Sizes(
        parts=parts,
        vocabulary=vocabulary,
        hidden=hidden,
        feed_forward=int(config.intermediate_size),
        layers=int(config.num_hidden_layers),
        heads=heads,
        groups=int(getattr(config, "num_key_value_heads", None) or heads),
        head=int(getattr(config, "head_dim", None) or hidden // heads),
        rank=rank,
        layer=_weights(model.llm.get_decoder().layers[0]),
        codec=codec,
    )


def build_projector(width: int) -> nn.Module:
    """Return UniPose's visual projector on the meta device: two layers, CLIP and pose features."""
    with torch.device("meta"):
        return VisualProjector(ProjectorConfig(clip=1024, pose=1280, width=width))


def build_eyes() -> tuple[nn.Module, nn.Module]:
    """Return CLIP ViT-L/14-336 and the Pose-ViT (ViT-H/16, 256 x 192) on the meta device."""
    with torch.device("meta"):
        return ClipEye(PAPER_EYE), PoseViT(PAPER_POSE_VIT)


def _part(name: str, weight: torch.Tensor) -> str:
    part = part_of(name)
    if part == WHOLE:
        return "base" if weight.ndim == 2 else "norms"
    return "poses" if part in ("question_claims", "writing") else part


def _weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
