"""Posed bodies drawn over the picture that they were read off."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from unipose.body.body import Body
from unipose.body.camera import Camera
from unipose.body.people import PersonInImage
from unipose.errors import PoseError
from unipose.render.mesh_buffer import NO_MESH, MeshBuffer
from unipose.render.shading import side_colours, to_bytes, vertex_normals

OPACITY = 0.85
TOWARDS_LIGHT = (-0.35, 0.55, 0.76)
"""In the viewer's axes (unit): from above, a bit to the left."""


def draw_bodies(
    pixels: UInt8[np.ndarray, "height width 3"],
    people: Sequence[PersonInImage],
    body: Body,
    *,
    opacity: float = OPACITY,
    colours: Sequence[Float[Tensor, "vertex 3"]] = (),
    camera: Camera | None = None,
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture with each person's body where their camera sees it.

    Left limbs are cool, right limbs warm, as in all pictures, unless each person has `colours` (0
    to 1); of bodies at one place the nearer one is seen. `camera` is another one than theirs.
    Raises PoseError for somebody without pose, place or camera.
    """
    height, width = pixels.shape[:2]
    if not people:
        return pixels
    buffer: MeshBuffer | None = None
    shades: list[Float[np.ndarray, "vertex 3"]] = []
    usual = side_colours(body.weights)
    faces = body.faces.numpy()
    for number, person in enumerate(people[:NO_MESH]):
        pose, seen_by = person.pose, camera or person.camera
        if pose is None or seen_by is None or pose.translation is None:
            raise PoseError("a body is drawn over a picture by its pose, its place and a camera")
        if buffer is None:
            buffer = MeshBuffer(camera=seen_by, height_px=height, width_px=width)
        with torch.no_grad():
            vertices = body(pose.rotations, pose.betas).vertices[0] + pose.translation[0]
        normals = vertex_normals(vertices, body.faces)
        facing = (normals @ torch.tensor(TOWARDS_LIGHT)).clamp(min=0)[:, None]
        own = colours[number] if colours else usual
        shades.append((own * (0.25 + 0.75 * facing)).numpy())
        buffer.draw(vertices.numpy(), faces, number)
    assert buffer is not None
    return _over(pixels, buffer, shades, faces, opacity)


def _over(
    pixels: UInt8[np.ndarray, "height width 3"],
    buffer: MeshBuffer,
    shades: Sequence[Float[np.ndarray, "vertex 3"]],
    faces: np.ndarray,
    opacity: float,
) -> UInt8[np.ndarray, "height width 3"]:
    drawn = pixels.astype(np.float32)
    for number, shade in enumerate(shades):
        seen = buffer.mesh == number
        corners = shade[faces[buffer.faces[seen]]]
        first = buffer.barycentrics[seen]
        weights = np.concatenate([first, 1 - first.sum(axis=1, keepdims=True)], axis=1)
        light = torch.from_numpy(np.einsum("pc,pck->pk", weights, corners))[None].float()
        bright = to_bytes(light, supersample=1)[0].numpy()
        drawn[seen] = (1 - opacity) * drawn[seen] + opacity * bright
    return drawn.round().astype(np.uint8)
