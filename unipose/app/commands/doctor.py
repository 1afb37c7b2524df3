"""`unipose doctor`: look at every part of the installation."""

from __future__ import annotations

from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson


def doctor(
    body: Annotated[
        str | None,
        typer.Option("--body", metavar="FILE", help="Try your own SMPL, SMPL-H or SMPL-X body."),
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            "--endpoint", metavar="ADDRESS", help="Ask an OpenAI-compatible server for its models."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that every part is there and works; what is missing, and what brings it."""
    from unipose.app.doctor import CheckupOptions, examine

    findings = examine(CheckupOptions(body=body, endpoint=endpoint))
    healthy = all(one.good or one.optional for one in findings)
    print_answer(
        "\n".join(f"{one.mark:8}{one.what}: {one.found}" for one in findings),
        as_json,
        healthy=healthy,
        findings=[
            {"what": f.what, "good": f.good, "optional": f.optional, "found": f.found}
            for f in findings
        ],
    )
    raise typer.Exit(0 if healthy else 1)
