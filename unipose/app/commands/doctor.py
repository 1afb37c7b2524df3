"""`unipose doctor`: check that everything needed is installed and works."""

from __future__ import annotations

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson


def doctor(as_json: AsJson = False) -> None:
    """Check that everything needed is installed and works."""
    from unipose.app.doctor import examine

    findings = examine()
    lines = [f"{'ok  ' if f.good else 'FAIL'}  {f.what}: {f.found}" for f in findings]
    healthy = all(finding.good for finding in findings)
    print_answer(
        "\n".join(lines),
        as_json,
        healthy=healthy,
        findings=[{"what": f.what, "good": f.good, "found": f.found} for f in findings],
    )
    raise typer.Exit(0 if healthy else 1)
