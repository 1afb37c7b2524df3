"""`unipose web`: the page, and the API beside it, over the models of this process."""

from __future__ import annotations

import socket
import webbrowser
from collections.abc import Sequence

import uvicorn

from unipose.app.page.file_shelf import MOST_BYTES
from unipose.app.page.page_sessions import PageSessions
from unipose.app.page.router import page_router
from unipose.app.server.answer_streams import LocalModels
from unipose.app.server.answering import ServedModels
from unipose.app.server.application import make_app
from unipose.app.server.settings import ServerSettings
from unipose.body.body import Body

LAST_ANSWERS_S = 5
"""How long answers that are being made may take when the server is told to end."""


def serve_page(
    served: ServedModels,
    listener: socket.socket,
    *,
    hosts: Sequence[str],
    own_body: Body | None = None,
    opened: str | None = None,
) -> None:
    """Serve until Ctrl-C; conversations are gone then.

    `hosts` are the names under which the page may be asked for, `opened` is an address that a
    browser is sent to.
    """
    sessions = PageSessions(
        lambda folder, stopped: served.conversation(
            files=folder, cancelled=stopped, body=own_body
        ),
        own_body=own_body,
    )  # fmt: skip
    settings = ServerSettings(largest_body=MOST_BYTES, hosts=(*hosts, "[::1]"))
    models = LocalModels(served)
    app = make_app(models, settings, page=page_router(sessions, hosts=hosts))
    config = uvicorn.Config(
        app, log_level="warning", server_header=False, timeout_graceful_shutdown=LAST_ANSWERS_S
    )
    if opened is not None:
        webbrowser.open(opened)  # it waits in the listener's queue until the server runs
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        sessions.close()
        models.close()
