"""`unipose version`: print the version."""

from __future__ import annotations

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson


def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    print_answer(f"unipose {version_of('unipose')}", as_json, version=version_of("unipose"))
