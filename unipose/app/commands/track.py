"""`unipose track`: follow everybody through a film and write their motions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer, with_progress
from unipose.app.options import AsJson, BodyFile, Fps, Out
from unipose.errors import PoseQueryError
from unipose.file_signatures import FILM_ENDINGS, check_file


def track(
    film: Annotated[
        Path,
        typer.Argument(
            metavar="FILM",
            show_default=False,
            help=f"{' '.join(FILM_ENDINGS)}, or a folder of photos in the order of their names.",
        ),
    ],
    out: Out,
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="OUT.mp4", help="The film with bodies drawn over it."),
    ] = None,
    gap: Annotated[
        float,
        typer.Option(
            "--gap",
            metavar="SECONDS",
            min=0,
            help="Bridge gaps up to so long; 0 leaves all out.",
        ),
    ] = 0.5,
    smooth: Annotated[
        float,
        typer.Option(
            "--smooth",
            metavar="HZ",
            min=0,
            help="What trembles faster is smoothed, without delay; 0 leaves it.",
        ),
    ] = 4.0,
    fps: Fps = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """Follow everybody through a film and write their motions; several are OUT-1, OUT-2 ..."""
    if not film.is_dir():
        check_file(film, photos=True, poses=False)
    from unipose.app.film_tracking import draw_film, save_motions, track_film
    from unipose.app.pose_input import KEEP_MOTION, check_drawn, own_body, refuse_own
    from unipose.body.body import load_body
    from unipose.files.film import open_film
    from unipose.vision.film_motion import FilmMotionConfig
    from unipose.vision.landmark_estimator import LandmarkEstimator

    if out.suffix.lower() not in KEEP_MOTION:
        raise PoseQueryError(f"a motion is written as {', '.join(KEEP_MOTION)}, not as {out}")
    refuse_own(out, film)
    if overlay is not None:
        check_drawn(overlay, film, ending=".mp4")
    shape, reader = own_body(body), open_film(film, fps=fps)
    config = FilmMotionConfig(longest_gap_s=gap, cutoff_hz=smooth)
    motions = track_film(reader, LandmarkEstimator(), config, with_progress)
    files = [str(file) for file in save_motions(motions, out, shape)]
    if overlay is not None:
        draw_film(reader, motions, overlay, load_body(), with_progress)
        files.append(str(overlay))
    people = [
        {
            "person": motion.person + 1,
            "start_s": motion.start_s,
            "end_s": motion.start_s + len(motion.poses) / (motion.poses.fps or 1),
            "exchanged_frames": list(motion.exchanged),
            "file": file,
        }
        for motion, file in zip(motions, files)
    ]
    lines = [
        f"{one['file']}: person {one['person']}, {one['start_s']:.1f} to {one['end_s']:.1f} s"
        for one in people
    ]
    print_answer(
        "\n".join([*lines, *files[len(lines) :]]),
        as_json,
        file=str(film),
        motions=people,
        files=files,
    )
