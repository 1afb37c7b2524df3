"""`unipose web`: the page and the API over the models of this process. Light to import."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from unipose.app.options import BodyFile, ConversationModelOptions
from unipose.errors import ConfigError

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 (they are named to be refused)


def web(
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")
    ] = 7860,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where it is served.")
    ] = "127.0.0.1",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="NAME", help="Another name of this machine to answer to."),
    ] = None,
    open_browser: Annotated[
        bool, typer.Option("--open", help="Send the browser of this machine there.")
    ] = False,
    *,
    body: BodyFile = None,
    models: ConversationModelOptions,
) -> None:
    """Talk about poses on a web page, with bodies in 3D; Ctrl-C ends it."""
    names = names_of(host, name or [])
    from unipose.app.server.running import listen

    listener = listen(host, port)
    print("loading the models ...", file=sys.stderr, flush=True)
    from unipose.app.page.file_shelf import MOST_BYTES
    from unipose.app.page.page_sessions import PageSessions
    from unipose.app.page.router import page_router
    from unipose.app.pose_input import own_body
    from unipose.app.server.answer_streams import LocalModels
    from unipose.app.server.application import make_app
    from unipose.app.server.model_sources import ModelSources
    from unipose.app.server.running import serve
    from unipose.app.server.server_metrics import ServerMetrics
    from unipose.app.server.settings import ServerSettings

    settings = ServerSettings(hosts=(*names, "[::1]"), largest_body=MOST_BYTES)
    served, shape = ModelSources(models).load(settings, ServerMetrics()), own_body(body)
    sessions = PageSessions(
        lambda folder, stopped: served.conversation(files=folder, cancelled=stopped, body=shape),
        own_body=shape,
    )
    serving = LocalModels(served)
    app = make_app(serving, settings, page=page_router(sessions, hosts=names))
    shown = "localhost" if host in ANY_ADDRESS else f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}/"
    print(f"the page is at {address} (Ctrl-C ends it)", flush=True)
    if open_browser:
        typer.launch(address)  # it waits in the listener's queue until the server runs
    try:
        serve(app, listener, settings)
    finally:
        sessions.close()
        serving.close()


def names_of(host: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return the names under which a page at `host` may be asked for, in lower case.

    Raises ConfigError for every address of this machine without a name.
    """
    if host in ANY_ADDRESS and not names:
        raise ConfigError(
            f"--host {host} lets everybody in this network talk to the models; say under which "
            "name they may, such as --name mymachine.local"
        )
    own = () if host in ANY_ADDRESS else (host,)
    ours = ("localhost", "127.0.0.1", "::1", *own, *names)
    return tuple(dict.fromkeys(one.lower() for one in ours))
