"""`unipose edit`: change a pose as the words say."""

from __future__ import annotations

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import (
    AsJson,
    BodyFile,
    Out,
    PoseFile,
    PoseModelOptions,
    ReadOptions,
    RecordingEditOptions,
    Text,
)
from unipose.app.wording import HARDLY_MOVED
from unipose.errors import PoseQueryError
from unipose.file_signatures import check_file


def edit(
    file: PoseFile,
    text: Text,
    out: Out,
    *,
    reading: ReadOptions,
    recording: RecordingEditOptions,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: PoseModelOptions,
) -> None:
    """Change a pose as the words say; from .bvh to .bvh one frame of a recording.

    Then the skeleton is the file's own, and all that is not changed stays byte for byte.
    """
    check_file(file)
    from unipose.app.pose_input import own_body, read_one, write
    from unipose.files import check_written

    check_written(out)
    shape = own_body(body)
    if file.suffix.lower() == out.suffix.lower() == ".bvh":
        from unipose.app.recording_edit import RecordingEdit

        done = RecordingEdit(
            file=file, out=out, text=text, reading=reading, options=recording, body=shape
        ).run(models.load_assistant)
        print_answer("\n".join(done.lines()), as_json, file=str(file), text=text, **done.fields())
        _say_notes(text, moved=bool(done.turned))
        return
    if recording != RecordingEditOptions():
        raise PoseQueryError("--blend, --least and --picture need a .bvh that is written as .bvh")
    pose = read_one(file, reading, shape)
    from unipose.app.pose_changes import hardly_moved

    assistant = models.load_assistant()
    edited = assistant.edit(pose, text)
    files = write(edited, out, shape)
    moved = not hardly_moved(pose, edited)
    print_answer(
        "\n".join(files),
        as_json,
        model=assistant.maker.name,
        file=str(file),
        at=reading.at,
        text=text,
        files=files,
        moved=moved,
    )
    _say_notes(text, moved=moved)


def _say_notes(text: str, *, moved: bool) -> None:
    from unipose.posecodes.unheeded import request_remarks

    for said in [HARDLY_MOVED] * (not moved) + request_remarks(text, changes=True):
        typer.echo(f"note: {said}", err=True)
