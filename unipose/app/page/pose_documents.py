"""What a browser is given of a pose: a body to turn around, a picture, files to keep."""

from __future__ import annotations

import io
import math
import tempfile
from dataclasses import replace
from pathlib import Path

from PIL import Image

from unipose.app.pose_input import KEEP_PLACE
from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.files import save_pose
from unipose.files.glb import glb_bytes
from unipose.files.smpl_parameters import on_body
from unipose.render.drawing import draw_pose, on_the_floor
from unipose.render.moved import moved_colours, moved_joints

MOST_KEYS = 3600
"""Poses of a recording that a browser plays; of a longer one every second, third ... is sent."""
SMOOTH_FPS = 30.0
THUMBNAIL_PX, THUMBNAIL_ASPECT = 240, 0.75
MOVED_M = 0.03
"""What moved by less is not listed."""


def body_to_turn(pose: Pose, body: Body, *, before: Pose | None = None) -> bytes:
    """Return the .glb of a pose, or of a recording, that stands on the floor y = 0.

    With `before` its surface is coloured by how far it moved from there.
    """
    pose = on_body(pose, body)
    step = 1
    if len(pose) > 1 and pose.fps:
        step = max(1, round(pose.fps / SMOOTH_FPS), math.ceil(len(pose) / MOST_KEYS))
    colours = None if before is None else moved_colours(on_body(before, body), pose, body)
    return glb_bytes(on_the_floor(pose[::step], body), body, colours=colours)


def how_far(before: Pose, after: Pose, body: Body) -> list[tuple[str, int]]:
    """Return the joints that moved and by how many centimetres, the farthest first."""
    joints = moved_joints(on_body(before, body), on_body(after, body), body)
    return [
        (name.replace("_", " "), round(metres * 100)) for name, metres in joints if metres > MOVED_M
    ]


def thumbnail(pose: Pose, body: Body) -> bytes:
    """Return a small .jpg of a pose, seen from where the viewer is."""
    picture = draw_pose(
        on_body(pose[0], body), body, size=THUMBNAIL_PX, aspect=THUMBNAIL_ASPECT, heading=0.0
    )
    return as_jpeg(Image.fromarray(picture))


def as_jpeg(picture: Image.Image) -> bytes:
    """Return the bytes of a picture as a .jpg."""
    file = io.BytesIO()
    picture.save(file, format="JPEG", quality=88)
    return file.getvalue()


def pose_file(pose: Pose, ending: str, body: Body | None) -> bytes:
    """Return the bytes of a file as `unipose convert` writes it; FileError as there."""
    if f".{ending}" not in KEEP_PLACE and len(pose) == 1:
        pose = replace(pose, translation=None)
    with tempfile.TemporaryDirectory(prefix="unipose-") as folder:
        path = Path(folder) / f"pose.{ending}"
        heading = 0.0 if len(pose) == 1 else None
        return save_pose(pose, path, body=body, heading=heading).read_bytes()
