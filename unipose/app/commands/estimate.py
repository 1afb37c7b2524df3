"""`unipose estimate`: read the pose of one person off a photo, or of everybody."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, Out, Photo, SeeingModelOptions
from unipose.errors import PoseQueryError
from unipose.file_signatures import check_file


def estimate(
    image: Photo,
    out: Out,
    box: Annotated[
        tuple[float, float, float, float] | None,
        typer.Option("--box", metavar="LEFT TOP RIGHT BOTTOM", help="Around the person, pixels."),
    ] = None,
    who: Annotated[
        str | None, typer.Option("--who", metavar="TEXT", help='"the person on the left"')
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Everybody, found by this Hugging Face object detector (folder or name).",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="OUT.png",
            help="The photo with what was seen, and with the body over it.",
        ),
    ] = None,
    *,
    as_json: AsJson = False,
    body: BodyFile = None,
    models: SeeingModelOptions,
) -> None:
    """Read the pose of a person off a photo; of several people as `generate` writes several.

    An .npz or .json also holds where the camera sees them; elsewhere the body stands at the origin.
    """
    check_file(image, photos=True, poses=False)
    if detector is not None and (box is not None or who is not None):
        raise PoseQueryError("--detector finds everybody; leave out --box and --who")
    if detector is not None and picture is not None:
        raise PoseQueryError("--picture shows one person; leave out --detector")
    from unipose.app.pose_input import (
        KEEP_PLACE,
        check_drawn,
        draw_reading,
        open_photo,
        own_body,
        write,
    )
    from unipose.files import check_written

    check_written(out)
    if picture is not None:
        check_drawn(picture, image)
    shape, pixels = own_body(body), open_photo(image)
    asked: dict[str, object] = {"box": box, "who": who}
    if detector is None:
        assistant = models.load_assistant()
        person = assistant.estimate_person(pixels, box=box, who=who)
        asked["eyes"] = "own" if person.keypoints is None else "photo"
        assert person.pose is not None
        pose = person.pose
        if picture is not None:
            draw_reading(pixels, person, picture)
    else:
        from unipose.app import sources

        boxes = sources.load_detector(detector).find(pixels)
        assistant = models.load_assistant()
        pose = assistant.estimate_people(pixels, boxes)
        asked["boxes"] = boxes
    if out.suffix.lower() not in KEEP_PLACE:
        pose = replace(pose, translation=None)
    files = write(pose, out, shape) + ([] if picture is None else [str(picture)])
    print_answer("\n".join(files), as_json, file=str(image), **asked, files=files)
