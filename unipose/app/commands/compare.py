"""`unipose compare`: say what changes from the first pose to the second, or from photo to photo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import (
    AsJson,
    AtB,
    BodyFile,
    FrameB,
    ReadOptions,
    SeeingModelOptions,
    ShownFile,
)
from unipose.file_signatures import check_file


def compare(
    first: ShownFile,
    second: ShownFile,
    *,
    reading: ReadOptions,
    at_b: AtB = None,
    frame_b: FrameB = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.png", help="Both, and what moved, side by side."),
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: SeeingModelOptions,
) -> None:
    """Say what changes from the first pose to the second, or from photo to photo."""
    for file in (first, second):
        check_file(file, photos=True)
    from unipose.app.pose_input import check_drawn, draw_changes, own_body, read_shown

    if picture is not None:
        check_drawn(picture, first)
        check_drawn(picture, second)
    shape = own_body(body)
    of_second = replace(reading, at=at_b, frame=frame_b)
    both = read_shown(first, reading, shape), read_shown(second, of_second, shape)
    from unipose.assistant.request_texts import checked_answer
    from unipose.body.pose import Pose

    assistant = models.load_assistant()
    text = checked_answer(assistant.compare(*both))
    drawn = {}
    if picture is not None:
        before, after = (one if isinstance(one, Pose) else assistant.estimate(one) for one in both)
        draw_changes(before, after, picture, shape)
        drawn = {"picture": str(picture)}
    print_answer(
        text,
        as_json,
        model=assistant.name,
        files=[str(first), str(second)],
        at=reading.at,
        at_b=at_b,
        text=text,
        **drawn,
    )
