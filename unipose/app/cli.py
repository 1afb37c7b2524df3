"""The `unipose` command: one word per thing that can be asked. Heavy imports wait for the work."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unipose.app.options import (
    Adapters,
    AsJson,
    Asked,
    At,
    AtB,
    BodyFile,
    Device,
    Dtype,
    EyesOption,
    Fps,
    Frame,
    FrameB,
    ModelFolder,
    NpzLayout,
    Out,
    Person,
    Photo,
    PoseFile,
    ShownFile,
    Skeleton,
    Text,
    Up,
)
from unipose.app.serve_command import serve
from unipose.app.server.work_progress import PROGRESS_FILE, told_in_file
from unipose.app.web_command import web
from unipose.app.wording import HARDLY_MOVED, WELCOME, printable, problem_in_words
from unipose.errors import FileNote, PoseQueryError, UniPoseError
from unipose.file_signatures import FILM_ENDINGS, check_file, is_film

app = typer.Typer(
    name="unipose",
    help="Talk with a computer about 3D human pose.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def describe(
    file: ShownFile,
    at: At = None,
    frame: Frame = None,
    fps: Fps = None,
    up: Up = None,
    skeleton: Skeleton = None,
    person: Person = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    eyes: EyesOption = "auto",
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Say a pose, or the pose of a person in a photo, in words."""
    check_file(file, photos=True)
    from unipose.app.pose_input import ReadOptions, own_body, read_shown

    reading = ReadOptions(at=at, frame=frame, fps=fps, up=up, skeleton=skeleton, person=person)
    shown = read_shown(file, reading, own_body(body))
    from unipose.app import sources

    text = sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes).describe(shown)
    _answer(text, as_json, file=str(file), at=at, frame=frame, text=text)


@app.command()
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
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    eyes: EyesOption = "auto",
    device: Device = "cpu",
    dtype: Dtype = "float32",
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
        part_seen,
        write,
    )

    if picture is not None:
        check_drawn(picture, image)

    shape, pixels = own_body(body), open_photo(image)
    from unipose.app import sources

    asked: dict[str, object] = {"box": box, "who": who}
    if detector is None:
        assistant = sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes)
        person = assistant.estimate_person(pixels, box=box, who=who)
        asked["eyes"] = "own" if person.keypoints is None else "photo"
        assert person.pose is not None
        pose = person.pose
        if (partly := part_seen(person)) is not None:
            print(f"note: {partly}", file=sys.stderr)
        if picture is not None:
            draw_reading(pixels, person, picture)
    else:
        boxes = sources.load_detector(detector).find(pixels)
        assistant = sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes)
        pose = assistant.estimate_people(pixels, boxes)
        asked["boxes"] = boxes
    if out.suffix.lower() not in KEEP_PLACE:
        pose = replace(pose, translation=None)
    files = write(pose, out, shape) + ([] if picture is None else [str(picture)])
    _answer("\n".join(files), as_json, file=str(image), **asked, files=files)


@app.command()
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
            help="What was found, drawn on the photo (of a folder: a folder).",
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
    from unipose.files.keypoint_files import write_people

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
    with _told_when_stopped(f"{out} holds what was found until then"):
        count = len(paths) if reader is None else reader.count
        for one in _progress(found, count, "keypoints"):
            images.append(one)
    shown = finder.finder.keypoint_set
    openpose = shown.name.startswith("openpose") and len(images) == 1
    write_people(images, out, "openpose" if openpose else "coco")
    people = sum(len(one.people) for one in images)
    plain = f"{out}: people {people}, pictures {len(images)}" if people else "nobody was found"
    _answer(
        plain,
        as_json,
        file=str(image),
        people=people,
        pictures=len(images),
        keypoint_set=shown.name,
        failed=[str(error) for error in finder.failed],
        files=[str(out)],
    )


@app.command()
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
    fps: Fps = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """Lift 2D keypoints of any detector to 3D joints, and to poses of the body."""
    from unipose.app.keypoint_lifting import draw_lifted, lift_people, save_lifted
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
    _answer("\n".join(files), as_json, file=str(keypoints), poses=len(lifted.joints), files=files)


