"""What a batch teaches the model that looks up claims."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional

from unipose.errors import ConfigError
from unipose.language.attention import seen_places
from unipose.language.concepts import ConceptPoseModel
from unipose.language.losses import Losses, batch_losses, text_loss
from unipose.language.model import PoseLanguageModel
from unipose.language.precision import float32_on
from unipose.language.rendering import WRITTEN_POSE, Batch, Practice


def losses_of(model: PoseLanguageModel, batch: Batch | Practice) -> Losses:
    """Return what a batch teaches either kind of model.

    Raises ConfigError for practice without words of a model without a table of claims.
    """
    if isinstance(model, ConceptPoseModel):
        return concept_losses(model, batch)
    if isinstance(batch, Practice):
        raise ConfigError("only a model with a table of claims can practise without words")
    return batch_losses(model, batch)


def concept_losses(model: ConceptPoseModel, batch: Batch | Practice) -> Losses:
    """Return the losses of a batch that may mix tasks, or of practice without words."""
    if isinstance(batch, Practice):
        return _practice_losses(model, batch)
    return _row_losses(model, batch)


def _row_losses(model: ConceptPoseModel, batch: Batch) -> Losses:
    """Return the losses of rows of any tasks.

    Text is learned by cross entropy of the next token, slots by cross entropy of their own code
    (unshifted), and by the joints of the softmax mix of codes through the frozen decoder. Where the
    batch brings claims, they are to be read off the geometry of the newest pose, off the question,
    and off the pose that is written.
    """
    seen, positions = seen_places(batch, read_both_ways=model.config.read_both_ways)
    hidden, question = model.hidden_states(batch, seen, positions)
    nothing = hidden.sum() * 0
    codes = geometry = shown = nothing
    written, writing = batch.kinds == WRITTEN_POSE, batch.writing
    if bool(written.any()):
        codes, geometry, shown = _pose_losses(
            model,
            hidden[written].unflatten(0, (-1, model.length)),
            None if batch.sources is None else batch.sources[writing],
            (batch.targets[written] - model.first_code).view(-1, model.length),
            None if batch.told is None else batch.told[writing],
            (question.looking & batch.reading)[writing],
        )
    return Losses(
        text=text_loss(model, hidden, batch),
        codes=codes,
        geometry=geometry,
        facts=_claim_loss(question.facts, batch.facts, batch.reading, nothing),
        told=_claim_loss(
            question.told, batch.told, writing if batch.telling is None else batch.telling, nothing
        ),
        shown=shown,
        named=nothing,
    )


def _practice_losses(model: ConceptPoseModel, pairs: Practice) -> Losses:
    """Return the losses of reading claims off poses and of writing poses from claims."""
    newest = model.read_geometry(pairs.second, pairs.first)
    start = model.read_geometry(pairs.first, pairs.first)
    if model.last_look is None or newest is None or start is None:
        raise ConfigError("only a model that learns claims can practise without words")
    nothing = newest.sum() * 0
    planned = model.plan(pairs.told.to(start.dtype), start * pairs.edits[:, None, None])
    source = pairs.first.where(pairs.edits[:, None], -1)
    nobody = torch.zeros_like(pairs.edits)
    codes, geometry, shown = _pose_losses(model, planned, source, pairs.second, pairs.told, nobody)
    facts = model.read_facts(newest.flatten(1))
    return Losses(
        text=nothing,
        codes=codes,
        geometry=geometry,
        facts=_claim_loss(facts, pairs.facts, torch.ones_like(pairs.edits), nothing),
        told=nothing,
        shown=shown,
        named=nothing,
    )


def _pose_losses(
    model: ConceptPoseModel,
    hidden: Float[Tensor, "pose slot width"],
    source: Int[Tensor, "pose slot"] | None,
    truth: Int[Tensor, "pose slot"],
    told: Bool[Tensor, "pose claim"] | None,
    guessed: Bool[Tensor, " pose"],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    logits = model.code_logits(hidden, source).float()
    meant = model.with_guess(logits, hidden, source, guessed)
    codes = functional.cross_entropy(logits.flatten(0, 1), truth.flatten())
    with float32_on(hidden.device):
        mixed = model.codec.mixed_rotations(meant.float().softmax(dim=-1))
        with torch.no_grad():
            true_joints = model.joints(model.codec.rotations(truth))
            before = None if source is None else model.codec.rotations(source.clamp(min=0))
        squared = (model.joints(mixed) - true_joints).square().sum(-1)
    shown = squared.sum() * 0
    if told is not None:
        changing = None if source is None else source[:, 0] >= 0
        shown = shown_loss(model, mixed, told, before=before, changing=changing)
    return codes, squared.mean(), shown


def shown_loss(
    model: ConceptPoseModel,
    rotations: Float[Tensor, "pose 22 3 3"],
    told: Bool[Tensor, "pose claim"],
    *,
    before: Float[Tensor, "pose 22 3 3"] | None = None,
    changing: Bool[Tensor, " pose"] | None = None,
) -> Float[Tensor, ""]:
    """Return how unlikely the told claims are, read off the written poses.

    `before` are the poses that those which are `changing` began as. The reader's own weights get no
    gradient from this loss: otherwise they could lower it without a better pose.
    """
    if model.reader is None or model.last_look is None:
        return rotations.sum() * 0
    with float32_on(rotations.device):
        now = model.measure(rotations)
        since = torch.zeros_like(now)
        if before is not None and changing is not None:
            with torch.no_grad():
                then = model.measure(before)
            since = (now - then) * changing[:, None]
    newest = _judge(model.reader, torch.cat([now, since], dim=1))
    logits = _judge(model.read_facts, newest.flatten(1))
    return functional.softplus(-logits)[told].sum() / told.sum().clamp(min=1)


def _judge(module: nn.Module, inputs: Tensor) -> Tensor:
    """Return a module's output; its inputs get gradients, its weights none."""
    frozen = {name: weight.detach() for name, weight in module.named_parameters()}
    inputs = inputs.to(next(iter(frozen.values())).dtype)
    return torch.func.functional_call(module, frozen, inputs)


def _claim_loss(
    logits: Float[Tensor, "row claim"] | None,
    truth: Bool[Tensor, "row claim"] | None,
    rows: Bool[Tensor, " row"],
    nothing: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    if logits is None or truth is None or not bool(rows.any()):
        return nothing
    return functional.binary_cross_entropy_with_logits(logits[rows], truth[rows].to(logits.dtype))
