"""Which models are served, said so that another process can load them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from unipose.app.server.answering import ServedModels
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings
from unipose.assistant import Eyes


@runtime_checkable
class LoadsModels(Protocol):
    """Whatever loads the models of a server; sent to other machines, so it holds names only."""

    def load(self, settings: ServerSettings, metrics: ServerMetrics) -> ServedModels:
        """Return the models, ready to answer."""
        ...


@dataclass(frozen=True, kw_only=True)
class ModelSources:
    """The pose model and the conversation model, by folder; None is the embedded one."""

    model: Path | None = None
    adapters: Path | None = None
    device: str = "cpu"
    dtype: str = "float32"
    eyes: Eyes = "auto"

    def load(self, settings: ServerSettings, metrics: ServerMetrics) -> ServedModels:
        """Return the models, ready to answer. Raises as `UniPose.load`."""
        from unipose.app import sources

        return ServedModels(
            sources.load_assistant(
                self.model, device=self.device, dtype=self.dtype, eyes=self.eyes
            ),
            sources.load_speaker(self.adapters, device=self.device),
            settings,
            metrics,
        )
