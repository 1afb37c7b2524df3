"""Batches that other processes make ahead of their step."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from multiprocessing import active_children
from pathlib import Path

import pytest
import torch

from train.batch_prefetch import prefetch
from unipose.errors import BlindModelError, ConfigError, MissingFileError
from unipose.language.rendering import Batch, Row, collate


def wait_for(true: Callable[[], bool]) -> bool:
    """Return whether it becomes true within seconds."""
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_any_number_of_workers_makes_the_same_in_the_same_order(workers: int):
    def make(place: int) -> tuple[int, Batch]:
        row = Row()
        for identity in torch.randint(9, (place,), generator=torch.Generator().manual_seed(place)):
            row.add(int(identity))
        return place, collate([row], pad=0)

    for place, (told, batch) in enumerate(prefetch(make, range(1, 6), workers=workers), 1):
        known = make(place)[1]
        assert told == place
        assert torch.equal(batch.ids, known.ids)
        assert batch.ids.dtype == known.ids.dtype
        assert batch.facts is None


def test_the_next_are_made_elsewhere_while_one_is_used(tmp_path: Path):
    def make(place: int) -> int:
        (tmp_path / str(place)).touch()
        return os.getpid()

    made = prefetch(make, range(9), workers=1)
    assert wait_for((tmp_path / "1").exists)  # before anything is asked for
    assert next(made) != os.getpid()
    assert wait_for((tmp_path / "2").exists)
    assert not (tmp_path / "8").exists()  # what is ahead stays in memory


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    "error",
    [ConfigError("no third"), MissingFileError("a.png", "is not there.", "Go."), BlindModelError()],
)
def test_what_fails_ahead_fails_in_its_place_as_itself(workers: int, error: Exception):
    def make(place: int) -> int:
        if place == 2:
            raise error
        return place

    before = set(active_children())
    made = prefetch(make, range(5), workers=workers)
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(type(error)) as caught:
        next(made)
    assert str(caught.value) == str(error)
    assert vars(caught.value) == vars(error)
    assert set(active_children()) <= before  # also while the error is in somebody's hands


def test_an_accident_is_told_with_where_it_was():
    def make(place: int) -> float:
        return 1 / place

    with pytest.raises(ZeroDivisionError, match="in make"):
        next(prefetch(make, range(2), workers=1))


@pytest.mark.slow
def test_the_global_random_numbers_are_left_alone():
    torch.manual_seed(0)
    known = torch.rand(3)
    torch.manual_seed(0)
    assert list(prefetch(lambda place: place, range(3), workers=1)) == [0, 1, 2]
    assert torch.equal(torch.rand(3), known)


@pytest.mark.slow
def test_no_more_workers_are_started_than_there_are_cores(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    makers = set(prefetch(lambda place: os.getpid(), range(8), workers=3))
    assert len(makers) == 1
    assert os.getpid() not in makers


def test_fewer_workers_than_none_are_refused():
    with pytest.raises(ConfigError, match="-1 workers"):
        prefetch(lambda place: place, range(3), workers=-1)
