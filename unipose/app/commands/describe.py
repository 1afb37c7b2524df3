"""`unipose describe`: say a pose, or the pose of a person in a photo, in words."""

from __future__ import annotations

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, ReadOptions, SeeingModelOptions, ShownFile
from unipose.file_signatures import check_file


def describe(
    file: ShownFile,
    *,
    reading: ReadOptions,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: SeeingModelOptions,
) -> None:
    """Say a pose, or the pose of a person in a photo, in words."""
    check_file(file, photos=True)
    from unipose.app.pose_input import own_body, read_shown
    from unipose.assistant.request_texts import checked_answer

    shown = read_shown(file, reading, own_body(body))
    assistant = models.load_assistant()
    text = checked_answer(assistant.describe(shown))
    print_answer(
        text,
        as_json,
        model=assistant.name,
        file=str(file),
        at=reading.at,
        frame=reading.frame,
        text=text,
    )
