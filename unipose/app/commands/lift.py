"""`unipose lift`: lift 2D keypoints of any detector to 3D joints, and to poses of the body."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer
from unipose.app.options import AsJson, BodyFile, Device, Fps, ModelFolder, Out
from unipose.app.wording import SAID_NOTHING


def lift(
    keypoints: Annotated[
        Path,
        typer.Argument(
            metavar="KEYPOINTS",
            show_default=False,
            help="A detector's file: OpenPose, COCO, AlphaPose, MMPose, ultralytics, .npz .npy.",
        ),
    ],
    out: Out,
    keypoint_set: Annotated[
        str | None,
        typer.Option("--set", metavar="NAME", help="Whose keypoints, if the file does not tell."),
    ] = None,
    film: Annotated[
        bool,
        typer.Option("--film", help="Pictures are frames of a film with one person, in order."),
    ] = False,
    joints: Annotated[
        bool, typer.Option("--joints", help="Write the 3D joints themselves (.npz), no pose.")
    ] = False,
    lifter: Annotated[
        Path | None,
        typer.Option("--lifter", metavar="FOLDER", help="A lifter that train.lifter taught."),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", "--image", metavar="OUT.png", help="What was seen and lifted."),
    ] = None,
    described: Annotated[
        bool, typer.Option("--describe", help="Say the poses in words (of a film the first).")
    ] = False,
    fps: Fps = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
) -> None:
    """Lift 2D keypoints of any detector to 3D joints, and to poses of the body."""
    from unipose.app.keypoint_lifting import (
        describe_lifted,
        draw_lifted,
        lift_people,
        save_lifted,
    )
    from unipose.app.pose_input import check_drawn, own_body, refuse_own
    from unipose.files.keypoint_files import read_keypoint_file
    from unipose.lifting.keypoint_lifter import KeypointLifter
    from unipose.vision.keypoints_alone import KeypointsAlone

    refuse_own(out, keypoints)
    if picture is not None:
        check_drawn(picture, keypoints)
    shape = own_body(body)
    images = read_keypoint_file(keypoints, of=keypoint_set, third="score")
    network = KeypointsAlone() if lifter is None else KeypointLifter.from_pretrained(lifter)
    lifted = lift_people(images, keypoints, network, film=film, fps=fps or 30.0)
    files = save_lifted(lifted, out, shape, joints=joints)
    if picture is not None:
        draw_lifted(lifted, picture)
        files.append(str(picture))
    lines, texts = [*files], []
    if described:
        from unipose.app import sources

        assistant = sources.load_assistant(model, device=device, eyes="own")
        texts = describe_lifted(lifted, assistant)
        lines += [f"{name}: {text or SAID_NOTHING}" for name, text in texts]
    print_answer(
        "\n".join(lines),
        as_json,
        file=str(keypoints),
        poses=len(lifted.joints),
        people=[
            {"image": image, "person": number}
            for image, number in zip(lifted.images, lifted.numbers)
        ],
        files=files,
        texts=[text for _, text in texts],
    )
