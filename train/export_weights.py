"""Write what was trained as the repository holds it: `python -m train.export_weights TRAINED OUT`.

TRAINED is the folder of a model or of a pose tokenizer alone. Half precision halves the file; both
are loaded and run in single precision all the same. Of a model over a frozen base the base is left
out, and so is the pose tokenizer (`unipose.language.over_base`).
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
from unipose.language.base_model import NAME
from unipose.language.over_base import MARKERS, WEIGHTS


def main(source: Path, out: Path) -> None:
    """Load the model or pose tokenizer in `source` and write it to `out` in half precision."""
    if (source / "codec.json").is_file():
        PoseTokenizer.from_pretrained(source).half().save_pretrained(out)
        return
    assistant = UniPose.load(source, base_as_stored=True, eyes="own")
    if assistant.model.config.lora:
        export_over_base(assistant, out)
        return
    save_model(assistant.model.half(), assistant.vocabulary, out)


def export_over_base(assistant: UniPose, out: Path, *, base: str = NAME) -> None:
    """Write what was trained of a model, without its base and its pose tokenizer."""
    model, vocabulary = assistant.model, assistant.vocabulary
    lora = model.config.lora or {}
    named = {name.removeprefix("llm."): weight for name, weight in model.named_parameters()}
    save_adapters(named, describe_adapters(lora["r"], lora["lora_alpha"]), out)
    table: Tensor = model.llm.get_input_embeddings().weight
    start = vocabulary.pose_start
    weights = {MARKERS: table.detach()[start : start + 4].bfloat16().contiguous()}
    for name, weight in model.state_dict().items():
        if name.partition(".")[0] not in ("llm", "codec", "teacher"):
            number = torch.bfloat16 if weight.is_floating_point() else weight.dtype
            weights[name] = weight.to(number).contiguous()
    weights["joints_at_rest"] = model.joints_at_rest.float().contiguous()
    save_file(weights, out / WEIGHTS, metadata={"format": "pt"})
    config = deepcopy(model.config)
    config.lora, config.base, config.codec = None, base, {}
    config.architectures = [type(model).__name__]
    config.save_pretrained(out)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m train.export_weights TRAINED OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
