"""The model that a run writes, as `UniPose.load` and `from_pretrained` read it.

Over a frozen base it is two files, which an index names as shards: the base is written once, what
learns at every checkpoint. A small model that learns whole is one file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from train.run_folder import changing, frozen_mark
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import Vocabulary

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
FROZEN, LEARNED = "frozen.safetensors", "learned.safetensors"


def save_model(
    model: PoseLanguageModel,
    vocabulary: Vocabulary,
    folder: Path,
    weights: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write model and text tokenizer as `from_pretrained` reads them.

    `weights` are given where the model's own are spread over processes.
    """
    whole = dict(model.state_dict()) if weights is None else dict(weights)
    whole = {n: w for n, w in whole.items() if not n.startswith("teacher.")}
    for tied in model.all_tied_weights_keys or {}:
        whole.pop(tied, None)
    learning = changing(model)
    frozen = {n: w for n, w in whole.items() if n.startswith("llm.") and n not in learning}
    if frozen:
        _save_beside_frozen(model, folder, whole, frozen)
    else:
        model.save_pretrained(folder, state_dict=whole)
    vocabulary.text.save_pretrained(folder)


def _save_beside_frozen(
    model: PoseLanguageModel, folder: Path, whole: dict[str, Tensor], frozen: dict[str, Tensor]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    mark = frozen_mark(model)
    if not (folder / FROZEN).is_file() or _known_mark(folder) != mark:
        _write(frozen, folder / FROZEN)
    _write({n: w for n, w in whole.items() if n not in frozen}, folder / LEARNED)
    index = {
        "metadata": {"frozen": mark, "total_size": sum(w.nbytes for w in whole.values())},
        "weight_map": {n: FROZEN if n in frozen else LEARNED for n in sorted(whole)},
    }
    unfinished = folder / f"{INDEX}.tmp"
    unfinished.write_text(json.dumps(index, indent=2) + "\n")
    unfinished.rename(folder / INDEX)
    (folder / WHOLE).unlink(missing_ok=True)  # it would be read in place of the two


def _known_mark(folder: Path) -> str | None:
    """Return the mark of the frozen weights that were written here, None if none were."""
    try:
        return json.loads((folder / INDEX).read_text())["metadata"]["frozen"]
    except (FileNotFoundError, KeyError, json.JSONDecodeError):
        return None


def _write(weights: Mapping[str, Tensor], path: Path) -> None:
    """Write a file of weights; it appears whole."""
    unfinished = path.with_name(f"{path.name}.tmp")
    tensors = {name: weight.detach().contiguous() for name, weight in weights.items()}
    save_file(tensors, unfinished, metadata={"format": "pt"})
    unfinished.rename(path)
