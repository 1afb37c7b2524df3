"""What a camera sees of one mesh, as tensors: `unipose.render.mesh_buffer` fills the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.camera import Camera
from unipose.errors import ConfigError
from unipose.render.mesh_buffer import MeshBuffer


@dataclass(frozen=True, kw_only=True, eq=False)
class Raster:
    """What a camera sees, pixel by pixel."""

    depth: Float[Tensor, "height width"]
    """Distance along the viewing axis (metres); infinite where nothing is seen."""
    faces: Int[Tensor, "height width"]
    """Index of the triangle; -1 where nothing is seen."""
    barycentrics: Float[Tensor, "height width 3"]
    """Weights of the triangle's corners at the point seen (sum 1; 0 where nothing is seen)."""

    def interpolate(
        self, values: Float[Tensor, "vertex channel"], faces: Int[Tensor, "face 3"]
    ) -> Float[Tensor, "height width channel"]:
        """Return vertex values at each pixel (0 where nothing is seen)."""
        seen = self.faces >= 0
        corners = values[faces[self.faces[seen]]]  # pixel 3 channel
        picture = torch.zeros(*self.faces.shape, values.shape[1], dtype=values.dtype)
        picture[seen] = (corners * self.barycentrics[seen][..., None].to(values)).sum(1)
        return picture


def rasterize(
    vertices: Float[Tensor, "vertex 3"],
    faces: Int[Tensor, "face 3"],
    camera: Camera,
    *,
    height_px: int,
    width_px: int,
    near: float = 0.01,
) -> Raster:
    """Return what `camera` sees of a mesh (world frame, metres; corners counter-clockwise outside).

    Nothing nearer than `near` is seen, nor are back sides. Of two surfaces at exactly the same
    depth the triangle with the lower index is seen, so that the same input gives the same raster.
    Raises ConfigError for a picture without pixels or vertices that are not finite.
    """
    if not bool(torch.isfinite(vertices).all()):
        raise ConfigError("the mesh has vertices that are NaN or infinite")
    buffer = MeshBuffer(camera=camera, height_px=height_px, width_px=width_px, near=near)
    buffer.draw(vertices.detach().cpu().numpy(), faces.cpu().numpy(), 0)
    two = torch.from_numpy(buffer.barycentrics)
    third = (1 - two.sum(-1, keepdim=True)).clamp(min=0)
    seen = torch.from_numpy(buffer.faces >= 0)
    return Raster(
        depth=torch.from_numpy(buffer.depth),
        faces=torch.from_numpy(buffer.faces).long(),
        barycentrics=torch.cat([two, third], dim=-1) * seen[..., None],
    )
