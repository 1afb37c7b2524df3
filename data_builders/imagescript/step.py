"""What all steps of a build share: a configuration, and one task at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any

from datatrove.pipeline.base import PipelineStep

from data_builders.imagescript.config import BuildConfig
from data_builders.imagescript.plan import Plan


class BuildStep(PipelineStep):
    """A datatrove step that reads and writes files of its own; nothing flows to the next one."""

    type = "ImageScript"

    def __init__(self, config: BuildConfig) -> None:
        super().__init__()
        self.config = config

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        """Do task number `rank`."""
        self.do(Plan(self.config), rank)
        yield from ()

    @abstractmethod
    def do(self, plan: Plan, task: int) -> None:
        """Do one task; which files it writes follows from its number alone."""
