"""What a batch teaches the pose language model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from unipose.language.attention import seen_places
from unipose.language.model import PoseLanguageModel
from unipose.language.precision import float32_on
from unipose.language.rendering import IGNORE_INDEX, WRITTEN_POSE, Batch


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What one batch teaches; means over what is supervised, zero where nothing is."""

    text: Float[Tensor, ""]
    codes: Float[Tensor, ""]
    geometry: Float[Tensor, ""]
    """Mean squared error (square metres) of the joints of the softmax mix of codes."""
    facts: Float[Tensor, ""]
    """Cross entropy of what is true of the newest pose that is read, and of the way to it."""
    told: Float[Tensor, ""]
    """Cross entropy of what a question claims of the pose to be written, or its pictures show."""
    shown: Float[Tensor, ""]
    """Cross entropy of the same, as a model with a table of claims reads it off what it writes."""
    named: Float[Tensor, ""]
    """Cross entropy of which named pose a request is for."""


def batch_losses(model: PoseLanguageModel, batch: Batch) -> Losses:
    """Return the losses of rows of any tasks.

    Text is learned by cross entropy of the next token, slots by cross entropy of their own code
    (unshifted), both over the whole vocabulary as UniPose has it, and by the joints of the softmax
    mix of codes through the frozen decoder. A model's teacher reads claims off the hidden states.
    """
    seen, positions = seen_places(batch, read_both_ways=model.config.read_both_ways)
    hidden, _ = model.hidden_states(batch, seen, positions)
    nothing = hidden.sum() * 0
    codes = geometry = nothing
    written = batch.kinds == WRITTEN_POSE
    if bool(written.any()):
        targets = batch.targets[written]
        logits = model.own_logits(hidden[written], slice(None))
        codes = functional.cross_entropy(logits.float(), targets)
        first = model.first_code
        geometry = mixed_geometry(
            model,
            logits[:, first : first + model.codes].unflatten(0, (-1, model.length)),
            (targets - first).view(-1, model.length),
        )
    facts = told = named = nothing
    if model.teacher is not None:
        facts, told, named = model.teacher.losses(hidden, batch)
    return Losses(
        text=text_loss(model, hidden, batch, whole=True), codes=codes, geometry=geometry,
        facts=facts, told=told, shown=nothing, named=named,
    )  # fmt: skip


def text_loss(
    model: PoseLanguageModel,
    hidden: Float[Tensor, "row place width"],
    batch: Batch,
    *,
    whole: bool = False,
) -> Float[Tensor, ""]:
    """Return the cross entropy of the next token, over text and the start of a pose.

    With `whole` over all of the vocabulary.
    """
    words = (batch.targets != IGNORE_INDEX) & (batch.kinds != WRITTEN_POSE)
    targets = batch.targets[words]
    if not len(targets):
        return hidden.sum() * 0
    if whole:
        return functional.cross_entropy(
            model.own_logits(hidden[words], slice(None)).float(), targets
        )
    start = model.first_code + model.codes
    targets = torch.where(targets == start, model.first_code, targets)
    return functional.cross_entropy(model.text_logits(hidden[words]).float(), targets)


def mixed_geometry(
    model: PoseLanguageModel,
    logits: Float[Tensor, "pose slot code"],
    truth: Int[Tensor, "pose slot"],
) -> Float[Tensor, ""]:
    """Return the mean squared joint error (square metres) of the softmax mix of codes."""
    with float32_on(logits.device):
        mixed = model.codec.mixed_rotations(logits.float().softmax(dim=-1))
        with torch.no_grad():
            true_joints = model.joints(model.codec.rotations(truth))
        return (model.joints(mixed) - true_joints).square().sum(-1).mean()
