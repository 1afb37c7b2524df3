"""`unipose generate`: make poses from words."""

from __future__ import annotations

from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, Out, PoseModelOptions, Text
from unipose.app.wording import NOT_UNDERSTOOD


def generate(
    text: Text,
    out: Out,
    seed: Annotated[
        int | None, typer.Option(min=0, max=2**63 - 1, help="The same seed gives the same pose.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many poses to make.")] = 1,
    *,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: PoseModelOptions,
) -> None:
    """Make a pose from words; several share one .npz, .json or .png, or are OUT-1, OUT-2."""
    from unipose.app.pose_input import own_body, write
    from unipose.files import check_written

    check_written(out)
    shape = own_body(body)
    from unipose.app.pose_changes import reading_note
    from unipose.posecodes.known_words import untaught_words
    from unipose.posecodes.unheeded import request_remarks

    assistant = models.load_assistant()
    poses = assistant.generate(text, seed=seed, samples=samples)
    files = write(poses, out, shape)
    note = reading_note(text, text, assistant.likeliest)
    print_answer(
        "\n".join(files),
        as_json,
        model=assistant.maker.name,
        text=text,
        seed=seed,
        files=files,
        understood=note != NOT_UNDERSTOOD,
        untaught=untaught_words(text),
    )
    for said in [note] * bool(note) + request_remarks(text, changes=False):
        typer.echo(f"note: {said}", err=True)