@app.command()
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
    motions = track_film(reader, LandmarkEstimator(), config, _progress)
    files = [str(file) for file in save_motions(motions, out, shape)]
    if overlay is not None:
        draw_film(reader, motions, overlay, load_body(), _progress)
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
    _answer(
        "\n".join([*lines, *files[len(lines) :]]),
        as_json,
        file=str(film),
        motions=people,
        files=files,
    )


@app.command()
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
    from unipose.files.film import open_film

    asked = AdaptationRequest(
        out=out, keypoints=keypoints, true_keypoints=true_keypoints, labels=labels, ask=ask,
        model=model, samples=samples, clip=clip, least_clip=least_clip, mode=mode, network=network,
        layout=layout, motion_clip=motion_clip, truth=truth, body=body, device=device, seed=seed,
    )  # fmt: skip
    adaptation = prepare(asked, _progress)
    reader = open_film(film, fps=fps)
    report = adaptation.run(reader, follow_people(reader, keypoints, _progress))
    lines = [f"{out}: keypoints {report['keypoints']}, labels by {report['labels']}"]
    for row in report["people"]:
        if "failed" in row:
            lines.append(f"person {row['person']}: {row['failed']}")
            continue
        lines.append(
            f"person {row['person']}: frames {row['first_frame']} to "
            f"{row['first_frame'] + row['frames'] - 1}, {row['ms_per_frame']:.0f} ms a frame, "
            f"labels {row['labelling_ms_per_frame']:.0f} ms"
        )
        if "pa_mpjpe_mm" in row["after"]:
            lines.append(
                f"  PA-MPJPE {row['before']['pa_mpjpe_mm']:.1f} -> "
                f"{row['after']['pa_mpjpe_mm']:.1f} mm"
            )
    _answer("\n".join(lines), as_json, **report)


@app.command()
def generate(
    text: Text,
    out: Out,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same pose.")
    ] = None,
    samples: Annotated[int, typer.Option(min=1, max=1000, help="How many poses to make.")] = 1,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Make a pose from words; several share one .npz, .json or .png, or are OUT-1, OUT-2."""
    from unipose.app import sources
    from unipose.app.pose_input import own_body, write

    shape = own_body(body)
    poses = sources.load_assistant(model, device=device, dtype=dtype).generate(
        text, seed=seed, samples=samples
    )
    files = write(poses, out, shape)
    _answer("\n".join(files), as_json, text=text, seed=seed, files=files)


@app.command()
def edit(
    file: PoseFile,
    text: Text,
    out: Out,
    at: At = None,
    frame: Frame = None,
    fps: Fps = None,
    up: Up = None,
    skeleton: Skeleton = None,
    person: Person = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Change a pose as the words say."""
    check_file(file)
    from unipose.app.pose_input import ReadOptions, own_body, read_one, write

    shape = own_body(body)
    reading = ReadOptions(at=at, frame=frame, fps=fps, up=up, skeleton=skeleton, person=person)
    pose = read_one(file, reading, shape)
    from unipose.app import sources
    from unipose.app.pose_changes import hardly_moved

    edited = sources.load_assistant(model, device=device, dtype=dtype).edit(pose, text)
    files = write(edited, out, shape)
    moved = not hardly_moved(pose, edited)
    _answer("\n".join(files), as_json, file=str(file), at=at, text=text, files=files, moved=moved)
    if not moved:
        typer.echo(f"note: {HARDLY_MOVED}", err=True)


