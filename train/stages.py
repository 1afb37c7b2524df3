"""What learns in which stage of the pose language model: one table."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from torch import nn

from unipose.errors import ConfigError
from unipose.language.model import PoseLanguageModel


class Stage(StrEnum):
    """The stages of UniPose, in their order (supplement, table 1)."""

    ALIGN = "align"
    """Poses and texts: the language model learns to speak poses."""
    VISUAL = "visual"
    """Pictures: the projector learns to tell what the eyes see, nothing else learns."""
    INSTRUCT = "instruct"
    """All tasks in many words: everything learns but eyes and codec; adapters go on from ALIGN."""


TRAINABLE: dict[Stage, frozenset[str]] = {
    Stage.ALIGN: frozenset(
        {"lora", "embeddings", "poses", "teacher", "question_claims", "writing"}
    ),
    Stage.VISUAL: frozenset({"projector"}),
    Stage.INSTRUCT: frozenset(
        {"lora", "embeddings", "poses", "teacher", "question_claims", "writing", "projector"}
    ),
}
"""Names of parts (see `part_of`). The rest is frozen: `requires_grad` is False, and `eval()`."""

WHOLE = "language"
"""A language model without adapters (a small one) learns whole where the table says lora."""


def part_of(parameter: str) -> str:
    """Return the part of the model that a parameter belongs to, by its name.

    "codec" and "encoders" never learn here; "question_claims" reads claims off a question's words
    and weighs those of a guess, "writing" makes a pose of them, "poses" is all else that knows
    codes.
    "teacher" reads claims off hidden states: it learns also where poses stay as they are, or the
    language model would have to bend its states to a readout that was drawn at random.

    Raises ConfigError for a name of no part.
    """
    top, _, rest = parameter.partition(".")
    if top == "codec":
        return "codec"
    if top == "eyes":
        return "projector" if rest.startswith("projector.") else "encoders"
    if top == "llm":
        if "lora_" in rest:
            return "lora"
        return "embeddings" if "embed_tokens" in rest or "lm_head" in rest else WHOLE
    for part, names in _OURS.items():
        if top in names:
            return part
    raise ConfigError(f"the parameter {parameter!r} is of no part that a stage knows")


_OURS = {
    "question_claims": {"hear", "doubt"},
    "writing": {"writer"},
    "expert": {"expert"},
    "teacher": {"teacher"},
    "poses": {
        "pose_projector", "slots", "reader", "context", "code_digits", "read_facts",
        "first_look", "last_look",
    },
}  # fmt: skip


def choose_what_learns(
    model: PoseLanguageModel,
    stage: Stage = Stage.ALIGN,
    *,
    large: bool | None = None,
    without: Iterable[str] = (),
) -> None:
    """Freeze what does not learn in a stage, and the parts that are to be left as they are.

    `large` says whether the language model itself is frozen beside its adapters (None: if it has
    adapters). Raises ConfigError for a part that does not learn anyway.
    """
    unknown = set(without) - TRAINABLE[stage]
    if unknown:
        raise ConfigError(
            f"{', '.join(sorted(unknown))} cannot be left out of the stage {stage}, in which "
            f"learn {', '.join(sorted(TRAINABLE[stage]))}"
        )
    learning = TRAINABLE[stage] - set(without)
    large = bool(model.config.lora) if large is None else large
    if not large and "lora" in learning:
        learning |= {WHOLE}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) in learning)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError(f"nothing learns in the stage {stage}: the model has no eyes")


def learn_in_float32(model: nn.Module) -> None:
    """Hold what learns in float32: AdamW's small steps are lost in bfloat16."""
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()


def set_modes(model: nn.Module) -> None:
    """Put what learns into training mode, and what is frozen out of it (no dropout there)."""
    model.train()
    _still(model)
    for module in model.modules():
        if getattr(module, "gradient_checkpointing", False):
            module.training = True  # transformers overlooks checkpointing in what is frozen


def _still(module: nn.Module) -> None:
    """Put each largest module of which nothing learns into evaluation mode."""
    for child in module.children():
        parameters = list(child.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            child.eval()
        elif parameters:
            _still(child)
