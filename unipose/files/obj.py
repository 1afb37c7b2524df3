"""Wavefront .obj: the surface of one posed body, for any 3D program."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from unipose.body.body import Body
from unipose.body.pose import Pose
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.render.shading import vertex_normals


def write_obj(pose: Pose, path: str | Path, body: Body) -> Path:
    """Write the mesh of one pose (metres, y up) with normals; return the path.

    Raises FileError for more than one pose: an .obj holds one surface and no time.
    """
    path = Path(path)
    if len(pose) != 1:
        raise FileError(
            path,
            f"an .obj file holds one pose, these are {len(pose)}.",
            "Pick one (--at SECONDS), or write an animated .glb.",
        )
    mesh = body.mesh(pose)
    vertices = mesh.vertices[0].detach().float().cpu()
    faces = body.faces.cpu()
    text = io.StringIO()
    text.write(f"# unipose: one pose of the {body.id} body; metres, y up\no pose\n")
    np.savetxt(text, vertices.numpy(), fmt="v %.6f %.6f %.6f")
    np.savetxt(text, vertex_normals(vertices, faces).numpy(), fmt="vn %.4f %.4f %.4f")
    corners = np.repeat(faces.numpy() + 1, 2, axis=1)  # an .obj counts from 1
    np.savetxt(text, corners, fmt="f %d//%d %d//%d %d//%d")
    with written_whole(path) as temporary:
        temporary.write_text(text.getvalue())
    return path
