"""Pictures of poses as files: .png (one pose, or a sheet of a sequence), .gif and .mp4 (moving)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from rich.console import Console
from rich.progress import track

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.render.drawing import contact_sheet, draw_pose, draw_sequence
from unipose.render.turntable import draw_turntable

SHEET_POSES = 24
"""At most so many poses of a sequence are drawn on a sheet, evenly spread over it."""

SMOOTH_FPS = 30.0
"""Faster recordings are drawn with every second, third ... pose, to at most this rate."""

GIF_FRAMES = 600
"""More would make a file that viewers hold in memory by the hundred megabytes."""

TURN_FRAMES, TURN_S = 60, 4.0
"""Of one pose that is seen from all around."""

SHOWN_FROM = 45
"""Sequences of so many frames show a progress bar (on a terminal)."""


def write_picture(
    pose: Pose, path: str | Path, body: Body, *, heading: float | None = None
) -> Path:
    """Draw one pose or a sequence into a .png, .gif or .mp4, picked by the ending; return the path.

    `heading` turns the camera of a .png of one pose (`unipose.render.drawing.stage_of`).

    A .png of a sequence is a sheet of up to 24 poses with their times. A moving picture lasts
    poses / fps seconds; that of one pose shows it from all around. Raises FileError if a sequence
    has no frame rate, if a .gif would be too long, or for another ending.
    """
    path = Path(path)
    match path.suffix.lower():
        case ".png":
            picture = still(pose, body, heading=heading)
            with written_whole(path) as temporary:
                Image.fromarray(picture).save(temporary, format="PNG")
        case ".gif":
            _write_gif(_moving_picture(pose, path, body, size=320), path)
        case ".mp4":
            _write_mp4(_moving_picture(pose, path, body, size=400), path)
        case _:
            raise FileError(path, "is no kind of picture we draw.", "Write .png, .gif or .mp4.")
    return path


def still(
    pose: Pose, body: Body, *, heading: float | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture of one pose, or a sheet of several."""
    if len(pose) == 1:
        return draw_pose(pose, body, size=768, heading=heading)
    chosen = torch.linspace(0, len(pose) - 1, min(len(pose), SHEET_POSES)).round().long()
    labels = [f"{i / pose.fps:.2f} s" if pose.fps else str(i + 1) for i in chosen.tolist()]
    return contact_sheet(pose[chosen], body, labels=labels, same_view=pose.fps is not None)


@dataclass(frozen=True, kw_only=True)
class _MovingPicture:
    """Pictures that are drawn one after the other."""

    frames: Iterable[UInt8[np.ndarray, "height width 3"]]
    count: int
    fps: float


def _moving_picture(pose: Pose, path: Path, body: Body, *, size: int) -> _MovingPicture:
    """Return a sequence at a rate worth drawing, or one pose from all around."""
    if len(pose) == 1:
        count, fps = TURN_FRAMES, TURN_FRAMES / TURN_S
        frames = draw_turntable(pose, body, frames=count, size=size)
    elif pose.fps is None:
        raise FileError(
            path,
            f"these {len(pose)} poses have no frame rate.",
            "Write a .png, or give their rate: --fps N (open_pose(fps=N)).",
        )
    else:
        pose = pose[:: math.ceil(pose.fps / SMOOTH_FPS - 1e-6)]
        count, fps = len(pose), pose.fps or SMOOTH_FPS
        frames = draw_sequence(pose, body, size=size)
    console = Console(stderr=True)
    shown = track(
        frames,
        total=count,
        description="drawing",
        console=console,
        transient=True,
        disable=count < SHOWN_FROM or not console.is_terminal,
    )
    return _MovingPicture(frames=shown, count=count, fps=fps)


def _write_gif(moving: _MovingPicture, path: Path) -> None:
    if moving.count > GIF_FRAMES:
        raise FileError(
            path,
            f"{moving.count} frames are too many for a .gif.",
            "Write an .mp4, or cut it first.",
        )
    frames = _with_one_palette(moving.frames)
    with written_whole(path) as temporary:
        next(frames).save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=frames,
            duration=gif_durations(moving.count, moving.fps),
            loop=0,
        )


def gif_durations(frames: int, fps: float) -> list[int]:
    """Return milliseconds per frame: whole hundredths of a second (GIF's clock) that do not drift.

    At 30 frames per second: 30, 40, 30, 30, 40, 30 ... which is 100 ms per 3 frames.
    """
    ends = np.floor(np.arange(frames + 1) / fps * 100 + 0.5).astype(int) * 10
    return np.diff(ends).tolist()


def _with_one_palette(
    frames: Iterable[UInt8[np.ndarray, "height width 3"]],
) -> Iterator[Image.Image]:
    """Give the frames in 256 colours, those of the first one, so that nothing flickers."""
    palette = None
    for frame in frames:
        picture = Image.fromarray(frame)
        if palette is None:
            palette = picture.quantize(256, dither=Image.Dither.NONE)
        yield picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _write_mp4(moving: _MovingPicture, path: Path) -> None:
    from unipose.files.film_writer import film_writer  # 0.2 s: only those who write a film wait

    with film_writer(path, fps=moving.fps) as film:
        for frame in moving.frames:
            film.add(frame)
