"""Posed bodies drawn over the picture that they were read off, in the light of all our pictures."""

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
from unipose.render.shading import reflected, side_colours, to_bytes, vertex_normals

OPACITY = 0.85
TOWARDS_LIGHT = (-0.35, -0.55, -0.76)
"""In the camera's axes (unit): from above, a bit to the left, from where the viewer is."""
SMOOTH_PX = 2_000_000
"""Pictures up to so many pixels have smooth edges: bodies are drawn twice as large."""


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

    Left limbs are cool, right limbs warm, as in all pictures, unless each person has `colours`
    (linear light); of bodies at one place the nearer one is seen. `camera` is another one than
    theirs. Raises PoseError for somebody without pose, place or camera.
    """
    height, width = pixels.shape[:2]
    if not people:
        return pixels
    times = 2 if height * width <= SMOOTH_PX else 1
    buffer: MeshBuffer | None = None
    surfaces: list[Float[Tensor, "vertex 6"]] = []
    usual = side_colours(body.weights)
    for number, person in enumerate(people[:NO_MESH]):
        pose, seen_by = person.pose, camera or person.camera
        if pose is None or seen_by is None or pose.translation is None:
            raise PoseError("a body is drawn over a picture by its pose, its place and a camera")
        if buffer is None:
            buffer = MeshBuffer(camera=seen_by, height_px=height * times, width_px=width * times)
        with torch.no_grad():
            vertices = body(pose.rotations, pose.betas).vertices[0] + pose.translation[0]
        own = colours[number] if colours else usual
        surfaces.append(torch.cat([vertex_normals(vertices, body.faces), own], dim=1))
        buffer.draw(vertices.numpy(), body.faces.numpy(), number)
    assert buffer is not None
    return _over(pixels, buffer, surfaces, body.faces, opacity, times)


def _over(
    pixels: UInt8[np.ndarray, "height width 3"],
    buffer: MeshBuffer,
    surfaces: Sequence[Float[Tensor, "vertex 6"]],
    faces: Tensor,
    opacity: float,
    times: int,
) -> UInt8[np.ndarray, "height width 3"]:
    height, width = pixels.shape[:2]
    mesh = torch.from_numpy(buffer.mesh)
    light = torch.zeros(*mesh.shape, 3)
    for number, surface in enumerate(surfaces):
        light[mesh == number] = _light(buffer, number, surface, faces)
    blocks = (height, times, width, times)
    cover = (mesh != NO_MESH).view(blocks).sum((1, 3))  # of times * times small pixels
    total = light.view(*blocks, 3).sum((1, 3))
    colour = to_bytes(total / cover.clamp(min=1)[..., None], supersample=1).numpy()
    share = (opacity * cover / times**2).numpy()[..., None]
    return ((1 - share) * pixels + share * colour).round().astype(np.uint8)


def _light(
    buffer: MeshBuffer, number: int, surface: Float[Tensor, "vertex 6"], faces: Tensor
) -> Float[Tensor, "pixel 3"]:
    """Return the light that comes from one body's pixels, row by row."""
    rows, columns = np.nonzero(buffer.mesh == number)
    two = torch.from_numpy(buffer.barycentrics[rows, columns])
    weights = torch.cat([two, 1 - two.sum(1, keepdim=True)], dim=1)
    corners = surface[faces[torch.from_numpy(buffer.faces[rows, columns]).long()]]  # pixel 3 6
    seen = (corners * weights[..., None]).sum(1)
    turn = torch.from_numpy(buffer.turn).float()
    rays = np.stack([buffer.columns[columns], buffer.rows[rows], np.ones(len(rows))], axis=1)
    to_eye = -torch.nn.functional.normalize(torch.from_numpy(rays).float() @ turn, dim=-1)
    return reflected(
        seen[:, 3:],
        torch.nn.functional.normalize(seen[:, :3], dim=-1),
        to_sun=torch.tensor(TOWARDS_LIGHT) @ turn,
        to_eye=to_eye,
    )
