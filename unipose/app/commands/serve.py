"""`unipose serve`: the models behind HTTP, on this machine or on a Ray cluster. Light to import."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from unipose.app.options import ConversationModelOptions
from unipose.errors import ConfigError, MissingFileError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]", "::1")
KEYS = "UNIPOSE_KEYS"
"""Environment variable with keys, separated by spaces or commas."""


def serve(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where it is served.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="0: any that is free.")
    ] = 8000,
    keys: Annotated[
        Path | None,
        typer.Option("--keys", metavar="FILE", help=f"Bearer keys, one a line (or {KEYS})."),
    ] = None,
    rows: Annotated[
        int, typer.Option("--rows", metavar="N", min=1, help="Rows that a model answers at once.")
    ] = 16,
    active: Annotated[
        int, typer.Option("--active", metavar="N", min=1, help="Requests worked on at once.")
    ] = 32,
    waiting: Annotated[
        int, typer.Option("--waiting", metavar="N", min=0, help="Requests that wait; then 429.")
    ] = 32,
    time_limit: Annotated[
        float, typer.Option("--time-limit", metavar="SECONDS", help="Of one request.")
    ] = 60.0,
    remote_pictures: Annotated[
        bool,
        typer.Option("--remote-pictures", help="Fetch pictures from public http(s) addresses."),
    ] = False,
    work: Annotated[
        Path | None,
        typer.Option("--work", metavar="FOLDER", help="Also do long work, kept in this folder."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Answer on a Ray cluster: HOST:PORT, auto."),
    ] = None,
    replicas: Annotated[
        tuple[int, int],
        typer.Option("--replicas", metavar="FEWEST MOST", help="On the cluster."),
    ] = (1, 1),
    *,
    models: ConversationModelOptions,
) -> None:
    """Answer over HTTP as OpenAI's chat completions, and plain questions about poses."""
    from unipose.app.server.answer_streams import LocalModels
    from unipose.app.server.application import make_app
    from unipose.app.server.long_work import LocalWork
    from unipose.app.server.model_sources import ModelSources
    from unipose.app.server.running import listen
    from unipose.app.server.running import serve as run
    from unipose.app.server.settings import ServerSettings

    settings = ServerSettings(
        most_rows=rows, most_active=active, most_waiting=waiting, time_limit_s=time_limit,
        keys=read_keys(keys), hosts=LOOPBACK if host in LOOPBACK else (),
        remote_pictures=remote_pictures,
    )  # fmt: skip
    if not settings.keys and host not in LOOPBACK:
        print(f"note: without --keys everybody who reaches {host} may ask", file=sys.stderr)
    listener = listen(host, port)
    sources = ModelSources(models)
    print("loading the models ...", file=sys.stderr, flush=True)
    if ray is None:
        from unipose.app.server.server_metrics import ServerMetrics

        served = sources.load(settings, ServerMetrics())
        serving = LocalModels(served, most_active=settings.most_active)
        doing = None if work is None else LocalWork(work)
    else:
        from unipose.app.server.ray_serving import RayModels, RaySettings
        from unipose.app.server.ray_work import RayWork

        gpus = 1.0 if models.device.startswith("cuda") else 0.0
        where = RaySettings(address=ray, fewest=replicas[0], most=replicas[1], gpus=gpus)
        serving = RayModels.deploy(sources, settings, where)
        doing = None if work is None else RayWork(work)
    app = make_app(serving, settings, work=doing)
    shown = f"[{host}]" if ":" in host else host
    print(f"serving on http://{shown}:{listener.getsockname()[1]} (docs: /docs)", flush=True)
    try:
        run(app, listener, settings)
    finally:
        serving.close()
        if doing is not None:
            doing.close()


def read_keys(file: Path | None) -> tuple[str, ...]:
    """Return the keys of a file, a line each, or of the environment.

    Raises MissingFileError, and ConfigError for a file without a key: nobody could ask.
    """
    if file is None:
        return tuple(os.environ.get(KEYS, "").replace(",", " ").split())
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingFileError(file, "there is no such file of keys.") from error
    found = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not found:
        raise ConfigError(f"{file} holds no key; a line each is expected")
    return found
