"""Batches made ahead of their step, by processes of their own.

A thread would not do: drawing rows is Python, which holds the interpreter while the training step
needs it. The processes are forked, so that what makes batches needs no pickling; call `prefetch`
before a model moves to its GPU, which a forked process cannot use.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.reduction import ForkingPickler
from typing import Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from unipose.available_cores import available_cores
from unipose.errors import ConfigError, UniPoseError

Made = TypeVar("Made")


def prefetch(make: Callable[[int], Made], places: Sequence[int], *, workers: int) -> Iterator[Made]:
    """Yield what is made of each place, in their order; `workers` processes are two each ahead.

    The same is made by any number of workers if `make` draws from its place alone, so no more are
    started than there are cores; 0 makes each when it is asked for. The workers start now, with all
    that `make` knows now. Raises what `make` raises (others than UniPoseError as DataLoader reports
    them), in its place.
    """
    if workers < 0 or (workers and not hasattr(os, "fork")):
        raise ConfigError(f"{workers} workers cannot be started here; --workers 0 does without")
    workers = min(workers, available_cores())
    loader = DataLoader(
        _MadeItems(make, places),
        batch_size=None,
        collate_fn=_as_it_is,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_send_by_value,
        generator=torch.Generator(),  # the global one is the model's
    )
    return _unwrapped(iter(loader))


class _MadeItems(Dataset[Made | UniPoseError], Generic[Made]):
    def __init__(self, make: Callable[[int], Made], places: Sequence[int]) -> None:
        self.make, self.places = make, places

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> Made | UniPoseError:
        try:
            return self.make(self.places[index])
        except UniPoseError as error:  # DataLoader would tell all of its own stack, too
            return error


def _unwrapped(made: Iterator[Made | UniPoseError]) -> Iterator[Made]:
    try:
        for some in made:
            if isinstance(some, UniPoseError):
                raise some
            yield some
    finally:
        del made  # stops the workers now: an error's traceback would keep it


def _as_it_is(made: Made) -> Made:
    return made


def _send_by_value(worker: int) -> None:
    """Send a worker's tensors as bytes: a fifth of the time that many small shared ones take.

    And containers have little shared memory: /dev/shm is 64 MB under docker.
    """
    ForkingPickler.register(Tensor, lambda tensor: (torch.from_numpy, (tensor.numpy(),)))
