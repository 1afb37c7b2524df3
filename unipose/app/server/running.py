"""Serving an application until SIGTERM or Ctrl-C, which let what runs finish."""

from __future__ import annotations

import math
import socket

import uvicorn
from fastapi import FastAPI

from unipose.app.server.settings import ServerSettings

KEEP_ALIVE_S = 15
"""How long a connection without a request stays open."""
FEWEST_CONNECTIONS = 256


def serve(app: FastAPI, listener: socket.socket, settings: ServerSettings) -> None:
    """Answer what comes to `listener` until SIGTERM or Ctrl-C; what is being answered is finished.

    What takes longer than the time limit of a request is then given up.
    """
    most = 4 * (settings.most_active + settings.most_waiting)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        limit_concurrency=max(most, FEWEST_CONNECTIONS),
        timeout_graceful_shutdown=math.ceil(settings.time_limit_s),
    )
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 is any free one. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)
