"""A pose language model as it is shipped: what was trained, without the base beneath it.

A folder holds config.json, LoRA adapters as peft has them, and model.safetensors with all else that
learned: the projector of poses, the expert, the rows of the markers. Base and pose tokenizer are
read from where they are: the base from the user's cache or a folder that config.json names. Where a
folder `writing` lies in it, its adapters take the others' place when a pose is asked for.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from tokenizer.codec import CodecError, PoseTokenizer
from unipose.errors import WeightsError
from unipose.language.base_checkpoint import add_rows, load_base
from unipose.language.base_model import NAME, base_folder
from unipose.language.config import PoseLanguageConfig
from unipose.language.conversation_model import ADAPTERS, merge_adapters
from unipose.language.model import PoseLanguageModel
from unipose.language.vocabulary import Vocabulary

WEIGHTS = "model.safetensors"
POSE_CODES = Path(__file__).parents[1] / "weights" / "pose_codes"
"""The pose tokenizer of the embedded model."""
MARKERS = "marker_rows"
"""Rows of the table for pose start, pose end, picture start and picture end."""


WRITING = "writing"
"""Folder of the adapters that understand what pose is asked for."""


def is_over_base(folder: Path) -> bool:
    """Return whether a folder holds a model without its base."""
    return (folder / ADAPTERS).is_file() and (folder / "config.json").is_file()


def load_over_base(
    folder: Path, *, adapters: Path | None = None, dtype: torch.dtype = torch.bfloat16
) -> tuple[PoseLanguageModel, Vocabulary]:
    """Read a model over its base, whose layers are in `dtype`; its adapters are merged into it.

    `adapters` is the folder of others than its own. Raises MissingFileError if the base is not
    installed, WeightsError if files do not fit together.
    """
    config = PoseLanguageConfig.from_pretrained(folder)
    source = base_folder() if config.base == NAME else Path(config.base)
    try:
        codec = PoseTokenizer.from_pretrained(POSE_CODES)
        weights = load_file(folder / WEIGHTS)
    except (CodecError, OSError, SafetensorError) as error:
        raise WeightsError(folder, f"the model cannot be loaded: {error}.") from error
    vocabulary = Vocabulary.from_pretrained(
        source, codes=codec.config.codes, length=codec.config.length,
        pose_places=config.pose_places, system=config.system, pose_tail=config.pose_tail,
    )  # fmt: skip
    base = load_base(source, dtype=dtype)
    add_rows(base, len(vocabulary), text=vocabulary.first_code, seed=0)
    merge_adapters(base, adapters or folder)
    table: Tensor = base.get_input_embeddings().weight  # type: ignore[assignment]
    try:
        with torch.no_grad():
            start = vocabulary.pose_start
            table[start : start + 4] = weights.pop(MARKERS).to(table)
        config.codec = asdict(codec.config)
        model = PoseLanguageModel(config, llm=base)
        model.codec.load_state_dict(codec.state_dict())
        missing = model.load_state_dict(weights, strict=False)
    except (KeyError, RuntimeError) as error:
        raise WeightsError(folder, f"the weights do not fit config.json: {error}.") from error
    read = tuple(f"{name}." for name in ("llm", "codec"))
    wrong = [n for n in missing.missing_keys if not n.startswith(read)] + missing.unexpected_keys
    if wrong:
        raise WeightsError(
            folder, f"{len(wrong)} weights do not fit config.json, the first is {wrong[0]!r}."
        )
    return model, vocabulary
