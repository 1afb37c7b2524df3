"""Which model refines: an endpoint, a local model, or none (the rules)."""

from __future__ import annotations

import os
from dataclasses import dataclass

from data_builders.refining.backend import Backend
from data_builders.refining.endpoint import Endpoint, EndpointConfig
from unipose.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class BackendConfig:
    """A model that rewrites texts."""

    url: str = ""
    """An endpoint that speaks /v1/chat/completions; its key is read from OPENAI_API_KEY."""
    model: str = ""
    """The endpoint's model; without a url a Hugging Face folder or name; empty: the rules."""
    concurrency: int = 8
    requests_per_minute: float = 0.0
    prices: tuple[float, float] = (0.0, 0.0)
    """Per million tokens of prompts and of answers, for the report."""
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.url and not self.model:
            raise ConfigError("an endpoint needs the name of a model: --model")


def open_backend(config: BackendConfig) -> Backend | None:
    """Return the model that is asked for; None means the rules."""
    if config.url:
        endpoint = EndpointConfig(
            url=config.url,
            model=config.model,
            concurrency=config.concurrency,
            requests_per_minute=config.requests_per_minute,
        )
        return Endpoint(endpoint, api_key=os.environ.get("OPENAI_API_KEY", "none"))
    if config.model:
        from data_builders.refining.local_model import LocalModel  # loads transformers

        return LocalModel(config.model, device=config.device)
    return None
