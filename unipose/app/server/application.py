"""The application: limits around plain endpoints for poses and OpenAI's chat completions.

app = make_app(lambda: LocalModels(...), ServerSettings())
"""

from __future__ import annotations

import asyncio
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response

from unipose.app.server.answer_streams import AnsweringModels
from unipose.app.server.chat_endpoints import chat_router
from unipose.app.server.endpoint_page import describe_endpoints
from unipose.app.server.long_work import DoesWork
from unipose.app.server.pose_endpoints import pose_router
from unipose.app.server.refusals import say_refusals
from unipose.app.server.request_limits import RequestLimits
from unipose.app.server.request_pictures import MOST_UNPACKED
from unipose.app.server.settings import ServerSettings
from unipose.app.server.work_endpoints import work_router
from unipose.errors import ConfigError


def make_app(
    models: AnsweringModels,
    settings: ServerSettings | None = None,
    *,
    page: APIRouter | None = None,
    work: DoesWork | None = None,
) -> FastAPI:
    """Return the application over models, which stay open when it ends.

    `page` is the web page's router; it is limited in nothing but a request's size. `work` does what
    takes minutes; without it there are no such endpoints. Raises ConfigError for a page beside
    keys: a browser shows none.
    """
    settings = settings or ServerSettings()
    if page is not None and settings.keys:
        raise ConfigError("the web page cannot show a key; serve it without keys, or leave it out")
    app = FastAPI(
        title="unipose",
        version=version("unipose"),
        description="Talk about 3D human pose; OpenAI's chat completions and plain endpoints.",
        separate_input_output_schemas=False,
        docs_url=None,  # FastAPI's own pages fetch scripts from elsewhere
        redoc_url=None,
    )
    app.state.settings, app.state.models = settings, models
    app.state.unpacked = asyncio.Semaphore(MOST_UNPACKED)
    say_refusals(app)
    app.include_router(chat_router())
    app.include_router(pose_router())
    if work is not None:
        app.include_router(work_router(work, settings))

    @app.get("/health", tags=["server"])
    async def health() -> dict[str, str]:
        """Say that the server is there and its models are loaded."""
        return {"status": "ok", "version": version("unipose")}

    @app.get("/docs", include_in_schema=False)
    async def documentation() -> HTMLResponse:
        return HTMLResponse(describe_endpoints(app.openapi()))

    @app.get("/metrics", tags=["server"], response_class=Response)
    async def counters() -> Response:
        """Return counters in Prometheus's form."""
        return Response(models.metrics.text(), media_type="text/plain; version=0.0.4")

    if page is not None:
        app.include_router(page)
    app.add_middleware(RequestLimits, settings=settings, metrics=models.metrics)
    return app
