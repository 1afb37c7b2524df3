"""Tests that need an extra of the project are skipped where it is not installed, and say so.

A file or a test that fails because a package of an extra is not there counts as skipped; the reason
names the package and the command that brings it. Whatever else is missing stays an error.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

from unipose.app.installation import command_for

MISSING = re.compile(r"No module named '([\w]+)[\w.]*'")
TOOLS = {"nbformat", "mkdocs"}
"""Import names that packages of developers bring along."""


def reason(said: str) -> str | None:
    """Return why a test is skipped, if what it says is that a package of an extra is missing."""
    for found in MISSING.finditer(said):
        name = found[1]
        command = "`make setup-all`" if name in TOOLS else command_for(name)
        if command not in (None, "`make setup`") and find_spec(name) is None:
            return f"needs {name}: {command}"
    return None