@app.command()
def compare(
    first: ShownFile,
    second: ShownFile,
    at: At = None,
    at_b: AtB = None,
    frame: Frame = None,
    frame_b: FrameB = None,
    fps: Fps = None,
    up: Up = None,
    skeleton: Skeleton = None,
    person: Person = None,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="OUT.png", help="Both, and what moved, side by side."),
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    eyes: EyesOption = "auto",
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Say what changes from the first pose to the second, or from photo to photo."""
    for file in (first, second):
        check_file(file, photos=True)
    from unipose.app.pose_input import (
        ReadOptions,
        check_drawn,
        draw_changes,
        own_body,
        read_shown,
    )

    if picture is not None:
        check_drawn(picture, first)
        check_drawn(picture, second)
    shape = own_body(body)
    of_first = ReadOptions(at=at, frame=frame, fps=fps, up=up, skeleton=skeleton, person=person)
    of_second = replace(of_first, at=at_b, frame=frame_b)
    both = read_shown(first, of_first, shape), read_shown(second, of_second, shape)
    from unipose.app import sources
    from unipose.body.pose import Pose

    assistant = sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes)
    text = assistant.compare(*both)
    drawn = {}
    if picture is not None:
        before, after = (one if isinstance(one, Pose) else assistant.estimate(one) for one in both)
        draw_changes(before, after, picture, shape)
        drawn = {"picture": str(picture)}
    _answer(text, as_json, files=[str(first), str(second)], at=at, at_b=at_b, text=text, **drawn)


@app.command()
def ask(
    files: Asked,
    at: At = None,
    frame: Frame = None,
    fps: Fps = None,
    up: Up = None,
    skeleton: Skeleton = None,
    person: Person = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    adapters: Adapters = None,
    eyes: EyesOption = "auto",
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Answer a question about a pose, two poses, a recording or a photo."""
    *names, question = files
    if not 1 <= len(names) <= 2:
        raise PoseQueryError(
            "expected one or two files and then the question, such as: "
            'unipose ask walk.bvh "is the left knee bent?"; '
            f"got {len(names)} files before {question[:60]!r}"
        )
    for name in names:
        check_file(Path(name), photos=True)
    from unipose.app.pose_input import ReadOptions, own_body, read_asked

    shape = own_body(body)
    reading = ReadOptions(at=at, frame=frame, fps=fps, up=up, skeleton=skeleton, person=person)
    shown = [read_asked(Path(name), reading, shape) for name in names]
    from unipose.app import sources

    assistant = sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes)
    assistant.speaker = sources.load_speaker(adapters, device=device)
    answered = assistant.answer_fully(question, *shown)
    found = answered.finding
    measured = (
        {} if found is None else {"value": found.value, "unit": found.unit, "why": found.evidence}
    )
    _answer(
        answered.text, as_json, files=names, at=at, question=question, text=answered.text,
        sure=answered.sure, calls=[str(made.call) for made in answered.calls], **measured,
    )  # fmt: skip


@app.command()
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
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
) -> None:
    """Make people's poses agree with which of their parts touch (ProsePose)."""
    from unipose.app.pose_input import own_body
    from unipose.file_signatures import is_photo

    photos = len(files) == 1 and (files[0].is_dir() or is_photo(files[0]))
    if files[0].is_dir() or photos:
        if not files[0].is_dir():
            check_file(files[0], photos=True, poses=False)
    else:
        for file in files:
            check_file(file)
    from unipose.app.contact_refining import Asking, PhotoRefining
    from unipose.body.body import load_body
    from unipose.contact.pose_prior import MaxMixture
    from unipose.contact.refining import ContactRefiner
    from unipose.vision.landmark_estimator import LandmarkEstimator

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
        track=_progress,
    )
    result = work.photos(files[0]) if photos else work.poses(files, person or [])
    fell_back = [one.before.image for one in result.refined if one.fell_back]
    lines = [*result.written]
    if result.kept:
        lines.append(f"{result.kept} results were there already")
    if fell_back:
        lines.append(f"{len(fell_back)} of {len(result.refined)} without contacts to go by")
    _answer(
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
    )


