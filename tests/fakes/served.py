"""A server over models of a few thousand random weights, in this process and on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import uvicorn
from fastapi import FastAPI

from tests.fakes.motion_labels import bent_elbow_labeller
from tests.fakes.tiny_chat_model import tiny_chat_model
from tests.fakes.tiny_eyes import seeing_assistant
from unipose.app.server.answer_streams import LocalModels
from unipose.app.server.answering import ServedModels
from unipose.app.server.application import make_app
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings
from unipose.assistant import UniPose
from unipose.language.conversation_model import ConversationModel

POSE: dict[str, Any] = {"format": "smpl-axis-angle", "body_pose": [0.1] * 69}
"""A pose as requests have it."""


@cache
def shared_assistant() -> UniPose:
    assistant = seeing_assistant()
    assistant.motion_labeller = bent_elbow_labeller()
    return assistant


@cache
def shared_speaker() -> ConversationModel:
    return ConversationModel(*tiny_chat_model())


def tiny_served(settings: ServerSettings | None = None) -> ServedModels:
    """Return tiny models with workers of their own."""
    return ServedModels(shared_assistant(), shared_speaker(), settings or ServerSettings())


@contextmanager
def tiny_models(settings: ServerSettings | None = None) -> Iterator[LocalModels]:
    """Give tiny models, closed in the end."""
    models = LocalModels(tiny_served(settings))
    try:
        yield models
    finally:
        models.close()


@contextmanager
def tiny_app(settings: ServerSettings | None = None, **options: Any) -> Iterator[FastAPI]:
    """Give an application over tiny models."""
    with tiny_models(settings) as models:
        yield make_app(models, settings, **options)


@contextmanager
def on_loopback(app: FastAPI | Callable[..., Any], **options: Any) -> Iterator[str]:
    """Serve an application by uvicorn while the block runs; give its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="on", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


class TinySources:
    """Loads tiny models; may be sent to other machines (`model_sources.LoadsModels`)."""

    def load(self, settings: ServerSettings, metrics: ServerMetrics) -> ServedModels:
        return ServedModels(shared_assistant(), shared_speaker(), settings, metrics)
