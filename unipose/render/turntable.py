"""One pose seen from all around: the camera and the sun go round it, the body stays."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import UInt8

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.errors import ConfigError
from unipose.render.drawing import (
    FIELD_OF_VIEW,
    draw_mesh,
    frame,
    on_the_floor,
    panel_aspect,
    stage_of,
    viewpoint_at,
)


def draw_turntable(
    pose: Pose, body: Body, *, frames: int = 72, size: int = 480, supersample: int = 2
) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
    """Draw one pose from `frames` directions all around it, the first from its front.

    The camera keeps its distance; width and height of the pictures are even. Raises ConfigError for
    several poses or no frame.
    """
    if len(pose) != 1 or frames < 1:
        raise ConfigError(f"expected 1 pose and frames, got {len(pose)} poses, {frames} frames")
    with torch.no_grad():
        mesh = body.mesh(on_the_floor(pose, body)).vertices
    right, up, front = stage_of(pose).towards_camera.tolist()
    first, elevation = math.atan2(right, front), math.asin(up)
    stages = [viewpoint_at(first + 2 * math.pi * i / frames, elevation) for i in range(frames)]
    some = stages[:: math.ceil(frames / 12)]
    aspect = panel_aspect(mesh.expand(len(some), -1, -1), some)
    distance = max(frame(mesh[:, ::4], stage, aspect)[1] for stage in some)
    target = (mesh[0].amin(0) + mesh[0].amax(0)).double() / 2
    height, width = 2 * round(size / 2), 2 * round(size * aspect / 2)
    for stage in stages:
        place = target + stage.towards_camera * distance
        camera = Camera.look_at(place, target, field_of_view=FIELD_OF_VIEW)
        yield draw_mesh(mesh[0], body, camera, stage, size=(height, width), supersample=supersample)
