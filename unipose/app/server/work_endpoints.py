"""/v1/work: films and photos that take minutes; sent, asked after, fetched."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse
from pydantic import BaseModel

from unipose.app.server.long_work import DoesWork, WorkFolder, WorkKind, WorkState
from unipose.app.server.refusals import REFUSALS, RefusalError
from unipose.app.server.settings import ServerSettings
from unipose.errors import MissingFileError

_BYTES = {"requestBody": {"required": True, "content": {"application/octet-stream": {}}}}


class WorkReport(BaseModel):
    """How a piece of work stands."""

    id: str
    kind: WorkKind
    state: WorkState
    problem: str
    doing: str
    """What is being done."""
    done: int
    of: int | None
    """How much there is of it; None where that is not known."""
    files: list[str]


def work_router(work: DoesWork, settings: ServerSettings) -> APIRouter:
    """Return the endpoints of long work."""
    router = APIRouter(
        prefix="/v1/work", tags=["long work"], max_body_size=settings.largest_film,
        responses=REFUSALS,
    )  # fmt: skip

    @router.post("/{kind}", status_code=202, openapi_extra=_BYTES)
    async def begin(
        kind: WorkKind, name: Annotated[str, Query(max_length=100)], request: Request
    ) -> WorkReport:
        """Take a film (track, adapt) or a photo (refine), sent as it is, called `name`."""
        if len(WorkFolder.all(work.root)) >= settings.most_work:
            raise RefusalError(429, "too much work is kept here; delete some", retry_s=60)
        folder = WorkFolder.create(work.root, kind, name)
        with folder.input.open("wb") as file:
            async for piece in request.stream():
                await asyncio.to_thread(file.write, piece)
        work.begin(folder)
        return _report(folder)

    @router.get("")
    async def every() -> list[WorkReport]:
        """List all work, the oldest first."""
        return [_report(folder) for folder in WorkFolder.all(work.root)]

    @router.get("/{name}")
    async def one(name: str) -> WorkReport:
        """Say how a piece of work stands."""
        return _report(_find(work, name))

    @router.delete("/{name}", status_code=202)
    async def stop(name: str) -> WorkReport:
        """Stop a piece of work, whose files stay; asked again, remove it."""
        folder = _find(work, name)
        before = _report(folder)
        folder.stop()
        return _report(folder) if folder.path.exists() else before

    @router.get("/{name}/files/{file:path}")
    async def result(name: str, file: str) -> FileResponse:
        """Return a file that came of it."""
        folder = _find(work, name)
        if file not in folder.results:
            raise RefusalError(404, "there is no such file; the report lists them")
        return FileResponse(folder.path / "out" / file)

    return router


def _find(work: DoesWork, name: str) -> WorkFolder:
    try:
        return WorkFolder.find(work.root, name)
    except MissingFileError as error:
        raise RefusalError(404, "there is no such work") from error


def _report(folder: WorkFolder) -> WorkReport:
    progress = folder.progress
    return WorkReport(
        id=folder.name, kind=folder.order["kind"], state=folder.state, problem=folder.problem,
        doing=progress.get("doing", ""), done=progress.get("done", 0), of=progress.get("of"),
        files=folder.results,
    )  # fmt: skip
