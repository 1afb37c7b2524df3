"""A model of a folder, with the vocabulary that lies beside it, on a device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoConfig

from unipose.errors import ConfigError, MissingFileError, WeightsError
from unipose.language.concepts import ConceptPoseModel
from unipose.language.config import ConceptConfig, PoseLanguageConfig
from unipose.language.model import FLOAT32, PoseLanguageModel
from unipose.language.over_base import WRITING, is_over_base, load_over_base
from unipose.language.vocabulary import Vocabulary

WEIGHTS = Path(__file__).parents[1] / "weights"
MINI = WEIGHTS / "mini"
"""The embedded default model."""
SMOL = WEIGHTS / "smol"
EMBEDDED = {"mini": MINI, "smol": SMOL}
"""The models that come along, by what they are called."""

MODELS: dict[type, type[PoseLanguageModel]] = {
    PoseLanguageConfig: PoseLanguageModel, ConceptConfig: ConceptPoseModel,
}  # fmt: skip
"""By the configurations that their folders hold."""

NUMBER_TYPES = {name: getattr(torch, name) for name in ("float32", "bfloat16", "float16")}


def model_folder(name: str | Path | None) -> Path:
    """Return where a model lies: a folder that is there, or one of `EMBEDDED` by its name."""
    if name is None:
        return MINI
    return Path(name) if Path(name).exists() else EMBEDDED.get(str(name), Path(name))


def name_of_model(folder: Path) -> str:
    """Return what a model is called: unipose-mini, unipose-smol, or its folder."""
    return next((f"unipose-{name}" for name, own in EMBEDDED.items() if own == folder), str(folder))


def load_models(
    folder: Path, *, dtype: torch.dtype | str | None, base_as_stored: bool
) -> tuple[PoseLanguageModel, Vocabulary, PoseLanguageModel | None]:
    """Return the model of a folder, its vocabulary, and who writes poses if that is another one.

    Raises as `UniPose.load`.
    """
    usual = torch.bfloat16 if is_over_base(folder) else torch.float32
    number = usual if dtype is None else number_type(dtype)
    if not (folder / "config.json").is_file():
        raise MissingFileError(
            folder, "there is no model here.", "Expected config.json and model.safetensors."
        )
    if is_over_base(folder):
        writer = load_writer(folder, number)[0] if (folder / WRITING).is_dir() else None
        return *load_over_base(folder, dtype=number), writer
    try:
        options: dict[str, Any] = {}
        brought = AutoConfig.from_pretrained(folder)
        kind = MODELS.get(type(brought))
        if kind is None:
            raise WeightsError(
                folder, f"is a model of type {brought.model_type!r}.",
                "Expected one that a training program of unipose wrote.",
            )  # fmt: skip
        if base_as_stored:
            if brought.lora:
                number = number_type(str(brought.llm.get("dtype") or "float32"))
            options["in_float32"] = (*FLOAT32, *kind.learning)
        model, report = kind.from_pretrained(
            folder, dtype=number, output_loading_info=True, **options
        )
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise WeightsError(
            folder, f"the model cannot be loaded: {_first_line(error)}.", "Is it complete?"
        ) from error
    refuse_misfits(folder, report)
    return model, read_vocabulary(folder, model), None


def load_writer(
    folder: Path, dtype: torch.dtype | str | None
) -> tuple[PoseLanguageModel, Vocabulary]:
    """Return the model of a folder that writes poses over a base, and its vocabulary.

    Raises as `UniPose.load`.
    """
    number = torch.bfloat16 if dtype is None else number_type(dtype)
    return load_over_base(folder, adapters=folder / WRITING, dtype=number)


def refuse_misfits(name: str | Path, report: Mapping[str, Any]) -> None:
    """Raise WeightsError if Hugging Face's report of a loading names weights that do not fit."""
    wrong = [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]]
    if wrong:
        raise WeightsError(
            name, f"{len(wrong)} weights do not fit config.json, the first is {wrong[0]!r}."
        )


def read_vocabulary(name: str | Path, model: PoseLanguageModel) -> Vocabulary:
    """Return the vocabulary that lies beside a model's weights.

    Raises WeightsError if its text tokenizer is not the one that the model was made for.
    """
    vocabulary = Vocabulary.from_pretrained(
        name, codes=model.codes, length=model.length,
        patches=model.patches, pictures=model.pictures,
        pose_places=model.config.pose_places, system=model.config.system,
        pose_tail=model.config.pose_tail,
    )  # fmt: skip
    if vocabulary.first_code != model.first_code:
        raise WeightsError(
            name,
            f"the text tokenizer has {vocabulary.first_code} tokens, the model was made for "
            f"{model.first_code}.",
        )
    return vocabulary


def number_type(dtype: torch.dtype | str) -> torch.dtype:
    """Return the type of this name. Raises ConfigError for any but the three."""
    found = NUMBER_TYPES.get(str(dtype).removeprefix("torch."))
    if found is None:
        raise ConfigError(f"expected a dtype of {', '.join(NUMBER_TYPES)}, got {dtype}")
    return found


def usable_device(device: str | torch.device) -> torch.device:
    """Return the device of this name. Raises ConfigError if it is not there."""
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigError(
            f"the device {str(device)!r} cannot be used here ({_first_line(error)}); "
            "cpu always can, cuda and mps where there are such"
        ) from error
    return place


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
