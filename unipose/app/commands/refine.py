"""`unipose refine`: make people's poses agree with which of their parts touch (ProsePose)."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from unipose.app.command_output import print_answer, with_progress
from unipose.app.options import AsJson, BodyFile, Device, ModelFolder
from unipose.app.wording import OWN_CONTACTS_GUESSED
from unipose.file_signatures import check_file, is_photo


def refine(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE|FOLDER|POSES",
            help="A photo, a folder of photos, or pose files of the people.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Folder of the results.")],
    contacts: Annotated[
        Path | None,
        typer.Option("--contacts", metavar="FILE", help="What touches: a .json (docs/contact.md)."),
    ] = None,
    asked: Annotated[
        str | None,
        typer.Option(
            "--ask",
            metavar="mini|MODEL@URL",
            help="Who says what touches: our own model, or one at an OpenAI-compatible address.",
        ),
    ] = None,
    people: Annotated[int, typer.Option("--people", min=1, max=2, help="1 or 2.")] = 2,
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="Answers that are asked for.")
    ] = 20,
    threshold: Annotated[
        int | None,
        typer.Option(
            "--votes",
            min=1,
            help="A contact counts if so many answers name it; else 1, of one person half of them.",
        ),
    ] = None,
    most_empty: Annotated[
        int | None,
        typer.Option("--most-empty", min=1, help="So many empty answers, and none is believed."),
    ] = None,
    focal: Annotated[
        float | None,
        typer.Option("--focal", metavar="PX", help="Focal length; else the lens sees 60 degrees."),
    ] = None,
    ground: Annotated[
        float | None,
        typer.Option("--ground", metavar="Y", help="Height of the floor, for contacts with it."),
    ] = None,
    prior: Annotated[
        Path | None,
        typer.Option("--prior", metavar="FILE", help="Another pose prior: SMPLify's gmm_08.pkl."),
    ] = None,
    person: Annotated[
        list[str] | None,
        typer.Option("--person", metavar="ID", help="Whose poses of a file; twice for two people."),
    ] = None,
    questions: Annotated[
        list[str] | None,
        typer.Option(
            "--question", metavar="TEXT", help="About each pose, before and after; may repeat."
        ),
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
) -> None:
    """Make people's poses agree with which of their parts touch (ProsePose)."""
    photos = len(files) == 1 and (files[0].is_dir() or is_photo(files[0]))
    if files[0].is_dir() or photos:
        if not files[0].is_dir():
            check_file(files[0], photos=True, poses=False)
    else:
        for file in files:
            check_file(file)
    from unipose.app.contact_refining import OWN, Asking, PhotoRefining
    from unipose.app.pose_input import own_body
    from unipose.body.body import load_body
    from unipose.contact.pose_prior import MaxMixture
    from unipose.contact.refining import ContactRefiner
    from unipose.vision.landmark_estimator import LandmarkEstimator

    @cache
    def load_own() -> Any:
        from unipose.app import sources

        return sources.load_assistant(model, device=device, eyes="own")

    refiner = ContactRefiner(
        body=(own_body(body) or load_body()).to(device),
        prior=MaxMixture.load(prior),
        threshold=threshold,
        most_empty=most_empty,
        ground=ground,
    )
    work = PhotoRefining(
        refiner=refiner,
        people=people,
        out=out,
        contacts=contacts,
        asking=None if asked is None else Asking(who=asked, samples=samples),
        focal_px=focal,
        load_own=load_own,
        estimator=LandmarkEstimator,
        track=with_progress,
    )
    result = work.photos(files[0]) if photos else work.poses(files, person or [])
    fell_back = [one.before.image for one in result.refined if one.fell_back]
    answers = []
    if questions:
        from unipose.app import sources
        from unipose.app.photo_keypoints import photos_in
        from unipose.app.refined_answers import answer_refined

        answerer = load_own()
        answerer.speaker = sources.load_speaker(None, device=device)
        images = [path.name for path in (photos_in(files[0]) if photos else files[:1])]
        answers = answer_refined(out, images, questions, answerer, refiner.body)
    lines = [*result.written]
    if result.kept:
        lines.append(f"{result.kept} results were there already")
    if fell_back:
        lines.append(f"{len(fell_back)} of {len(result.refined)} without contacts to go by")
    alone = len({(one.image, one.person) for one in answers}) == 1
    lines += [one.told(alone=alone) for one in answers]
    guessed = OWN_CONTACTS_GUESSED.format(file=out / "contacts.json") if asked == OWN else None
    if guessed:
        lines.append(f"note: {guessed}")
    print_answer(
        "\n".join(lines),
        as_json,
        files=result.written,
        refined=[
            {
                "image": one.before.image,
                "fell_back": one.fell_back,
                "contact_before_m": one.contact_before_m,
                "contact_after_m": one.contact_after_m,
            }
            for one in result.refined
        ],
        kept=result.kept,
        failed=result.failed,
        answers=[asdict(one) for one in answers],
        note=guessed,
    )
