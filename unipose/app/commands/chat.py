"""`unipose chat`: talk about poses in the terminal; from a pipe, answer line by line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from unipose.app.options import BodyFile, ConversationModelOptions
from unipose.app.wording import WELCOME


def chat(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the calls that the language model makes.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="Go on with a conversation that was kept."),
    ] = None,
    *,
    body: BodyFile = None,
    models: ConversationModelOptions,
) -> None:
    """Talk about poses in the terminal; from a pipe, answer line by line."""
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        print(WELCOME, flush=True)  # something to read while the imports below take their second
    from unipose.app.conversation import Conversation
    from unipose.app.pose_input import own_body
    from unipose.app.terminal import answer_lines, talk

    conversation = Conversation(
        models.load_assistant,
        models.load_speaker,
        body=own_body(body),
    )
    if resume is not None:
        conversation.reply(f'/resume "{resume}"')
    answer = talk if at_terminal else answer_lines
    raise typer.Exit(answer(conversation, verbose=verbose))
