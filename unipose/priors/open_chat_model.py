"""Open the chat model that a config names: an endpoint, one on this machine, or none."""

from __future__ import annotations

import os
from dataclasses import dataclass

from unipose.errors import ConfigError
from unipose.priors.chat_models import ChatModel
from unipose.priors.endpoint import Endpoint, EndpointConfig


@dataclass(frozen=True, kw_only=True)
class ChatModelConfig:
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


def open_chat_model(config: ChatModelConfig) -> ChatModel | None:
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
        from unipose.priors.local_chat_model import LocalChatModel  # loads transformers

        return LocalChatModel(config.model, device=config.device)
    return None
