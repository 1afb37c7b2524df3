"""Long work as tasks of a Ray cluster whose machines share the folder of the work.

A task whose machine goes away is begun again on another one, and its command goes on with what
stands in the folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unipose.app.server.long_work import OPEN, Command, WorkFolder, command_of, do_work


class RayWork:
    """Does long work somewhere on the cluster that this process is connected to."""

    def __init__(
        self, root: Path, *, command: Command = command_of, cpus: float = 1.0, gpus: float = 0.0
    ) -> None:
        import ray  # `ray_serving` has connected it

        root.mkdir(parents=True, exist_ok=True)
        self.root, self._command = root.resolve(), command
        options: Any = {"num_cpus": cpus, "num_gpus": gpus, "max_retries": -1}
        self._task: Any = ray.remote(scheduling_strategy="SPREAD", **options)(do_work)
        self._running: dict[str, Any] = {}
        for folder in WorkFolder.all(self.root):
            if folder.state in OPEN:
                self.begin(folder)

    def begin(self, folder: WorkFolder) -> None:
        """Let work wait for a machine."""
        folder.mark("waiting")
        self._running[folder.name] = self._task.remote(str(folder.path), self._command)

    def close(self) -> None:
        """Leave what is not done for the next time."""
        import ray

        for task in self._running.values():
            ray.cancel(task, force=True)
