"""Write what was trained as the repository holds it.

    python -m train.export_weights TRAINED OUT [WRITER]

TRAINED is the folder of a model or of a pose tokenizer alone. Half precision halves the file; both
are loaded and run in single precision all the same. Of a model over a frozen base the base is left
out, and so is the pose tokenizer (`unipose.language.over_base`). WRITER is a model over the same
base whose adapters and expert write poses, where TRAINED only reads them.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from tokenizer.codec import PoseTokenizer
from train.converse import describe_adapters, save_adapters
from train.saved_model import save_model
from unipose.assistant import UniPose
from unipose.errors import ConfigError
from unipose.language.base_model import NAME
from unipose.language.model import PoseLanguageModel
from unipose.language.over_base import MARKERS, WEIGHTS, WRITING


def main(source: Path, out: Path, writer: Path | None = None) -> None:
    """Load the model or pose tokenizer in `source` and write it to `out` in half precision."""
    if (source / "codec.json").is_file():
        PoseTokenizer.from_pretrained(source).half().save_pretrained(out)
        return
    assistant = UniPose.load(source, base_as_stored=True, eyes="own")
    if assistant.model.config.lora:
        if writer is not None:
            assistant.writer = UniPose.load(writer, base_as_stored=True, eyes="own").model
        export_over_base(assistant, out)
        return
    save_model(assistant.model.half(), assistant.vocabulary, out)


def export_over_base(assistant: UniPose, out: Path, *, base: str = NAME) -> None:
    """Write what was trained of a model, without its base and its pose tokenizer.

    Raises ConfigError if reader and writer show poses in different ways.
    """
    reader, writer, vocabulary = assistant.model, assistant.writer, assistant.vocabulary
    _save_adapters(reader, out)
    weights = _beside_base(writer)
    if writer is not reader:
        _save_adapters(writer, out / WRITING)
        for name, weight in _beside_base(reader).items():
            if name not in weights or not torch.equal(weight, weights[name]):
                raise ConfigError(f"reader and writer have different weights {name!r}")
    table: Tensor = reader.llm.get_input_embeddings().weight
    start = vocabulary.pose_start
    weights[MARKERS] = table.detach()[start : start + 4].bfloat16().contiguous()
    weights["joints_at_rest"] = reader.joints_at_rest.float().contiguous()
    save_file(weights, out / WEIGHTS, metadata={"format": "pt"})
    config = deepcopy(writer.config)
    config.lora, config.base, config.codec = None, base, {}
    config.tasks = sorted({*reader.config.tasks, *writer.config.tasks})
    config.architectures = [type(writer).__name__]
    config.save_pretrained(out)


def _save_adapters(model: PoseLanguageModel, folder: Path) -> None:
    lora = model.config.lora or {}
    named = {name.removeprefix("llm."): weight for name, weight in model.named_parameters()}
    save_adapters(named, describe_adapters(lora["r"], lora["lora_alpha"]), folder)


def _beside_base(model: PoseLanguageModel) -> dict[str, Tensor]:
    """Return the weights of what is neither base nor pose tokenizer nor only for training."""
    weights = {}
    for name, weight in model.state_dict().items():
        if name.partition(".")[0] not in ("llm", "codec", "teacher"):
            number = torch.bfloat16 if weight.is_floating_point() else weight.dtype
            weights[name] = weight.to(number).contiguous()
    return weights


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit("usage: python -m train.export_weights TRAINED OUT [WRITER]")
    main(*map(Path, sys.argv[1:]))
