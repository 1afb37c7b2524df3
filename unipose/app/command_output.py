"""What every command prints: its answer, notes, and how far long work is."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unipose.app.server.work_progress import PROGRESS_FILE, told_in_file
from unipose.app.wording import printable
from unipose.errors import FileNote


def print_answer(plain: str, as_json: bool, **fields: object) -> None:
    """Print the answer of a command: `plain`, or with `--json` the fields as one object."""
    print(json.dumps(fields, ensure_ascii=False) if as_json else plain)


def with_progress(items: Iterable[Any], count: int | None, description: str) -> Iterable[Any]:
    """Give the items with a bar for as long as somebody watches and there is more than one.

    A server that runs the command reads how far it is from a file that it names.
    """
    if PROGRESS_FILE in os.environ:
        return told_in_file(items, count, description, Path(os.environ[PROGRESS_FILE]))
    if count == 1:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description, total=count, console=Console(stderr=True), transient=True)


@contextmanager
def noted_when_stopped(what: str) -> Iterator[None]:
    """Let Ctrl-C end what is done with a note, and go on with what there is."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"note: stopped; {what}", file=sys.stderr)


@contextmanager
def notes_printed() -> Iterator[None]:
    """Print what readers of files assumed or left out as lines that begin with `note:`."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FileNote)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, FileNote):
                print(f"note: {printable(str(message))}", file=sys.stderr)
            else:
                usual(message, category, *place)

        warnings.showwarning = show
        yield
