"""The commands that the documentation shows, run in one process, and what they print.

A block of a page:

    ```console
    $ unipose describe squat.npz
    The knees are bent ...
    ```

Lines after `$` are commands, those below are their output. Blocks of a page run one after the other
in one folder. `python -m tests.docs_commands` writes down what the commands print today. What a
model says that the block itself trains is another text on another processor: such a block has the
line `<!-- learned -->` above it, and a test of its own instead of a comparison.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from unipose.app import cli

DOCS = Path(__file__).parents[1] / "docs"
LINKED = re.compile(r"\]\(([\w-]+\.(?:bvh|png))\)")
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LEARNED = re.compile(r"(?<=^<!-- learned -->\n)```console\n.*?^```$", re.MULTILINE | re.DOTALL)
PAGES = tuple(
    sorted(page.name for page in DOCS.glob("*.md") if BLOCK.search(page.read_text("utf-8")))
)


def printed(command: str) -> str:
    """Return what a command prints, then its notes and its error.

    `printf TEXT | COMMAND` is known, too. What libraries print on standard error is left out.
    """
    words, typed = shlex.split(command), ""
    if words[0] == "printf":
        typed, words = words[1].replace("\\n", "\n"), words[3:]
    said, beside = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", words),
        mock.patch.object(sys, "stdin", io.StringIO(typed)),
        mock.patch.dict(os.environ, {"COLUMNS": "100"}),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(beside),
        contextlib.suppress(SystemExit),
    ):
        if words[0] == "unipose":
            cli.main()
        elif words[:2] == ["python", "-m"]:
            importlib.import_module(words[2]).run(words[3:])
        else:
            raise ValueError(f"expected unipose or python -m PROGRAM, got {command!r}")
    lines = [line.rstrip() for line in said.getvalue().splitlines()]
    ours = [line for line in beside.getvalue().splitlines() if line.startswith(("note:", "error:"))]
    return "\n".join([*lines, *ours]).strip("\n")


def compared(text: str) -> str:
    """Return a page without the blocks whose output a model says that they train."""
    return LEARNED.sub("", text)


def commands(page: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a page, each with the output that the page shows."""
    for block in BLOCK.findall((DOCS / page).read_text("utf-8")):
        for piece in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = piece.replace("\\\n", "").partition("\n")
            yield " ".join(command.split()), output.strip("\n")


def renewed(page: str) -> str:
    """Return a page with the outputs of today; its commands run in the current folder.

    Recordings that the page links to lie there.
    """
    text = (DOCS / page).read_text("utf-8")
    for name in LINKED.findall(text):
        if name.endswith(".bvh"):
            shutil.copy(DOCS / name, name)

    def run(block: re.Match) -> str:
        pieces = re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]
        shown = []
        for piece in pieces:
            end = re.search(r"(?<!\\)\n", piece)
            command = piece[: end.start()] if end else piece
            shown += [f"$ {command}", printed(command.replace("\\\n", ""))]
        return "```console\n" + "\n".join(line for line in shown if line) + "\n```"

    return BLOCK.sub(run, text)


def main(pages: list[str]) -> None:
    """Write down what the commands of pages print, and keep the pictures that they show."""
    for page in pages:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            text = renewed(page)
            for name in LINKED.findall(text):
                if name.endswith(".png") and Path(name).exists():
                    shutil.copy(name, DOCS / name)
        (DOCS / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:] or list(PAGES))
