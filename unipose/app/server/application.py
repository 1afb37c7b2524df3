"""The application: limits around plain endpoints for poses and OpenAI's chat completions.

app = make_app(lambda: LocalModels(...), ServerSettings())
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response

from unipose.app.server.answer_streams import AnsweringModels
from unipose.app.server.chat_endpoints import chat_router
from unipose.app.server.long_work import DoesWork
from unipose.app.server.pose_endpoints import pose_router
from unipose.app.server.refusals import say_refusals
from unipose.app.server.request_limits import RequestLimits
from unipose.app.server.server_metrics import ServerMetrics
from unipose.app.server.settings import ServerSettings
from unipose.app.server.work_endpoints import work_router
from unipose.errors import ConfigError


def make_app(
    models: AnsweringModels | Callable[[ServerMetrics], AnsweringModels],
    settings: ServerSettings | None = None,
    *,
    page: APIRouter | None = None,
    work: DoesWork | None = None,
) -> FastAPI:
    """Return the application over models, or over what loads them when it starts.

    `page` is the web page's router; it is limited in nothing but a request's size. `work` does what
    takes minutes; without it there are no such endpoints. Models that were
    given stay open when the application ends, those it loaded are closed. Raises ConfigError for a
    page beside keys: a browser shows none.
    """
    settings = settings or ServerSettings()
    if page is not None and settings.keys:
        raise ConfigError("the web page cannot show a key; serve it without keys, or leave it out")
    loads = callable(models)
    metrics = ServerMetrics() if loads else models.metrics

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not loads:
            yield
            return
        app.state.models = await asyncio.to_thread(models, metrics)
        yield
        await asyncio.to_thread(app.state.models.close)

    app = FastAPI(
        title="unipose",
        version=version("unipose"),
        description="Talk about 3D human pose; OpenAI's chat completions and plain endpoints.",
        max_body_size=settings.largest_body,
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.settings, app.state.metrics = settings, metrics
    if not loads:
        app.state.models = models
    say_refusals(app)
    app.include_router(chat_router())
    app.include_router(pose_router())
    if work is not None:
        app.include_router(work_router(work, settings))

    @app.get("/health", tags=["server"])
    async def health(request: Request) -> dict[str, str]:
        """Say that the server is there and its models are loaded."""
        return {"status": "ok", "version": version("unipose")}

    @app.get("/metrics", tags=["server"], response_class=Response)
    async def counters() -> Response:
        """Return counters in Prometheus's form."""
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    if page is not None:
        app.include_router(page)
    app.add_middleware(RequestLimits, settings=settings, metrics=metrics)
    return app
