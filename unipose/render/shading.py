"""Light on a body and on the floor below it: soft shadows, a warm key light, a cool sky.

Colours inside are linear light; `to_bytes` encodes them for a screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from unipose.body.camera import Camera
from unipose.body.skeletons import SMPL
from unipose.render.rasterizer import Raster, rasterize

LEFT, RIGHT, MIDDLE = (104, 152, 205), (232, 134, 98), (222, 216, 208)
"""sRGB of left limbs (cool), right limbs (warm), trunk and head."""

PEOPLE = ((181, 203, 228), (231, 214, 188))
"""sRGB of the first and the second person, where people are told apart and not limbs."""
TOUCHING = (222, 66, 78)
"""sRGB of parts that touch."""

BACKDROP_TOP, BACKDROP_BOTTOM, FLOOR = (248, 248, 247), (229, 231, 234), (251, 251, 251)

GRID = 0.5
"""Metres between the lines on the floor under a moving body."""

SHADOW_PX = 512
SUN_DISTANCE = 40.0
"""Metres; far enough that the sun's rays are nearly parallel."""

SOFTNESS = 16
"""How many rays of the sun each point is tested with."""


def linear(rgb: tuple[int, int, int]) -> Float[Tensor, "3"]:
    """Return an sRGB colour (0-255) as linear light."""
    value = torch.tensor(rgb, dtype=torch.float32) / 255
    return torch.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def to_bytes(
    picture: Float[Tensor, "height width 3"], *, supersample: int
) -> UInt8[Tensor, "small_height small_width 3"]:
    """Return the picture averaged over blocks of `supersample` pixels, as sRGB bytes."""
    starts = [(y, x) for y in range(supersample) for x in range(supersample)]
    value = sum(picture[y::supersample, x::supersample] for y, x in starts) / len(starts)
    value = torch.as_tensor(value).clamp(0, 1)
    value = torch.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)
    return (value * 255 + 0.5).to(torch.uint8)


def side_colours(weights: Float[Tensor, "vertex 24"]) -> Float[Tensor, "vertex 3"]:
    """Return each vertex's colour: cool on left limbs, warm on right ones, neutral between."""
    shares = []
    for side in ("left", "right"):
        limbs = [j for j in SMPL.joints if j.startswith(side) and not j.endswith("collar")]
        share = weights[:, SMPL.indices(*limbs)].sum(1, keepdim=True)
        shares.append((share * 1.3 - 0.15).clamp(0, 1))
    left, right = shares
    return left * linear(LEFT) + right * linear(RIGHT) + (1 - left - right) * linear(MIDDLE)


def vertex_normals(
    vertices: Float[Tensor, "vertex 3"], faces: Int[Tensor, "face 3"]
) -> Float[Tensor, "vertex 3"]:
    """Return unit normals, the area-weighted mean of the faces around each vertex."""
    a, b, c = vertices[faces].unbind(1)
    across = torch.linalg.cross(b - a, c - a).repeat_interleave(3, dim=0)
    return torch.nn.functional.normalize(
        torch.zeros_like(vertices).index_add(0, faces.flatten(), across), dim=-1
    )


def reflected(
    colour: Float[Tensor, "pixel 3"],
    normal: Float[Tensor, "pixel 3"],
    *,
    to_sun: Float[Tensor, "3"],
    to_eye: Float[Tensor, "pixel 3"],
    lit: Float[Tensor, " pixel"] | None = None,
    sky: Float[Tensor, "pixel 1"] | None = None,
) -> Float[Tensor, "pixel 3"]:
    """Return the light that a clay-like surface sends to the eye: how all our bodies are shaded.

    `lit` is the share of the sun that each point sees, `sky` that of the sky (None: all of it).
    Directions are unit vectors; the world is y up.
    """
    facing_sun = (normal * to_sun).sum(-1).clamp(min=0)
    shine = (normal * torch.nn.functional.normalize(to_sun + to_eye, dim=-1)).sum(-1)
    shine = shine.clamp(min=0) ** 24
    if lit is not None:
        facing_sun, shine = facing_sun * lit, shine * lit
    key = facing_sun[:, None] * torch.tensor([1.0, 0.97, 0.92]) * 0.78
    up = normal[:, 1:2] * 0.5 + 0.5
    ambient = torch.tensor([0.44, 0.46, 0.50]) * up + torch.tensor([0.24, 0.23, 0.22]) * (1 - up)
    if sky is not None:
        ambient = ambient * sky
    edge = (1 - (normal * to_eye).sum(-1).clamp(0, 1))[:, None] ** 3
    return colour * (key + ambient) + edge * 0.10 + shine[:, None] * 0.06


