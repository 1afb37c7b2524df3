"""A dataclass of options is one argument of a command, and single options on its command line."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from unipose.app import cli, commands
from unipose.app.option_groups import with_single_options


@dataclass(frozen=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option("--width", help="In pixels.")] = 4
    height: int = 3


def paint(
    colour: str, *, size: Size, thick: Annotated[bool, typer.Option("--thick")] = False
) -> None:
    """Paint."""
    print(colour, size, thick)


def run(*words: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(with_single_options(paint))
    done = CliRunner().invoke(app, list(words))
    return done.exit_code, done.output


def test_a_group_is_shown_as_its_options_where_it_stood():
    shown = inspect.signature(with_single_options(paint)).parameters
    assert [(one.name, one.default) for one in shown.values()] == [
        ("colour", inspect.Parameter.empty), ("width", 4), ("height", 3), ("thick", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["red"], "red Size(width=4, height=3) False\n"),
        (["red", "--height", "9", "--thick"], "red Size(width=4, height=9) True\n"),
    ],
)
def test_a_command_is_given_the_group_with_what_was_typed(words, said):
    assert run(*words) == (0, said)


def test_what_is_no_option_of_the_group_is_refused():
    assert run("red", "--depth", "2")[0] == 2


def test_each_word_of_the_command_is_a_file_of_its_name():
    folder = Path(commands.__file__).parent
    words = {command.__name__ for command in cli.COMMANDS}
    assert {file.stem for file in folder.glob("*.py")} - {"__init__"} == words
    assert [name.__module__.rpartition(".")[2] for name in cli.COMMANDS] == [
        name.__name__ for name in cli.COMMANDS
    ]
