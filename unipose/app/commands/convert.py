"""`unipose convert`: write a pose file in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, NpzLayout, PoseFile, ReadOptions
from unipose.file_signatures import check_file


def convert(
    file: PoseFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to, in which format.")],
    *,
    layout: NpzLayout = None,
    reading: ReadOptions,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """Write a pose file in another format."""
    check_file(file)
    from unipose.app.pose_input import own_body, read_poses, save_pose

    shape = own_body(body)
    written = save_pose(read_poses(file, reading, shape), out, body=shape, layout=layout)
    print_answer(
        str(written),
        as_json,
        file=str(file),
        at=reading.at,
        frame=reading.frame,
        files=[str(written)],
    )
