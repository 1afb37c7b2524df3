"""Parts of a pose language model taken away while its weights stay, each in a context manager.

- states_erased: what the language model's layers return is zero at every place. What is written
  then came around them.
- slots_erased: the same at the slots of a pose that is written alone. What words say is still read;
  what is written then was not written by the language model.
- poses_exchanged: the language model is given the pose of the next row at the places of a pose that
  is read. Whatever looks at a pose besides still has the row's own.
- beside_silenced: what stands beside the language model says nothing. A plain model has nothing
  beside it and stays as it is.

Zeros, and not the mean of some rows: a mean tells a little of each of its rows, is different for
each batch, and takes nothing from a row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from unipose.errors import ConfigError
from unipose.language.concepts import ConceptPoseModel
from unipose.language.model import PoseLanguageModel
from unipose.language.rendering import READ_POSE, WRITTEN_POSE, Batch

Places = Float[Tensor, "row place width"]
Change = Callable[[Places, Batch], Places]


@contextmanager
def states_erased(model: PoseLanguageModel) -> Iterator[None]:
    """Let what follows the language model see nothing of its states."""
    with _changed(model, states=lambda states, _: torch.zeros_like(states)):
        yield


@contextmanager
def slots_erased(model: PoseLanguageModel) -> Iterator[None]:
    """Let what follows the language model see nothing of the states of written slots.

    Raises ConfigError for a model with a pose expert, whose rows have no slots.
    """
    if model.expert is not None:
        raise ConfigError("a pose expert reads the states of the question; there are no slots")

    def erased(states: Places, batch: Batch) -> Places:
        return states.masked_fill((batch.kinds == WRITTEN_POSE)[..., None], 0.0)

    with _changed(model, states=erased):
        yield


@contextmanager
def poses_exchanged(model: PoseLanguageModel) -> Iterator[None]:
    """Give the language model the pose of the next row of a batch, the first row's to the last.

    Raises ConfigError where a batch has one row, or its questions hold unlike numbers of poses.
    """

    def exchanged(embeddings: Places, batch: Batch) -> Places:
        read = batch.kinds == READ_POSE
        counts = read.sum(dim=1)
        if len(counts) < 2 or bool((counts != counts[0]).any()):
            raise ConfigError("poses are exchanged among rows that hold as many poses each")
        others = embeddings[read].unflatten(0, (len(counts), -1)).roll(-1, dims=0)
        return embeddings.masked_scatter(read[..., None], others)

    with _changed(model, given=exchanged):
        yield


@contextmanager
def beside_silenced(model: PoseLanguageModel) -> Iterator[None]:
    """Let nothing but the language model's states, and what it is given, have a say.

    Of unipose-mini no claim is looked up, no pose is planned from claims, and no code is kept of
    the pose that an edit starts from.
    """
    if not isinstance(model, ConceptPoseModel):
        yield
        return

    def slot_logits(states: Tensor, batch: Batch, rows: Tensor, question: Any = None) -> Tensor:
        return model.code_logits(states)

    with _replaced(model, first_look=None, last_look=None, slot_logits=slot_logits):
        yield


@contextmanager
def _changed(
    model: PoseLanguageModel, *, given: Change | None = None, states: Change | None = None
) -> Iterator[None]:
    """Change the embeddings of questions, or the last hidden states of any places."""
    run, hidden_states = model.run, model.hidden_states
    now: list[Batch] = []

    def told(batch: Batch, *rest: Any, **more: Any) -> Any:
        now[:] = [batch]
        return hidden_states(batch, *rest, **more)

    def changed(embeddings: Places, seen: Tensor, *rest: Any) -> Places:
        is_question = seen.shape[-1] == embeddings.shape[1]
        if given is not None and is_question:
            embeddings = given(embeddings, now[0])
        found = run(embeddings, seen, *rest)
        return found if states is None else states(found, now[0])

    with _replaced(model, run=changed, hidden_states=told):
        yield


@contextmanager
def _replaced(model: PoseLanguageModel, **others: Any) -> Iterator[None]:
    """Put others in the place of parts or methods of a model for a while."""
    own = {name: getattr(model, name) for name in others}
    methods = set(others) - vars(model).keys() - model._modules.keys()
    for name, other in others.items():
        setattr(model, name, other)
    try:
        yield
    finally:
        for name, part in own.items():
            if name in methods:
                delattr(model, name)
            else:
                setattr(model, name, part)
