"""`unipose keypoints`: find everybody in photos: 2D keypoints with scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from unipose.app.command_output import noted_when_stopped, print_answer, with_progress
from unipose.app.options import AsJson
from unipose.errors import PoseQueryError
from unipose.file_signatures import check_file, is_film


def keypoints(
    image: Annotated[
        Path,
        typer.Argument(
            metavar="IMAGE|FOLDER|FILM",
            help="A photo, a folder of photos, or a film.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Where to: .json")],
    keypoint_set: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="NAME",
            help="coco17 (of blazepose), openpose25, wholebody133 ...; else the network's own.",
        ),
    ] = None,
    model: Annotated[
        Literal["blazepose", "cigpose", "rtmpose"],
        typer.Option("--model", metavar="NAME", help="blazepose, cigpose or rtmpose."),
    ] = "blazepose",
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="PATH",
            help="Of cigpose or rtmpose: a .pth, an .onnx, or a folder that was trained.",
        ),
    ] = None,
    engine: Annotated[
        Literal["torch", "onnx"],
        typer.Option("--engine", metavar="NAME", help="What runs them: torch or onnx."),
    ] = "torch",
    flip_test: Annotated[
        bool,
        typer.Option(
            "--flip/--no-flip", help="Look at cigpose's and rtmpose's crops both ways round."
        ),
    ] = True,
    boxes: Annotated[
        str | None,
        typer.Option(
            "--boxes",
            metavar="FILE|whole|DETECTOR.onnx",
            help="People's boxes: a file in COCO's layout, whole (the picture is one person's), or "
            "what a YOLOX or RTMDet finds.",
        ),
    ] = None,
    box_score: Annotated[
        float,
        typer.Option(
            "--box-score",
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="How sure a detector has to be of a box.",
        ),
    ] = 0.3,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            metavar="NAME",
            help="Another detector of people: Hugging Face's, by folder or name.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="OUT.png",
            help="What was found, drawn on the photo (of a folder: a folder; of a film: OUT.mp4).",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find everybody in photos: 2D keypoints with scores, as COCO or OpenPose writes them."""
    from unipose.app.keypoint_finders import open_finder
    from unipose.app.photo_keypoints import PhotoKeypoints, photos_in, read_boxes
    from unipose.app.pose_input import check_drawn, refuse_own
    from unipose.body.keypoint_sets import keypoint_set as set_of
    from unipose.files.film import open_film
    from unipose.files.keypoint_writing import write_people

    film, whole = is_film(image), boxes == "whole"
    onnx_boxes = boxes is not None and boxes.lower().endswith(".onnx")
    if film and ((boxes is not None and not whole and not onnx_boxes) or detector is not None):
        raise PoseQueryError("--boxes FILE and --detector are for photos, not for a film")
    if boxes is not None and detector is not None:
        raise PoseQueryError("--boxes says where people are; leave out --detector")
    if not image.is_dir():
        check_file(image, photos=True, poses=False)
    refuse_own(out, image)
    if picture is not None and image.is_dir():
        refuse_own(picture, image)
    elif picture is not None:
        check_drawn(picture, image, ending=".mp4" if film else "")
    paths, wanted = photos_in(image), None if keypoint_set is None else set_of(keypoint_set)
    given = None if boxes is None or whole or onnx_boxes else read_boxes(Path(boxes))
    find_boxes = None
    if detector is not None:
        from unipose.app import sources

        find_boxes = sources.load_detector(detector).find
    reader = open_film(image) if film else None
    detects = not whole and given is None and find_boxes is None
    finder = PhotoKeypoints(
        finder=open_finder(
            model,
            wanted,
            weights=weights,
            onnx=engine == "onnx",
            flip_test=flip_test,
            detects=detects,
            detector=Path(boxes) if boxes is not None and onnx_boxes else None,
            box_score=box_score,
        ),
        boxes=given,
        whole=whole,
        find_boxes=find_boxes,
        picture=None if image.is_dir() else picture,
        pictures=picture if image.is_dir() else None,
    )
    found = finder.find(paths) if reader is None else finder.find_in_film(reader)
    images = []
    with noted_when_stopped(f"{out} holds what was found until then"):
        count = len(paths) if reader is None else reader.count
        for one in with_progress(found, count, "keypoints"):
            images.append(one)
    shown = finder.finder.keypoint_set
    openpose = shown.name.startswith("openpose") and len(images) == 1
    write_people(images, out, "openpose" if openpose else "coco")
    people = sum(len(one.people) for one in images)
    plain = f"{out}: people {people}, pictures {len(images)}" if people else "nobody was found"
    print_answer(
        plain,
        as_json,
        file=str(image),
        people=people,
        pictures=len(images),
        keypoint_set=shown.name,
        failed=[str(error) for error in finder.failed],
        files=[str(out)],
    )
