"""`unipose adapt`: adapt a mesh recovery network to everybody in a film: poses before and after."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unipose.app.command_output import print_answer, with_progress
from unipose.app.options import AsJson, BodyFile, Device, Fps
from unipose.app.wording import OWN_ACTIONS_GUESSED
from unipose.file_signatures import FILM_ENDINGS, check_file


def adapt(
    film: Annotated[
        Path,
        typer.Argument(
            metavar="FILM|FRAMES",
            show_default=False,
            help=f"{' '.join(FILM_ENDINGS)}, or a folder of photos in the order of their names.",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Where to.")],
    keypoints: Annotated[
        Path | None,
        typer.Option(
            "--keypoints",
            metavar="FILE",
            help="2D keypoints of any detector, a row a frame; without it our own networks look.",
        ),
    ] = None,
    true_keypoints: Annotated[
        bool, typer.Option("--true-keypoints", help="FILE holds true ones; the report says so.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="FILE", help="Actions of segments: a corrected OUT/labels.json."
        ),
    ] = None,
    ask: Annotated[
        str | None,
        typer.Option(
            "--ask",
            metavar="self|URL",
            help="Who names the actions: our motion-text space, or an OpenAI-compatible endpoint.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The endpoint's model.")
    ] = "",
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="How often the endpoint is asked a segment.")
    ] = 3,
    clip: Annotated[
        Path | None,
        typer.Option(
            "--clip", metavar="FILE", help="CLIP ViT-B/32: labels that do not fit are not used."
        ),
    ] = None,
    least_clip: Annotated[
        float, typer.Option("--least-clip", help="Mean cosine from which a label is used.")
    ] = 0.3,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="NAME",
            help="cycleadapt, alignment, ema, fill_in, label_free. Usual: fill_in with labels, "
            "else label_free.",
        ),
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option(
            "--network",
            metavar="PATH",
            help="Which network adapts: a folder of ours, or a checkpoint (see --layout).",
        ),
    ] = None,
    layout: Annotated[
        str,
        typer.Option(
            "--layout", metavar="NAME", help="Of a checkpoint: hmr2, tokenhmr, cycleadapt."
        ),
    ] = "hmr2",
    motion_clip: Annotated[
        Path | None,
        typer.Option(
            "--motion-clip",
            metavar="FILE",
            help="MotionCLIP's checkpoint instead of our motion-text space (needs --clip).",
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option("--truth", metavar="FILE", help="True poses of all frames: errors are told."),
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(
            "--overlay", metavar="OUT.mp4", help="The film with adapted bodies, and what they do."
        ),
    ] = None,
    fps: Fps = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    device: Device = "cpu",
    seed: Annotated[int, typer.Option("--seed", help="Start value of what is drawn.")] = 0,
) -> None:
    """Adapt a mesh recovery network to everybody in a film: poses before and after."""
    if not film.is_dir():
        check_file(film, photos=True, poses=False)
    from unipose.app.adaptation_setup import AdaptationRequest, prepare
    from unipose.app.film_adaptation import follow_people
    from unipose.app.pose_input import check_drawn
    from unipose.files.film import open_film

    if overlay is not None:
        check_drawn(overlay, film, ending=".mp4")
    asked = AdaptationRequest(
        out=out, keypoints=keypoints, true_keypoints=true_keypoints, labels=labels, ask=ask,
        model=model, samples=samples, clip=clip, least_clip=least_clip, mode=mode, network=network,
        layout=layout, motion_clip=motion_clip, truth=truth, overlay=overlay, body=body,
        device=device, seed=seed,
    )  # fmt: skip
    adaptation = prepare(asked, with_progress)
    reader = open_film(film, fps=fps)
    report = adaptation.run(reader, follow_people(reader, keypoints, with_progress))
    lines = [f"{out}: keypoints {report['keypoints']}, labels by {report['labels']}"]
    for row in report["people"]:
        if "failed" in row:
            lines.append(f"person {row['person']}: {row['failed']}")
            continue
        lines.append(
            f"person {row['person']}: frames {row['first_frame']} to "
            f"{row['first_frame'] + row['frames'] - 1}, {out / row['after']['file']}"
        )
        lines += [
            f"  {one['start_s']:.1f} to {one['end_s']:.1f} s: {one['action']}"
            f"{'' if one['used'] else ' (not used)'}"
            for one in row["actions"]
        ]
        if "pa_mpjpe_mm" in row["after"]:
            lines.append(
                f"  PA-MPJPE {row['before']['pa_mpjpe_mm']:.1f} -> "
                f"{row['after']['pa_mpjpe_mm']:.1f} mm"
            )
    if overlay is not None:
        lines.append(str(overlay))
    guessed = OWN_ACTIONS_GUESSED.format(file=out / "labels.json") if ask == "self" else None
    if guessed:
        lines.append(f"note: {guessed}")
    print_answer("\n".join(lines), as_json, **report, note=guessed)
