"""The options of the `unipose` command, by what they mean; light to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from unipose.file_signatures import PHOTO_ENDINGS, POSE_ENDINGS

_POSES = f"A pose: {' '.join(POSE_ENDINGS)}"
_PHOTOS = " ".join(PHOTO_ENDINGS)

PoseFile = Annotated[Path, typer.Argument(metavar="FILE", help=_POSES, show_default=False)]
ShownFile = Annotated[
    Path,
    typer.Argument(metavar="FILE", help=f"{_POSES}, or a photo: {_PHOTOS}", show_default=False),
]
Photo = Annotated[
    Path, typer.Argument(metavar="IMAGE", help=f"A photo: {_PHOTOS}", show_default=False)
]
Asked = Annotated[
    list[str],
    typer.Argument(
        metavar='FILE... "QUESTION"',
        help=f"One or two poses ({' '.join(POSE_ENDINGS)}) or photos, then the question.",
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
AtB = Annotated[
    float | None, typer.Option("--at-b", metavar="SECONDS", help="Which pose of the second.")
]
Frame = Annotated[
    int | None, typer.Option("--frame", metavar="N", min=0, help="Which pose, by number from 0.")
]
FrameB = Annotated[
    int | None, typer.Option("--frame-b", metavar="N", min=0, help="Which of the second.")
]
Blend = Annotated[
    int,
    typer.Option(
        "--blend", metavar="N", min=0, help="From .bvh to .bvh: so many frames ease in, and out."
    ),
]
LeastTurn = Annotated[
    float,
    typer.Option(
        "--least",
        metavar="DEGREES",
        min=0,
        help="From .bvh to .bvh: joints that would turn by less stay.",
    ),
]
ComparisonPicture = Annotated[
    Path | None,
    typer.Option(
        "--picture", metavar="OUT.png", help="From .bvh to .bvh: its skeleton before and after."
    ),
]
Fps = Annotated[
    float | None,
    typer.Option("--fps", metavar="N", help="Poses per second, whatever the file says."),
]
Up = Annotated[
    str | None, typer.Option("--up", metavar="AXIS", help="Which axis of the file is up: y z -y.")
]
Skeleton = Annotated[
    Path | None,
    typer.Option(
        "--skeleton", metavar="MAP", help="Which joints of a .bvh or .amc are SMPL's (.json)."
    ),
]
Person = Annotated[
    str | None, typer.Option("--person", metavar="ID", help="Whose poses, if there are several.")
]
NpzLayout = Annotated[
    str | None,
    typer.Option("--layout", metavar="NAME", help="Names within an .npz: smpl (usual) or amass."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
BodyFile = Annotated[
    Path | None,
    typer.Option("--body", metavar="FILE", help="Your own SMPL, SMPL-H or SMPL-X file."),
]
ModelFolder = Annotated[
    Path | None,
    typer.Option("--model", metavar="NAME", help="A model's folder; or mini (usual), smol."),
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
    str | None,
    typer.Option("--dtype", metavar="DTYPE", help="Of the weights: float32 bfloat16 float16"),
]
EyesOption = Annotated[
    Literal["auto", "photo", "own"],
    typer.Option(
        "--eyes",
        metavar="WHICH",
        help="That poses are read off pictures with: photo, own (the model's), auto.",
    ),
]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How a pose file is to be read."""

    at: At = None
    frame: Frame = None
    fps: Fps = None
    up: Up = None
    skeleton: Skeleton = None
    person: Person = None


@dataclass(frozen=True, kw_only=True)
class RecordingEditOptions:
    """How a recording is changed that is written on its own skeleton."""

    blend: Blend = 0
    least: LeastTurn = 15.0
    picture: ComparisonPicture = None


@dataclass(frozen=True, kw_only=True)
class PoseModelOptions:
    """Which pose model is asked, and where it computes."""

    model: ModelFolder = None
    device: Device = "cpu"
    dtype: Dtype = None

    def load_assistant(self) -> Any:
        """Return the `UniPose` that is asked. Raises as `UniPose.load`."""
        from unipose.app import sources

        return sources.load_assistant(self.model, device=self.device, dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class SeeingModelOptions(PoseModelOptions):
    """Which pose model is asked, and with which eyes."""

    eyes: EyesOption = "auto"

    def load_assistant(self) -> Any:
        """Return the `UniPose` that is asked. Raises as `UniPose.load`."""
        from unipose.app import sources

        return sources.load_assistant(
            self.model, device=self.device, dtype=self.dtype, eyes=self.eyes
        )


@dataclass(frozen=True, kw_only=True)
class ConversationModelOptions(SeeingModelOptions):
    """Which pose model is asked, and which language model understands the question."""

    adapters: Adapters = None

    def load_speaker(self) -> Any:
        """Return the conversation model. Raises as `ConversationModel.load`."""
        from unipose.app import sources

        return sources.load_speaker(self.adapters, device=self.device)