@app.command()
def convert(
    file: PoseFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to, in which format.")],
    layout: NpzLayout = None,
    at: At = None,
    frame: Frame = None,
    fps: Fps = None,
    up: Up = None,
    skeleton: Skeleton = None,
    person: Person = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """Write a pose file in another format."""
    check_file(file)
    from unipose.app.pose_input import ReadOptions, own_body, save_pose

    shape = own_body(body)
    reading = ReadOptions(at=at, frame=frame, fps=fps, up=up, skeleton=skeleton, person=person)
    written = save_pose(reading.open(file, shape), out, body=shape, layout=layout)
    _answer(str(written), as_json, file=str(file), at=at, frame=frame, files=[str(written)])


@app.command()
def poses(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FAMILY]", help="A pose, or a family such as yoga."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="OUT", help="Write the pose: .npz .json .bvh .png ..."),
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """List the named poses, say how people call one, or write it to a file."""
    from unipose.posecodes.named_poses import NamedPoses

    named = NamedPoses.load()
    if name is None or (name in named.families and out is None):
        shown = {k: v for k, v in named.families.items() if name in (None, k)}
        lines = [f"{family}: {', '.join(names)}" for family, names in shown.items()]
        _answer("\n".join(lines), as_json, families=shown)
        return
    found = named.find(name)
    said = [*named.wordings(found, "train"), *named.wordings(found, "test")]
    files: list[str] = []
    if out is not None:
        from unipose.app.pose_input import own_body, write

        files = write(named.centre(found), out, own_body(body))
    _answer("\n".join(files or [found, *said]), as_json, name=found, wordings=said, files=files)


@app.command()
def chat(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Show the calls that the language model makes.")
    ] = False,
    resume: Annotated[
        Path | None,
        typer.Option("--resume", metavar="FILE", help="Go on with a conversation that was kept."),
    ] = None,
    body: BodyFile = None,
    model: ModelFolder = None,
    adapters: Adapters = None,
    eyes: EyesOption = "auto",
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Talk about poses in the terminal; from a pipe, answer line by line."""
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        print(WELCOME, flush=True)  # something to read while the imports below take their second
    from unipose.app import sources
    from unipose.app.conversation import Conversation
    from unipose.app.pose_input import own_body
    from unipose.app.terminal import answer_lines, talk

    conversation = Conversation(
        lambda: sources.load_assistant(model, device=device, dtype=dtype, eyes=eyes),
        lambda: sources.load_speaker(adapters, device=device),
        body=own_body(body),
    )
    if resume is not None:
        conversation.reply(f'/resume "{resume}"')
    answer = talk if at_terminal else answer_lines
    raise typer.Exit(answer(conversation, verbose=verbose))


app.command()(web)
app.command()(serve)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Check that everything needed is installed and works."""
    from unipose.app.doctor import examine

    findings = examine()
    lines = [f"{'ok  ' if f.good else 'FAIL'}  {f.what}: {f.found}" for f in findings]
    healthy = all(finding.good for finding in findings)
    _answer(
        "\n".join(lines),
        as_json,
        healthy=healthy,
        findings=[{"what": f.what, "good": f.good, "found": f.found} for f in findings],
    )
    raise typer.Exit(0 if healthy else 1)


@app.command()
def version(as_json: AsJson = False) -> None:
    """Print the version."""
    from importlib.metadata import version as version_of

    _answer(f"unipose {version_of('unipose')}", as_json, version=version_of("unipose"))


def _progress(items: Iterable[Any], count: int | None, description: str) -> Iterable[Any]:
    """Give the items with a bar for as long as somebody watches and there is more than one.

    A server that runs the command reads how far it is from a file that it names.
    """
    if PROGRESS_FILE in os.environ:
        return told_in_file(items, count, description, Path(os.environ[PROGRESS_FILE]))
    if count == 1:
        return items
    from rich.console import Console
    from rich.progress import track

    return track(items, description, total=count, console=Console(stderr=True), transient=True)


@contextmanager
def _told_when_stopped(what: str) -> Iterator[None]:
    """Let Ctrl-C end what is done with a note, and go on with what there is."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"note: stopped; {what}", file=sys.stderr)


def _answer(plain: str, as_json: bool, **fields: object) -> None:
    print(json.dumps(fields, ensure_ascii=False) if as_json else plain)


@contextmanager
def notes_printed() -> Iterator[None]:
    """Print what readers of files assumed or left out as lines that begin with `note:`."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", FileNote)
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if issubclass(category, FileNote):
                print(f"note: {printable(str(message))}", file=sys.stderr)
            else:
                usual(message, category, *place)

        warnings.showwarning = show
        yield


def main() -> None:
    """Run the command; a problem that unipose knows is one line on standard error, status 2."""
    try:
        with notes_printed():
            app()
    except (UniPoseError, OSError) as error:
        if isinstance(error, BrokenPipeError):  # whoever read our output has left
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        print(f"error: {problem_in_words(error)}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
