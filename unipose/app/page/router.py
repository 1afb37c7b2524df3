"""The page's routes: its own files, one visitor's conversation, poses and files in it.

    app = make_app(models, page=page_router(PageSessions(converse)))

What happens while an answer is made comes as lines of JSON, as soon as it happens:

    {"kind": "entry", "entry": {...}}                 the line itself
    {"kind": "progress", "done": 3, "of": 90, "what": "frames"}
    {"kind": "text", "text": " is bent"}              pieces of the answer
    {"kind": "answer", "entry": {...}, "poses": ...}  all of it, at the end
    {"kind": "error", "text": "..."}                  in its place
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Cookie, Depends, HTTPException, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from unipose.app.conversation import LONGEST_LINE
from unipose.app.page.answers_out import KeptPictures, download, problems_told, receive, streamed
from unipose.app.page.file_shelf import BROUGHT
from unipose.app.page.page_session import PageSession
from unipose.app.page.page_sessions import PageSessions
from unipose.app.page.pose_documents import body_to_turn, how_far, pose_file, thumbnail
from unipose.app.page.request_checks import LOOPBACK, content_policy, route_class
from unipose.body.pose import Pose
from unipose.errors import PoseQueryError
from unipose.posecodes.named_poses import NamedPoses

STATIC = Path(__file__).parent / "static"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
COOKIE = "unipose_page"
COOKIE_S = 30 * 24 * 3600
MOST_ANSWERS = 24
"""Answers that are made or wait at the same time."""
MOST_PICTURES = 600
"""Small pictures of poses that are kept."""

SessionCookie = Annotated[str | None, Cookie(alias=COOKIE)]


class SaidLine(BaseModel):
    """What is typed."""

    text: str = Field(max_length=LONGEST_LINE)


class OpenedName(BaseModel):
    """A file that was brought, or a named pose."""

    name: str = Field(min_length=1, max_length=200)


class RecordingMoment(BaseModel):
    """A moment of a recording."""

    seconds: float = Field(ge=0, lt=1e6)


def page_router(sessions: PageSessions, *, hosts: Sequence[str] = LOOPBACK) -> APIRouter:
    """Return the routes of the page: `/` and all that is below `/page/`.

    `hosts` are the names under which it may be asked for.
    """
    files = _static_files()
    policy = content_policy(files["index.html"].decode())
    router = APIRouter(route_class=route_class(hosts, policy), include_in_schema=False)

    def visitor(unipose_page: SessionCookie = None) -> PageSession:
        session = sessions.find(unipose_page)
        if session is None:
            raise HTTPException(410, "this conversation is no longer kept; load the page again")
        return session

    _add_page(router, sessions, files)
    _add_conversation(router, visitor=Depends(visitor))
    _add_files(router, visitor=Depends(visitor))
    pictures = KeptPictures(MOST_PICTURES)
    _add_poses(router, sessions, pictures, visitor=Depends(visitor))
    _add_gallery(router, sessions, pictures)
    return router


def _add_page(router: APIRouter, sessions: PageSessions, files: dict[str, bytes]) -> None:
    """Add the page itself, which begins a conversation for whoever has none."""

    @router.get("/")
    def page(unipose_page: SessionCookie = None) -> Response:
        response = Response(files["index.html"], media_type=KINDS[".html"])
        if sessions.find(unipose_page) is None:
            session_id, _ = sessions.begin()
            response.set_cookie(
                COOKIE, session_id, max_age=COOKIE_S, httponly=True, samesite="strict", path="/"
            )
        return response

    @router.get("/page/static/{name:path}")
    def static(name: str) -> Response:
        if name not in files:
            raise HTTPException(404, "there is no such file")
        return Response(files[name], media_type=KINDS[Path(name).suffix])


def _add_conversation(router: APIRouter, *, visitor: Any) -> None:
    """Add what is said and answered."""
    pool = ThreadPoolExecutor(MOST_ANSWERS, thread_name_prefix="page")

    @router.get("/page/conversation")
    def conversation(session: PageSession = visitor) -> dict[str, Any]:
        return session.as_json()

    @router.post("/page/say")
    def say(line: SaidLine, session: PageSession = visitor) -> StreamingResponse:
        return streamed(pool, session, lambda emit: session.say(line.text, emit))

    @router.post("/page/open")
    def open_named(opened: OpenedName, session: PageSession = visitor) -> StreamingResponse:
        return streamed(pool, session, lambda emit: session.open(opened.name, emit))

    @router.post("/page/stop")
    def stop(session: PageSession = visitor) -> Response:
        session.stop()
        return Response(status_code=204)

    @router.post("/page/new")
    def new(session: PageSession = visitor) -> dict[str, Any]:
        with problems_told():
            session.forget()
        return session.as_json()


def _add_files(router: APIRouter, *, visitor: Any) -> None:
    """Add files that are brought, and those that were made."""

    @router.put("/page/files")
    async def bring(
        request: Request,
        name: Annotated[str, Query(min_length=1, max_length=300)],
        session: PageSession = visitor,
    ) -> dict[str, str]:
        with problems_told():
            path = session.shelf.room_for(name)
            left = session.shelf.bytes_left()
        claimed = request.headers.get("content-length", "")
        if claimed.isdecimal() and int(claimed) > left:
            raise HTTPException(413, f"{path.name} is larger than the {left:,} bytes that are left")
        await receive(request, path, left)
        return {"name": path.name}

    @router.get("/page/files/{file_id}")
    def fetch(file_id: str, session: PageSession = visitor) -> Response:
        if file_id not in session.shelf:
            raise HTTPException(404, "there is no such file")
        file = session.shelf[file_id]
        content = file.path.read_bytes()
        if not file.inline:
            return download(content, file.path.name)
        kind = "image/png" if file.path.suffix == ".png" else "image/jpeg"
        return Response(content, media_type=kind)


def _add_poses(
    router: APIRouter, sessions: PageSessions, pictures: KeptPictures, *, visitor: Any
) -> None:
    """Add the poses of a conversation: bodies to turn around, pictures, files, moments."""
    body, own_body = sessions.body, sessions.own_body

    @router.get("/page/poses/{pose_id}/body.glb")
    def turn_body(
        pose_id: str,
        moved_from: str | None = None,
        motion: bool = False,
        session: PageSession = visitor,
    ) -> Response:
        with problems_told():
            pose = _pose_of(session, pose_id, motion=motion)
            before = None if moved_from is None else session.held(moved_from).pose
            document = body_to_turn(pose, body, before=before)
        return Response(document, media_type="model/gltf-binary")

    @router.get("/page/poses/{pose_id}/moved")
    def moved(pose_id: str, moved_from: str, session: PageSession = visitor) -> dict[str, Any]:
        with problems_told():
            before, after = session.held(moved_from).pose, session.held(pose_id).pose
            return {"joints": how_far(before, after, body)}

    @router.get("/page/poses/{pose_id}/picture.jpg")
    def picture(pose_id: str, session: PageSession = visitor) -> Response:
        with problems_told():
            pose = session.held(pose_id).pose
        drawn = pictures.of(pose_id, lambda: thumbnail(pose, body))
        return Response(drawn, media_type="image/jpeg")

    @router.get("/page/poses/{pose_id}/file")
    def pose_as_file(
        pose_id: str,
        kind: Literal["npz", "json", "bvh", "glb", "png", "mp4"],
        motion: bool = False,
        session: PageSession = visitor,
    ) -> Response:
        with problems_told():
            content = pose_file(_pose_of(session, pose_id, motion=motion), kind, own_body)
        return download(content, f"pose-{session.number_of(pose_id)}.{kind}")

    @router.post("/page/poses/{pose_id}/moment")
    def moment(pose_id: str, at: RecordingMoment, session: PageSession = visitor) -> dict[str, Any]:
        with problems_told():
            return session.take_moment(pose_id, at.seconds)

    @router.post("/page/poses/{pose_id}/choose")
    def choose(pose_id: str, session: PageSession = visitor) -> Response:
        with problems_told():
            session.choose(pose_id)
        return Response(status_code=204)


def _add_gallery(router: APIRouter, sessions: PageSessions, pictures: KeptPictures) -> None:
    """Add the poses that have a name."""

    @router.get("/page/gallery")
    def gallery() -> dict[str, Any]:
        return {"families": _named_poses().families, "endings": BROUGHT}

    @router.get("/page/gallery/{name}")
    def gallery_picture(name: str) -> Response:
        named = _named_poses()
        if name not in named.names:
            raise HTTPException(404, "there is no such pose")
        pose = named.centre(name)
        drawn = pictures.of(f"named {name}", lambda: thumbnail(pose, sessions.body))
        return Response(
            drawn, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"}
        )


def _pose_of(session: PageSession, pose_id: str, *, motion: bool) -> Pose:
    """Return a pose, or the whole recording that it was taken from."""
    held = session.held(pose_id)
    if not motion:
        return held.pose
    if held.recording is None:
        raise PoseQueryError("this pose was not taken from a recording")
    return held.recording


def _static_files() -> dict[str, bytes]:
    """Return the page's files by name: nothing else can be asked for, whatever a path says."""
    return {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in STATIC.rglob("*")
        if path.suffix in KINDS
    }


@cache
def _named_poses() -> NamedPoses:
    return NamedPoses.load()
