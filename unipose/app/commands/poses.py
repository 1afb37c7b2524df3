"""`unipose poses`: list the named poses, say how people call one, or write it to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile


def poses(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FAMILY]", help="A pose, or a family such as yoga."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Write the pose: .npz .json .bvh .png ..."),
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """List the named poses, say how people call one, or write it to a file."""
    from unipose.posecodes.named_poses import NamedPoses

    named = NamedPoses.load()
    if name is None or (name in named.families and out is None):
        shown = {k: v for k, v in named.families.items() if name in (None, k)}
        lines = [f"{family}: {', '.join(names)}" for family, names in shown.items()]
        print_answer("\n".join(lines), as_json, families=shown)
        return
    found = named.find(name)
    said = [*named.wordings(found, "train"), *named.wordings(found, "test")]
    files: list[str] = []
    if out is not None:
        from unipose.app.pose_input import own_body, write

        files = write(named.centre(found), out, own_body(body))
    print_answer(
        "\n".join(files or [found, *said]), as_json, name=found, wordings=said, files=files
    )
