"""Long work that a server takes: a film to track, to adapt to, a photo to refine.

A piece of work is a folder, so it outlives whoever does it, and may be done on another machine that
sees the folder:

    ID/order.json      what is to be done
    ID/input/walk.mp4  what came
    ID/state.json      waiting, running, done, failed or stopped, and why
    ID/progress.json   what is being done, and how much of it
    ID/out/            what came of it

It is done by the `unipose` command in a process of its own. A command that is started again goes on
with what stands in `out` (adapt: person and epoch; refine: photo; track: from the beginning).
"""

from __future__ import annotations

import json
import os
import queue
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from unipose.app.server.work_progress import PROGRESS_FILE
from unipose.errors import MissingFileError, PoseQueryError
from unipose.file_signatures import FILM_ENDINGS, PHOTO_ENDINGS
from unipose.files.atomic import written_whole

WorkKind = Literal["track", "adapt", "refine"]
WorkState = Literal["receiving", "waiting", "running", "done", "failed", "stopped"]
OPEN: tuple[WorkState, ...] = ("waiting", "running")
_ID = re.compile(r"[0-9a-f]{16}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
LOOK_S = 0.2
LONGEST_PROBLEM = 300
Command = Callable[["WorkFolder"], list[str]]


@dataclass(frozen=True)
class WorkFolder:
    """One piece of work."""

    path: Path

    @classmethod
    def create(cls, root: Path, kind: WorkKind, name: str) -> WorkFolder:
        """Make the folder of new work whose input is called `name`.

        Raises PoseQueryError for a name that is no plain file name of a film (refine: a photo).
        """
        endings = PHOTO_ENDINGS if kind == "refine" else FILM_ENDINGS
        if not _NAME.fullmatch(name) or not name.lower().endswith(tuple(endings)):
            raise PoseQueryError(
                f"expected the plain name of a file that ends in {' '.join(endings)}"
            )
        folder = cls(root / secrets.token_hex(8))
        (folder.path / "input").mkdir(parents=True)
        (folder.path / "out").mkdir()
        folder._write("order.json", {"kind": kind, "input": name, "came": time.time()})
        folder.mark("receiving")
        return folder

    @classmethod
    def find(cls, root: Path, name: str) -> WorkFolder:
        """Return the work of a name. Raises MissingFileError."""
        folder = cls(root / name)
        if not _ID.fullmatch(name) or not (folder.path / "order.json").is_file():
            raise MissingFileError(name[:40], "there is no such work.")
        return folder

    @classmethod
    def all(cls, root: Path) -> list[WorkFolder]:
        """Return all work, the oldest first."""
        found = [cls(path.parent) for path in root.glob("*/order.json")]
        return sorted(found, key=lambda folder: folder.order["came"])

    @property
    def name(self) -> str:
        """The name that it is asked for by."""
        return self.path.name

    @property
    def order(self) -> dict[str, Any]:
        """What is to be done."""
        return self._read("order.json")

    @property
    def input(self) -> Path:
        """What came."""
        return self.path / "input" / self.order["input"]

    @property
    def state(self) -> WorkState:
        """How it stands."""
        return self._read("state.json")["state"]

    @property
    def problem(self) -> str:
        """Why it failed."""
        return self._read("state.json")["problem"]

    @property
    def progress(self) -> dict[str, Any]:
        """What is being done, how much of it is, and of how much; empty before the beginning."""
        return self._read("progress.json") if (self.path / "progress.json").is_file() else {}

    @property
    def results(self) -> list[str]:
        """Files that came of it, as paths within `out`."""
        out = self.path / "out"
        return sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())

    def mark(self, state: WorkState, problem: str = "") -> None:
        """Keep how it stands."""
        self._write("state.json", {"state": state, "problem": problem[:LONGEST_PROBLEM]})

    def stop(self) -> None:
        """Ask whoever does it to stop; what nobody does any more is removed."""
        if self.state == "running":
            (self.path / "stop").touch()
        elif self.state == "waiting":
            (self.path / "stop").touch()
            self.mark("stopped")
        else:
            shutil.rmtree(self.path)

    @property
    def stopping(self) -> bool:
        """Whether it is to be stopped."""
        return (self.path / "stop").exists()

    def _read(self, name: str) -> dict[str, Any]:
        return json.loads((self.path / name).read_text(encoding="utf-8"))

    def _write(self, name: str, content: dict[str, Any]) -> None:
        with written_whole(self.path / name) as temporary:
            temporary.write_text(json.dumps(content), encoding="utf-8")


def command_of(folder: WorkFolder) -> list[str]:
    """Return the command that does a piece of work."""
    kind, source, out = folder.order["kind"], str(folder.input), folder.path / "out"
    where = {"track": out / "motion.npz", "adapt": out, "refine": out}[kind]
    return [sys.executable, "-m", "unipose.app.cli", kind, source, "--out", str(where)]


def do_work(
    path: str, command: Command = command_of, closing: threading.Event | None = None
) -> WorkState:
    """Do the work of a folder and return how it ended; it may have been begun before.

    With `closing` set it is left as it is, to be gone on with.
    """
    folder = WorkFolder(Path(path))
    if folder.stopping:
        folder.mark("stopped")
        return "stopped"
    folder.mark("running")
    environment = {**os.environ, PROGRESS_FILE: str(folder.path / "progress.json")}
    log = folder.path / "log.txt"
    with log.open("ab") as told:
        process = subprocess.Popen(  # noqa: S603 (our own command; names were checked)
            command(folder), stdin=subprocess.DEVNULL, stdout=told, stderr=told, env=environment
        )
    closed = closing or threading.Event()
    try:
        while process.poll() is None and not folder.stopping and not closed.wait(LOOK_S):
            pass
    finally:
        ended = process.poll()
        if ended is None:
            process.kill()  # what it has written stands whole in its place
            process.wait()
    if ended is None:
        if not folder.stopping:
            return "running"
        folder.mark("stopped")
    elif ended == 0:
        folder.mark("done")
    else:
        text = log.read_text(encoding="utf-8", errors="replace").replace(f"{folder.path}/", "")
        lines = text.strip().splitlines()
        folder.mark("failed", lines[-1] if lines else f"the command ended with {ended}")
    return folder.state


@runtime_checkable
class DoesWork(Protocol):
    """Whoever does long work: `LocalWork`, `ray_work.RayWork`."""

    root: Path

    def begin(self, folder: WorkFolder) -> None:
        """Let work wait for its turn."""
        ...

    def close(self) -> None:
        """Leave what is not done for the next time."""
        ...


class LocalWork:
    """Does long work on this machine, one piece after the other; goes on with what was left."""

    def __init__(self, root: Path, *, command: Command = command_of) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root, self._command = root, command
        self._closing = threading.Event()
        self._waiting: queue.SimpleQueue[WorkFolder | None] = queue.SimpleQueue()
        for folder in WorkFolder.all(root):
            if folder.state in OPEN:
                self._waiting.put(folder)
        self._thread = threading.Thread(target=self._work, name="long work", daemon=True)
        self._thread.start()

    def begin(self, folder: WorkFolder) -> None:
        """Let work wait for its turn."""
        folder.mark("waiting")
        self._waiting.put(folder)

    def close(self) -> None:
        """Leave what is not done for the next time."""
        self._closing.set()
        self._waiting.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (folder := self._waiting.get()) is not None and not self._closing.is_set():
            do_work(str(folder.path), self._command, self._closing)