@dataclass(frozen=True, kw_only=True, eq=False)
class BodyScene:
    """One posed body on a floor, under a sun that stands behind the camera's left shoulder."""

    vertices: Float[Tensor, "vertex 3"]
    faces: Int[Tensor, "face 3"]
    colours: Float[Tensor, "vertex 3"]
    floor_height: float
    floor_centre: Float[Tensor, "3"]
    floor_radius: float
    to_sun: Float[Tensor, "3"]
    """Direction (unit)."""
    grid_origin: Float[Tensor, "3"] | None = None
    """A crossing of the lines drawn on the floor; None draws no lines."""

    def draw(
        self, camera: Camera, *, height_px: int, width_px: int
    ) -> Float[Tensor, "height width 3"]:
        """Return the picture in linear light."""
        seen = rasterize(self.vertices, self.faces, camera, height_px=height_px, width_px=width_px)
        sun = self._sun()
        shadow = rasterize(self.vertices, self.faces, sun, height_px=SHADOW_PX, width_px=SHADOW_PX)
        rays = self._rays(camera, height_px, width_px)
        body = seen.faces >= 0
        picture = self._draw_floor(body, camera, rays, sun, shadow.depth)
        picture[body] = self._light_body(seen, body, camera, rays, sun, shadow.depth)
        return picture

    def _sun(self) -> Camera:
        """Return the camera of the sun, which sees the whole body."""
        middle = (self.vertices.amin(0) + self.vertices.amax(0)) / 2
        reach = float((self.vertices - middle).norm(dim=-1).max()) * 1.1
        angle = 2 * math.atan2(reach, SUN_DISTANCE)
        place = middle + self.to_sun * SUN_DISTANCE
        return Camera.look_at(place, middle, field_of_view=angle)

    @staticmethod
    def _rays(camera: Camera, height_px: int, width_px: int) -> Float[Tensor, "height width 3"]:
        """Return each pixel's ray in the world, one metre of depth long."""
        columns, rows = camera.rays(height_px=height_px, width_px=width_px)
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        rays = torch.stack([x, y, torch.ones_like(x)], dim=-1).float()
        return rays @ camera.camera_from_world.float()

    def _light_body(
        self,
        seen: Raster,
        body: Bool[Tensor, "height width"],
        camera: Camera,
        rays: Float[Tensor, "height width 3"],
        sun: Camera,
        shadow: Float[Tensor, "size size"],
    ) -> Float[Tensor, "pixel 3"]:
        normals = vertex_normals(self.vertices, self.faces)
        surface = seen.interpolate(torch.cat([normals, self.colours], dim=1), self.faces)[body]
        normal = torch.nn.functional.normalize(surface[:, :3], dim=-1)
        colour = surface[:, 3:]
        point = camera.position.float() + rays[body] * seen.depth[body][:, None]
        to_eye = -torch.nn.functional.normalize(rays[body], dim=-1)
        lit = sunlight(point + normal * 0.012, sun, shadow, radius=0.02)
        height = ((point[:, 1:2] - self.floor_height) / 0.5).clamp(0, 1)
        return reflected(
            colour, normal, to_sun=self.to_sun, to_eye=to_eye, lit=lit, sky=0.8 + 0.2 * height
        )

    def _draw_floor(
        self,
        body: Bool[Tensor, "height width"],
        camera: Camera,
        rays: Float[Tensor, "height width 3"],
        sun: Camera,
        shadow: Float[Tensor, "size size"],
    ) -> Float[Tensor, "height width 3"]:
        height, width, _ = rays.shape
        down = torch.linspace(0, 1, height)[:, None, None]
        top, bottom = linear(BACKDROP_TOP), linear(BACKDROP_BOTTOM)
        picture = (top + (bottom - top) * down).expand(height, width, 3).clone()
        position = camera.position.float()
        depth = (self.floor_height - position[1]) / rays[..., 1]
        x = position[0] - self.floor_centre[0] + rays[..., 0] * depth
        z = position[2] - self.floor_centre[2] + rays[..., 2] * depth
        floor = (depth > 0) & (x * x + z * z < self.floor_radius**2) & ~body
        point = position + rays[floor] * depth[floor][:, None]
        away = torch.sqrt(x[floor] ** 2 + z[floor] ** 2) / self.floor_radius
        cover = ((1 - away) / 0.35).clamp(0, 1)
        cover = (cover * cover * (3 - 2 * cover))[:, None]
        lit = sunlight(point, sun, shadow, radius=0.035)[:, None]
        dark = (1 - lit) * 0.34 + self._closeness(point)[:, None] * 0.42
        if self.grid_origin is not None:
            dark = dark + self._lines(point)[:, None] * 0.10
        shade = 1 - dark.clamp(max=0.75) * torch.tensor([1.0, 0.98, 0.94])
        picture[floor] = (picture[floor] * (1 - cover) + linear(FLOOR) * cover) * (
            1 - (1 - shade) * cover
        )
        return picture

    def _lines(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """Return where the floor's lines run, one every half metre (1 on a line, 0 beside)."""
        assert self.grid_origin is not None
        place = ((points - self.grid_origin)[:, [0, 2]] / GRID) % 1
        away = torch.minimum(place, 1 - place).amin(1) * GRID
        return (1 - (away - 0.004) / 0.004).clamp(0, 1)

    def _closeness(self, points: Float[Tensor, "point 3"]) -> Float[Tensor, " point"]:
        """Return how much of the sky the body hides from points of the floor (0 to 1, roughly)."""
        cells = 96
        side = 2 * self.floor_radius
        low = self.floor_centre - self.floor_radius
        above = (self.vertices[:, 1] - self.floor_height).clamp(min=0)
        weight = torch.exp(-above / 0.12)
        place = ((self.vertices - low)[:, [0, 2]] / side * cells).long()
        inside = ((place >= 0) & (place < cells)).all(1)
        index = (place[:, 1] * cells + place[:, 0])[inside]
        area = (side / cells) ** 2
        # dividing by the cell's area makes it a density, whatever the size of the floor
        grid = torch.zeros(cells * cells).index_add(0, index, weight[inside]) / area
        grid = _blur(grid.view(1, 1, cells, cells), sigma=0.045 / side * cells)
        grid = 1 - torch.exp(-grid / 2500)
        where = (points - low)[:, [0, 2]] / side * 2 - 1
        return torch.nn.functional.grid_sample(
            grid, where[None, None], align_corners=False, padding_mode="border"
        )[0, 0, 0]


def sunlight(
    points: Float[Tensor, "point 3"],
    sun: Camera,
    shadow: Float[Tensor, "size size"],
    *,
    radius: float,
) -> Float[Tensor, " point"]:
    """Return which share of the sun each point sees (0 to 1), from the sun's own depth picture.

    The share is taken over a disc of `radius` metres around the point, which softens the edge.
    """
    size = shadow.shape[0]
    metre_px = sun.focal * size / SUN_DISTANCE
    border = math.ceil(radius * metre_px) + 1
    padded = torch.nn.functional.pad(shadow, (border,) * 4, value=torch.inf)
    seen = sun.to_camera(points)
    pixel = (seen[:, :2] / seen[:, 2:] * (sun.focal * size) + size / 2).long()
    pixel = pixel.clamp(0, size - 1) + border
    row = size + 2 * border
    place = pixel[:, 1] * row + pixel[:, 0]
    depth = seen[:, 2].float() - 0.015
    total = torch.zeros(len(points))
    for i in range(SOFTNESS):
        angle, reach = i * 2.399963, math.sqrt((i + 0.5) / SOFTNESS) * radius * metre_px
        step = round(reach * math.sin(angle)) * row + round(reach * math.cos(angle))
        total += depth < padded.view(-1)[place + step]
    return total / SOFTNESS


def _blur(
    picture: Float[Tensor, "1 1 height width"], *, sigma: float
) -> Float[Tensor, "1 1 height width"]:
    reach = max(1, math.ceil(3 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = kernel / kernel.sum()
    picture = torch.nn.functional.conv2d(picture, kernel[None, None, None], padding=(0, reach))
    return torch.nn.functional.conv2d(picture, kernel[None, None, :, None], padding=(reach, 0))
