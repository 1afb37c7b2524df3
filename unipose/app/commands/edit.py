"""`unipose edit`: change a pose as the words say."""

from __future__ import annotations

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, Out, PoseFile, PoseModelOptions, ReadOptions, Text
from unipose.app.wording import HARDLY_MOVED
from unipose.file_signatures import check_file


def edit(
    file: PoseFile,
    text: Text,
    out: Out,
    *,
    reading: ReadOptions,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: PoseModelOptions,
) -> None:
    """Change a pose as the words say."""
    check_file(file)
    from unipose.app.pose_input import own_body, read_one, write

    shape = own_body(body)
    pose = read_one(file, reading, shape)
    from unipose.app.pose_changes import hardly_moved

    edited = models.load_assistant().edit(pose, text)
    files = write(edited, out, shape)
    moved = not hardly_moved(pose, edited)
    print_answer(
        "\n".join(files),
        as_json,
        file=str(file),
        at=reading.at,
        text=text,
        files=files,
        moved=moved,
    )
    if not moved:
        typer.echo(f"note: {HARDLY_MOVED}", err=True)
