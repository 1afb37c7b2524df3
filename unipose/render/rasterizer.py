"""Which triangle each pixel sees, how far away, and where on the triangle.

A pixel's ray `d = (x, y, 1)` meets the triangle with corners p0, p1, p2 (camera frame) where
`w0 p0 + w1 p1 + w2 p2 = d` with all w >= 0. By Cramer's rule w0 = d . (p1 x p2) / det, and so on;
the depth is 1 / (w0 + w1 + w2) and the barycentrics are w times that depth (Olano and Greer 1997).
So depth is exact for perspective (1/z is what varies linearly over the picture), and a corner
behind the camera needs no clipping: the part of the triangle ahead is drawn, the rest is not.

Two back ends with the same arithmetic: `numba` (default; compiled code is kept on disk) and
`torch` (nothing to compile).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from unipose.body.camera import Camera
from unipose.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

Backend = Literal["numba", "torch"]

FRAGMENTS = 1 << 22
"""How many (triangle, pixel) pairs the torch back end looks at in one go."""


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
    both_sides: bool = False,
    backend: Backend | None = None,
) -> Raster:
    """Return what `camera` sees of a mesh (world frame, metres; corners counter-clockwise outside).

    Nothing nearer than `near` is seen. Back sides are seen only with `both_sides`. Of two surfaces
    at exactly the same depth the triangle with the lower index is seen, so that the same input
    gives the same raster. Raises ConfigError for a picture without pixels or vertices that are not
    finite.
    """
    if height_px < 1 or width_px < 1:
        raise ConfigError(f"expected a picture of at least 1 x 1 pixels, got {height_px, width_px}")
    if not bool(torch.isfinite(vertices).all()):
        raise ConfigError("the mesh has vertices that are NaN or infinite")
    corners = camera.to_camera(vertices.detach().cpu().double())[faces.cpu()]  # face 3 3
    columns, rows = camera.rays(height_px=height_px, width_px=width_px)
    edges, boxes, kept = _set_up(corners, camera, height_px, width_px, near, both_sides)
    draw = _draw_with_torch
    if (backend or default_backend()) == "numba":
        draw = _draw_with_numba
    return draw(edges, boxes, kept, columns, rows, near)


@cache
def default_backend() -> Backend:
    """Return "numba" where it is installed and can keep its compiled code, else "torch"."""
    try:
        _compiled()
    except (ImportError, RuntimeError):  # numba: "no locator available" if no folder is writable
        return "torch"
    return "numba"


def _set_up(
    corners: Float[Tensor, "face 3 3"],
    camera: Camera,
    height_px: int,
    width_px: int,
    near: float,
    both_sides: bool,
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
    kept = (high > low).all(1) & (depth > near).any(1) & (det != 0)
    if not both_sides:
        kept &= det < 0
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


def _draw_with_torch(
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


def _draw_with_numba(
    edges: Float[Tensor, "kept 10"],
    boxes: Int[Tensor, "kept 4"],
    kept: Int[Tensor, " kept"],
    columns: Float[Tensor, " width"],
    rows: Float[Tensor, " height"],
    near: float,
) -> Raster:
    shape = (len(rows), len(columns))
    depth = np.full(shape, np.inf)
    faces = np.full(shape, -1, dtype=np.int64)
    barycentrics = np.zeros((*shape, 3), dtype=np.float32)
    _compiled()(
        edges.contiguous().numpy(),
        boxes.contiguous().numpy(),
        kept.contiguous().numpy(),
        columns.numpy(),
        rows.numpy(),
        near,
        depth,
        faces,
        barycentrics,
    )
    return Raster(
        depth=torch.from_numpy(depth).float(),
        faces=torch.from_numpy(faces),
        barycentrics=torch.from_numpy(barycentrics),
    )


def _fill(
    edges: np.ndarray,
    boxes: np.ndarray,
    kept: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    near: float,
    depth: np.ndarray,
    faces: np.ndarray,
    barycentrics: np.ndarray,
) -> None:
    """Write the nearest triangle of each pixel into the last three arrays (compiled by numba)."""
    for i in range(len(edges)):
        e = edges[i]
        for y in range(boxes[i, 2], boxes[i, 3]):
            for x in range(boxes[i, 0], boxes[i, 1]):
                w0 = e[0] * columns[x] + e[1] * rows[y] + e[2]
                w1 = e[3] * columns[x] + e[4] * rows[y] + e[5]
                w2 = e[6] * columns[x] + e[7] * rows[y] + e[8]
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                total = w0 + w1 + w2
                if total <= 0:
                    continue
                z = e[9] / total
                if near <= z < depth[y, x]:
                    depth[y, x] = z
                    faces[y, x] = kept[i]
                    barycentrics[y, x, 0] = w0 / total
                    barycentrics[y, x, 1] = w1 / total
                    barycentrics[y, x, 2] = w2 / total


_SIGNATURE = (
    "void(float64[:, ::1], int64[:, ::1], int64[::1], float64[::1], float64[::1], float64, "
    "float64[:, ::1], int64[:, ::1], float32[:, :, ::1])"
)


@cache
def _compiled() -> Callable[..., None]:
    """Return the compiled `_fill`: about a second the first time, then read from disk."""
    from numba import njit

    plain = inspect.unwrap(_fill)  # the tests' shape checks wrap every function
    return njit(_SIGNATURE, cache=True, nogil=True)(plain)
