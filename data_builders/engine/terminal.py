"""One bar per stage, on a terminal only, gone when the stage is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def counted(ended: Iterable[T], name: str, tasks: int, still_open: int) -> Iterator[T]:
    """Pass on what comes for each ended task; the bar begins with those that were done before."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        bar = progress.add_task(name, total=tasks, completed=tasks - still_open)
        for one in ended:
            yield one
            progress.advance(bar)
