"""Which models are served, said so that another process can load them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from unipose.app.options import ConversationModelOptions
from unipose.app.server.answering import ServedModels
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings


@runtime_checkable
class LoadsModels(Protocol):
    """Whatever loads the models of a server; sent to other machines, so it holds names only."""

    def load(self, settings: ServerSettings, metrics: ServerMetrics) -> ServedModels:
        """Return the models, ready to answer."""
        ...


@dataclass(frozen=True)
class ModelSources:
    """The pose model and the conversation model of a server, by folder."""

    models: ConversationModelOptions = field(default_factory=ConversationModelOptions)

    def load(self, settings: ServerSettings, metrics: ServerMetrics) -> ServedModels:
        """Return the models, ready to answer. Raises as `UniPose.load`."""
        return ServedModels(
            self.models.load_assistant(), self.models.load_speaker(), settings, metrics
        )
