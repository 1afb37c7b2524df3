"""Several meshes in one z-buffer, fast: which mesh, which triangle, where on it, how far away.

A pixel's ray `d = (x, y, 1)` meets the triangle with corners p0, p1, p2 (camera frame) where
`w0 p0 + w1 p1 + w2 p2 = d` with all w >= 0. By Cramer's rule w0 = d . (p1 x p2) / det, and so on;
the depth is 1 / (w0 + w1 + w2) and the barycentrics are w times that depth (Olano and Greer 1997).
So depth is exact for perspective (1/z is what varies linearly over the picture), and a corner
behind the camera needs no clipping: the part of the triangle ahead is drawn, the rest is not.

Projecting, culling and filling are one loop over the triangles, which keeps nothing between them;
pixels also remember every mesh that lies behind the first one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int, UInt8

from unipose.body.camera import Camera
from unipose.errors import ConfigError
from unipose.render.compiled import compiled

NO_MESH = 255

MESHES = 8
"""Meshes 0 to 7 are remembered behind others (`covered` has a bit for each)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MeshBuffer:
    """What a camera sees of some meshes; `draw` adds one."""

    camera: Camera
    height_px: int
    width_px: int
    near: float = 0.05
    depth: Float[np.ndarray, "height width"] = field(init=False)
    """Distance along the viewing axis (metres); infinite where nothing is seen."""
    mesh: UInt8[np.ndarray, "height width"] = field(init=False)
    """Number of the mesh; NO_MESH where nothing is seen."""
    faces: Int[np.ndarray, "height width"] = field(init=False)
    """Triangle of that mesh; -1 where nothing is seen."""
    barycentrics: Float[np.ndarray, "height width 2"] = field(init=False)
    """Weights of the triangle's first two corners."""
    covered: UInt8[np.ndarray, "height width"] = field(init=False)
    """Bit i: mesh i is on this pixel's ray, seen or not."""
    columns: Float[np.ndarray, " width"] = field(init=False)
    """x / z of each column's pixel centres (camera frame)."""
    rows: Float[np.ndarray, " height"] = field(init=False)
    turn: Float[np.ndarray, "3 3"] = field(init=False)
    """The camera's rotation; rows are its axes in the world."""
    position: Float[np.ndarray, " 3"] = field(init=False)

    def __post_init__(self) -> None:
        if self.height_px < 1 or self.width_px < 1:
            raise ConfigError(
                f"expected a picture of at least 1 x 1 pixels, got {self.height_px, self.width_px}"
            )
        shape = (self.height_px, self.width_px)
        focal = self.camera.focal
        right, down = self.camera.centre  # as Camera.rays, without its tensors
        columns = (np.arange(self.width_px) + (0.5 - self.width_px / 2)) / (focal * self.height_px)
        rows = (np.arange(self.height_px) + (0.5 - self.height_px / 2)) / (focal * self.height_px)
        for name, value in {
            "depth": np.full(shape, np.inf, dtype=np.float32),
            "mesh": np.full(shape, NO_MESH, dtype=np.uint8),
            "faces": np.full(shape, -1, dtype=np.int32),
            "barycentrics": np.zeros((*shape, 2), dtype=np.float32),
            "covered": np.zeros(shape, dtype=np.uint8),
            "columns": columns - right / focal,
            "rows": rows - down / focal,
            "turn": self.camera.camera_from_world.double().numpy(),
            "position": self.camera.position.double().numpy(),
        }.items():
            object.__setattr__(self, name, value)

    def draw(
        self,
        vertices: Float[np.ndarray, "vertex 3"],
        faces: Int[np.ndarray, "face 3"],
        number: int,
    ) -> None:
        """Add a mesh (world frame, metres; corners counter-clockwise outside).

        Of two surfaces at exactly the same depth the one drawn first stays.
        """
        focal_px = self.camera.focal * self.height_px
        compiled(_fill)(
            np.ascontiguousarray(vertices, dtype=np.float64),
            np.ascontiguousarray(faces, dtype=np.int32),
            self.turn,
            self.position,
            self.columns,
            self.rows,
            focal_px,
            self.width_px / 2 + self.camera.centre[0] * self.height_px,
            self.height_px / 2 + self.camera.centre[1] * self.height_px,
            self.near,
            number,
            1 << number if number < MESHES else 0,
            self.depth,
            self.mesh,
            self.faces,
            self.barycentrics,
            self.covered,
        )


