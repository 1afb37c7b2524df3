"""The z-buffer once more, in torch and without a loop over pixels: the compiled one must agree."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.camera import Camera
from unipose.render.mesh_buffer import MESHES, MeshBuffer
from unipose.render.rasterizer import Raster

FRAGMENTS = 1 << 22
"""How many (triangle, pixel) pairs are looked at in one go."""


def rasterize_with_torch(
    vertices: Float[Tensor, "vertex 3"],
    faces: Int[Tensor, "face 3"],
    camera: Camera,
    *,
    height_px: int,
    width_px: int,
    near: float = 0.01,
) -> Raster:
    """Return what `rasterize` should."""
    corners = camera.to_camera(vertices.double())[faces]  # face 3 3
    columns, rows = camera.rays(height_px=height_px, width_px=width_px)
    edges, boxes, kept = _set_up(corners, camera, height_px, width_px, near)
    return _draw(edges, boxes, kept, columns, rows, near)


def draw_with_torch(
    buffer: MeshBuffer, vertices: np.ndarray, faces: np.ndarray, number: int
) -> None:
    """Add a mesh to a buffer as `MeshBuffer.draw` should."""
    raster = rasterize_with_torch(
        torch.from_numpy(vertices),
        torch.from_numpy(faces).long(),
        buffer.camera,
        height_px=buffer.height_px,
        width_px=buffer.width_px,
        near=buffer.near,
    )
    hit = raster.faces.numpy() >= 0
    if number < MESHES:
        buffer.covered[hit] |= 1 << number
    depth = raster.depth.numpy()
    nearer = hit & (depth < buffer.depth)
    buffer.depth[nearer] = depth[nearer]
    buffer.mesh[nearer] = number
    buffer.faces[nearer] = raster.faces.numpy()[nearer]
    buffer.barycentrics[nearer] = raster.barycentrics.numpy()[nearer][:, :2]


def _set_up(
    corners: Float[Tensor, "face 3 3"],
    camera: Camera,
    height_px: int,
    width_px: int,
    near: float,
) -> tuple[Float[Tensor, "kept 10"], Int[Tensor, "kept 4"], Int[Tensor, " kept"]]:
    """Return edge functions and |det|, pixel boxes (x0, x1, y0, y1; ends excluded), kept faces."""
    a, b, c = corners.unbind(1)
    edges = torch.stack([_cross(b, c), _cross(c, a), _cross(a, b)], dim=1)  # face 3 3
    det = (a * edges[:, 0]).sum(-1)  # negative: we see the outside
    depth = corners[..., 2]
    focal_px = camera.focal * height_px
    middle = torch.tensor([width_px / 2, height_px / 2], dtype=corners.dtype)
    middle = middle + torch.tensor(camera.centre, dtype=corners.dtype) * height_px
    ahead = (depth > near).all(1)
    pixel = (
        corners[..., :2] / torch.where(ahead[:, None], depth, 1.0)[..., None] * focal_px + middle
    )
    whole = torch.tensor([width_px, height_px], dtype=corners.dtype)
    low = torch.where(ahead[:, None], (pixel.amin(1) - 0.5).ceil(), torch.zeros(2).double())
    high = torch.where(ahead[:, None], (pixel.amax(1) - 0.5).floor() + 1, whole)
    low = torch.minimum(low.clamp(min=0), whole)
    high = torch.minimum(high.clamp(min=0), whole)
    kept = (high > low).all(1) & (depth > near).any(1) & (det < 0)
    kept = kept.nonzero()[:, 0]
    edges = edges[kept] * det[kept].sign()[:, None, None]
    table = torch.cat([edges.flatten(1), det[kept].abs()[:, None]], dim=1)
    boxes = torch.stack([low[kept, 0], high[kept, 0], low[kept, 1], high[kept, 1]], dim=1)
    return table, boxes.long(), kept


def _cross(a: Float[Tensor, "face 3"], b: Float[Tensor, "face 3"]) -> Float[Tensor, "face 3"]:
    """Return a x b so that b x a is its exact negative: no cracks between neighbours."""
    x, y, z = a.unbind(-1)
    u, v, w = b.unbind(-1)
    return torch.stack([y * w - z * v, z * u - x * w, x * v - y * u], dim=-1)


def _draw(
    edges: Float[Tensor, "kept 10"],
    boxes: Int[Tensor, "kept 4"],
    kept: Int[Tensor, " kept"],
    columns: Float[Tensor, " width"],
    rows: Float[Tensor, " height"],
    near: float,
) -> Raster:
    width, pixels = len(columns), len(columns) * len(rows)
    depth = torch.full((pixels,), torch.inf, dtype=torch.float64)
    faces = torch.full((pixels,), -1)
    barycentrics = torch.zeros(pixels, 3, dtype=torch.float64)
    wide = boxes[:, 1] - boxes[:, 0]
    counts = wide * (boxes[:, 3] - boxes[:, 2])
    ends = counts.cumsum(0)
    for some in (ends // FRAGMENTS).unique_consecutive():
        few = (ends // FRAGMENTS == some).nonzero()[:, 0]
        face = torch.repeat_interleave(few, counts[few])  # one entry per triangle and pixel
        place = torch.arange(len(face)) - (ends[face] - counts[face] - (ends - counts)[few[0]])
        x = boxes[face, 0] + place % wide[face]
        y = boxes[face, 2] + place // wide[face]
        across, down = columns[x], rows[y]
        w = [
            edges[face, i] * across + edges[face, i + 1] * down + edges[face, i + 2]
            for i in (0, 3, 6)
        ]
        total = w[0] + w[1] + w[2]
        z = edges[face, 9] / total
        inside = (w[0] >= 0) & (w[1] >= 0) & (w[2] >= 0) & (z >= near)
        pixel, face, z = (y * width + x)[inside], face[inside], z[inside]
        weights = torch.stack(w, dim=1)[inside] / total[inside, None]
        nearest = depth.scatter_reduce(0, pixel, z, "amin")
        ties = z == nearest[pixel]
        first = torch.full((pixels,), len(edges)).scatter_reduce(0, pixel[ties], face[ties], "amin")
        won = ties & (face == first[pixel]) & (z < depth[pixel])
        depth[pixel[won]] = z[won]
        faces[pixel[won]] = kept[face[won]]
        barycentrics[pixel[won]] = weights[won]
    shape = (len(rows), width)
    return Raster(
        depth=depth.view(shape).float(),
        faces=faces.view(shape),
        barycentrics=barycentrics.view(*shape, 3).float(),
    )
