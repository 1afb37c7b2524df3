"""The `unipose` command: one word per thing that can be asked. Heavy imports wait for the work."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from unipose.app.wording import HARDLY_MOVED, WELCOME, problem_in_words
from unipose.errors import PoseQueryError, UniPoseError

app = typer.Typer(
    name="unipose",
    help="Talk with a computer about 3D human pose.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

PoseFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help="A pose: .npz .json .npy .bvh .amc", show_default=False),
]
ShownFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="A pose: .npz .json .npy .bvh .amc, or a photo: .jpg .png .webp",
        show_default=False,
    ),
]
Out = Annotated[
    Path,
    typer.Option(
        "--out", "-o", metavar="OUT", help="Where to: .npz .json .bvh .glb .obj .png .gif .mp4"
    ),
]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is wanted, in plain English.")]
At = Annotated[
    float | None, typer.Option("--at", metavar="SECONDS", help="Which pose of a recording.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BodyFile = Annotated[
    Path | None,
    typer.Option("--body", metavar="FILE", help="Your own SMPL, SMPL-H or SMPL-X file."),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option("--model", metavar="FOLDER", help="Another model than the embedded one."),
]
Adapters = Annotated[
    Path | None,
    typer.Option(
        "--adapters", metavar="FOLDER", help="Another conversation model (train.converse)."
    ),
]
Device = Annotated[
    str,
    typer.Option("--device", metavar="DEVICE", help="Where to compute: cpu, cuda, cuda:1, mps."),
]
Dtype = Annotated[
    str, typer.Option("--dtype", metavar="DTYPE", help="Of the weights: float32 bfloat16 float16")
]


@app.command()
def describe(
    file: ShownFile,
    at: At = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Say a pose, or the pose of a person in a photo, in words."""
    from unipose.app import sources

    shown = sources.read_shown(file, at, sources.own_body(body))
    text = sources.load_assistant(model, device=device, dtype=dtype).describe(shown)
    _answer(text, as_json, file=str(file), at=at, text=text)


@app.command()
def estimate(
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="A photo: .jpg .png .webp", show_default=False)
    ],
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
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Read the pose of a person off a photo; of several people as `generate` writes several."""
    from unipose.app import sources

    shape = sources.own_body(body)
    asked: dict[str, object] = {"box": box, "who": who}
    if detector is None:
        pose = sources.load_assistant(model, device=device, dtype=dtype).estimate(
            image, box=box, who=who
        )
    else:
        if box is not None or who is not None:
            raise PoseQueryError("--detector finds everybody; leave out --box and --who")
        boxes = sources.find_people(image, detector)
        pose = sources.load_assistant(model, device=device, dtype=dtype).estimate_people(
            image, boxes
        )
        asked["boxes"] = boxes
    files = sources.write(pose, out, shape)
    _answer("\n".join(files), as_json, file=str(image), **asked, files=files)


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

    shape = sources.own_body(body)
    poses = sources.load_assistant(model, device=device, dtype=dtype).generate(
        text, seed=seed, samples=samples
    )
    files = sources.write(poses, out, shape)
    _answer("\n".join(files), as_json, text=text, seed=seed, files=files)


@app.command()
def edit(
    file: PoseFile,
    text: Text,
    out: Out,
    at: At = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Change a pose as the words say."""
    from unipose.app import sources
    from unipose.app.pose_actions import hardly_moved

    shape = sources.own_body(body)
    pose = sources.read_one(file, at, shape)
    edited = sources.load_assistant(model, device=device, dtype=dtype).edit(pose, text)
    files = sources.write(edited, out, shape)
    moved = not hardly_moved(pose, edited)
    _answer("\n".join(files), as_json, file=str(file), at=at, text=text, files=files, moved=moved)
    if not moved:
        typer.echo(f"note: {HARDLY_MOVED}", err=True)


@app.command()
def compare(
    first: ShownFile,
    second: ShownFile,
    at: At = None,
    at_b: Annotated[
        float | None, typer.Option("--at-b", metavar="SECONDS", help="Which pose of the second.")
    ] = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Say what changes from the first pose to the second, or from photo to photo."""
    from unipose.app import sources

    shape = sources.own_body(body)
    both = sources.read_shown(first, at, shape), sources.read_shown(second, at_b, shape)
    text = sources.load_assistant(model, device=device, dtype=dtype).compare(*both)
    _answer(text, as_json, files=[str(first), str(second)], at=at, at_b=at_b, text=text)


@app.command()
def ask(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar='FILE... "QUESTION"',
            help="One or two poses (.npz .json .npy .bvh .amc) or photos, then the question.",
            show_default=False,
        ),
    ],
    at: At = None,
    as_json: AsJson = False,
    body: BodyFile = None,
    model: ModelFolder = None,
    adapters: Adapters = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Answer a question about a pose, two poses, a recording or a photo."""
    from unipose.app import sources

    *names, question = files
    if not 1 <= len(names) <= 2:
        raise PoseQueryError(
            "expected one or two files and then the question, such as: "
            'unipose ask walk.bvh "is the left knee bent?"; '
            f"got {len(names)} files before {question[:60]!r}"
        )
    shape = sources.own_body(body)
    shown = [sources.read_asked(Path(name), at, shape) for name in names]
    assistant = sources.load_assistant(model, device=device, dtype=dtype)
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
def convert(
    file: PoseFile,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Where to, in which format.")],
    at: At = None,
    as_json: AsJson = False,
    body: BodyFile = None,
) -> None:
    """Write a pose file in another format."""
    from unipose.body.body import load_body
    from unipose.files import open_pose, save_pose

    shape = load_body(body) if body else None
    written = save_pose(open_pose(file, at=at, body=shape), out, body=shape)
    _answer(str(written), as_json, file=str(file), at=at, files=[str(written)])


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
    device: Device = "cpu",
    dtype: Dtype = "float32",
) -> None:
    """Talk about poses in the terminal; from a pipe, answer line by line."""
    at_terminal = sys.stdin.isatty()
    if at_terminal:
        print(WELCOME, flush=True)  # something to read while the imports below take their second
    from unipose.app import sources
    from unipose.app.conversation import Conversation
    from unipose.app.terminal import answer_lines, talk

    conversation = Conversation(
        lambda: sources.load_assistant(model, device=device, dtype=dtype),
        lambda: sources.load_speaker(adapters, device=device),
        body=sources.own_body(body),
    )
    if resume is not None:
        conversation.reply(f'/resume "{resume}"')
    answer = talk if at_terminal else answer_lines
    raise typer.Exit(answer(conversation, verbose=verbose))


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


def _answer(plain: str, as_json: bool, **fields: object) -> None:
    print(json.dumps(fields, ensure_ascii=False) if as_json else plain)


def main() -> None:
    """Run the command; a problem that unipose knows is one line on standard error, status 2."""
    try:
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