def _fill(  # noqa: C901 - one loop, for speed
    vertices: np.ndarray,
    faces: np.ndarray,
    turn: np.ndarray,
    position: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    focal_px: float,
    middle_x: float,
    middle_y: float,
    near: float,
    number: int,
    bit: int,
    depth: np.ndarray,
    mesh: np.ndarray,
    triangle: np.ndarray,
    barycentrics: np.ndarray,
    covered: np.ndarray,
) -> None:
    """Draw one mesh into the last five arrays (compiled)."""
    height, width = depth.shape
    count = len(vertices)
    seen = np.empty((count, 3))  # in the camera's frame
    cell = np.empty((count, 2), dtype=np.int32)  # first pixel whose centre is not left, not above
    for i in range(count):
        x = vertices[i, 0] - position[0]
        y = vertices[i, 1] - position[1]
        z = vertices[i, 2] - position[2]
        for k in range(3):
            seen[i, k] = turn[k, 0] * x + turn[k, 1] * y + turn[k, 2] * z
        if seen[i, 2] > near:
            scale = focal_px / seen[i, 2]
            cell[i, 0] = int(np.ceil(seen[i, 0] * scale + middle_x - 0.5))
            cell[i, 1] = int(np.ceil(seen[i, 1] * scale + middle_y - 0.5))
    for face in range(len(faces)):
        a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
        az, bz, cz = seen[a, 2], seen[b, 2], seen[c, 2]
        x0, x1, y0, y1 = 0, width, 0, height
        if az > near and bz > near and cz > near:
            x0 = max(min(cell[a, 0], cell[b, 0], cell[c, 0]), 0)
            x1 = min(max(cell[a, 0], cell[b, 0], cell[c, 0]), width)
            y0 = max(min(cell[a, 1], cell[b, 1], cell[c, 1]), 0)
            y1 = min(max(cell[a, 1], cell[b, 1], cell[c, 1]), height)
            if x1 <= x0 or y1 <= y0:  # between the pixels' centres, or outside
                continue
        elif az <= near and bz <= near and cz <= near:
            continue
        ax, ay, bx, by, cx, cy = (
            seen[a, 0], seen[a, 1], seen[b, 0], seen[b, 1], seen[c, 0], seen[c, 1]
        )  # fmt: skip
        ux, uy, uz = by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx
        det = ax * ux + ay * uy + az * uz
        if not det < 0:  # we see its back
            continue
        vx, vy, vz = cy * az - cz * ay, cz * ax - cx * az, cx * ay - cy * ax
        wx, wy, wz = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for y in range(y0, y1):
            u_row = -(uy * rows[y]) - uz
            v_row = -(vy * rows[y]) - vz
            w_row = -(wy * rows[y]) - wz
            inside = False
            for x in range(x0, x1):
                u = u_row - ux * columns[x]
                v = v_row - vx * columns[x]
                w = w_row - wx * columns[x]
                if (u < 0) | (v < 0) | (w < 0):
                    if inside:  # nothing more of it in this row
                        break
                    continue
                inside = True
                total = u + v + w
                if total <= 0:
                    continue
                z = np.float32(-det / total)
                if z < near:
                    continue
                covered[y, x] |= bit
                if z < depth[y, x]:
                    depth[y, x] = z
                    mesh[y, x] = number
                    triangle[y, x] = face
                    barycentrics[y, x, 0] = u / total
                    barycentrics[y, x, 1] = v / total
