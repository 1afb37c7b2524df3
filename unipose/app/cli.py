"""The `unipose` command: one word per thing that can be asked, each in a file of `commands`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from unipose.app.command_output import notes_printed
from unipose.app.commands.adapt import adapt
from unipose.app.commands.ask import ask
from unipose.app.commands.chat import chat
from unipose.app.commands.compare import compare
from unipose.app.commands.convert import convert
from unipose.app.commands.describe import describe
from unipose.app.commands.doctor import doctor
from unipose.app.commands.edit import edit
from unipose.app.commands.estimate import estimate
from unipose.app.commands.generate import generate
from unipose.app.commands.keypoints import keypoints
from unipose.app.commands.lift import lift
from unipose.app.commands.poses import poses
from unipose.app.commands.refine import refine
from unipose.app.commands.serve import serve
from unipose.app.commands.track import track
from unipose.app.commands.version import version
from unipose.app.commands.web import web
from unipose.app.option_groups import with_single_options
from unipose.app.wording import problem_in_words
from unipose.errors import UniPoseError

COMMANDS = (
    describe,
    estimate,
    keypoints,
    lift,
    track,
    adapt,
    generate,
    edit,
    compare,
    ask,
    refine,
    convert,
    poses,
    chat,
    web,
    serve,
    doctor,
    version,
)
"""In the order in which `unipose --help` lists them."""

app = typer.Typer(
    name="unipose",
    help="Talk with a computer about 3D human pose.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> bool:
    if asked:
        version()
        raise typer.Exit
    return asked


@app.callback()
def options(
    version_asked: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Print the version."
        ),
    ] = False,
) -> None:
    """Talk with a computer about 3D human pose."""


for command in COMMANDS:
    app.command()(with_single_options(command))


def main() -> None:
    """Run the command; a problem that unipose knows is one line on standard error, status 2."""
    try:
        with notes_printed():
            app()
    except (UniPoseError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # whoever read our output has left
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        print(f"error: {problem_in_words(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
