"""What is behind the people: rooms, open air, backdrops, or the user's own pictures.

Rooms and open air are three-dimensional: a ray meets a wall, the floor or the sky, so they move
rightly with the camera and the floor carries the people's shadows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, sin

import numpy as np
from jaxtyping import Float, UInt8

from data_builders.studio.block_random import BlockRandom
from data_builders.studio.clothing import PALETTE, Colour, linear
from data_builders.studio.shading import Light
from data_builders.studio.shadows import Shadow
from unipose.render.compiled import compiled
from unipose.render.mesh_buffer import MeshBuffer

PLANES = 6
"""A room's: left, right, floor, ceiling, back, front."""

_COLOURS = tuple(PALETTE.values())

GROUNDS = (
    (88.0, 112.0, 58.0), (126.0, 118.0, 104.0), (150.0, 132.0, 100.0), (96.0, 98.0, 100.0),
    (190.0, 176.0, 140.0), (70.0, 92.0, 48.0),
)  # fmt: skip
SKIES = (
    (150.0, 190.0, 232.0), (196.0, 206.0, 216.0), (232.0, 190.0, 150.0), (120.0, 150.0, 200.0),
)  # fmt: skip
SKYLINES = ((60.0, 82.0, 52.0), (120.0, 112.0, 108.0), (84.0, 92.0, 104.0), (150.0, 120.0, 96.0))

PICTURES = 4
"""At most so many pictures and windows hang on the walls."""

WALLS = (0, 1, 4, 5)
NO_FRAMES = np.zeros((0, 8))
FLAT_SKYLINE = np.zeros(256)


@dataclass(frozen=True, kw_only=True, eq=False)
class Background:
    """A place: what stands around the people."""

    kind: str
    """room, open air, backdrop or picture."""
    walls: Float[np.ndarray, " 6"]
    """Of a room: low x, high x, floor, ceiling, low z, high z (metres, turned by `yaw`)."""
    yaw: float
    colours: Float[np.ndarray, "6 2 3"]
    """Two per plane (linear light). Open air: ground, sky, skyline in the first three rows."""
    patterns: Float[np.ndarray, "6 3"]
    """Per plane: pattern (plain, tiles, boards, checked, striped), its size (metres), texture."""
    frames: Float[np.ndarray, "frame 8"]
    """Pictures on walls: plane, low and high u, low and high v (metres), colour."""
    skyline: Float[np.ndarray, " 256"]
    """Height of what stands at the horizon (tangent), around the circle."""
    photo: UInt8[np.ndarray, "photo_height photo_width 3"] | None = None


def draw_setting(
    random: BlockRandom, photo: UInt8[np.ndarray, "height width 3"] | None
) -> Background:
    """Return a place; with a photo, that photo."""
    kind = random.pick(("room", "open air", "backdrop"), (0.55, 0.3, 0.15))
    ceiling = random.uniform(2.4, 4.2)
    colours = [_draw_pair(random, 0.4), _draw_pair(random, 0.4)] * (PLANES // 2)
    patterns = [[0.0, random.uniform(0.12, 0.8), random.below(6)] for _ in range(PLANES)]
    patterns[2][0] = random.below(5)
    if kind == "room":
        pair, paper = _draw_pair(random, 0.12), random.pick((0, 0, 0, 1, 4))
        for plane in WALLS:
            shade = random.uniform(0.93, 1.07)
            colours[plane] = [_times(colour, shade) for colour in pair]
            patterns[plane] = [paper, *patterns[0][1:]]
        colours[3] = [(225.0, 222.0, 216.0)] * 2
    elif kind == "open air":
        ground = _times(random.pick(GROUNDS), random.uniform(0.85, 1.15))
        colours[0] = [ground, _times(ground, random.uniform(0.8, 0.95))]
        colours[1] = [(226.0, 228.0, 228.0), random.pick(SKIES)]
        colours[2] = [random.pick(SKYLINES)] * 2
        patterns[0][0] = random.pick((0, 0, 0, 1))
    return Background(
        kind="picture" if photo is not None else kind,
        walls=np.array([-1.0, 1.0, 0.0, ceiling, -1.0, 1.0]),
        yaw=random.uniform(-np.pi, np.pi),
        colours=linear(np.array(colours).clip(0, 255)),
        patterns=np.array(patterns),
        frames=_draw_frames(random, ceiling) if kind == "room" else NO_FRAMES,
        skyline=_draw_skyline(random) if kind == "open air" else FLAT_SKYLINE,
        photo=photo,
    )


def widen(setting: Background, points: Float[np.ndarray, "point 3"]) -> Background:
    """Return the room made large enough for all `points` (cameras, people)."""
    if setting.kind != "room":
        return setting
    cosine, sine = cos(setting.yaw), sin(setting.yaw)
    x = cosine * points[:, 0] - sine * points[:, 2]
    z = sine * points[:, 0] + cosine * points[:, 2]
    margin = (0.84 + 1.4 * setting.patterns[:, 1]).tolist()  # as random as anything of the room
    walls = np.array(
        [
            float(x.min()) - margin[0],
            float(x.max()) + margin[1],
            0.0,
            max(float(setting.walls[3]), float(points[:, 1].max()) + 0.4),
            float(z.min()) - margin[4],
            float(z.max()) + margin[5],
        ]
    )
    return replace(setting, walls=walls)


def paint(
    buffer: MeshBuffer,
    setting: Background,
    light: Light,
    shadow: Shadow,
    textures: Float[np.ndarray, "kind tile tile"],
    picture: Float[np.ndarray, "height width 3"],
    depth: Float[np.ndarray, "height width"],
) -> None:
    """Write colour (linear light) and depth of every pixel that sees no mesh.

    Depth is infinite where there is no place: in pictures, backdrops and the sky.
    """
    free = buffer.faces < 0
    if setting.photo is not None:
        picture[free] = _decode(_fit(setting.photo, buffer.height_px, buffer.width_px)[free])
        return
    compiled(_paint)(
        free,
        ("room", "open air", "backdrop").index(setting.kind),
        buffer.turn,
        buffer.position,
        buffer.columns,
        buffer.rows,
        setting.walls,
        setting.yaw,
        setting.colours,
        setting.patterns,
        setting.frames,
        setting.skyline,
        light.table,
        textures,
        shadow.strength,
        shadow.low_x,
        shadow.low_z,
        shadow.cell,
        picture,
        depth,
    )


def _draw_pair(random: BlockRandom, contrast: float) -> list[Colour]:
    """Return two muted colours that go together."""
    red, green, blue = random.pick(_COLOURS)
    mean, grey = (red + green + blue) / 3, random.uniform(60.0, 225.0)
    strength, second = random.uniform(0.1, 0.55), 1 + random.uniform(-contrast, contrast)
    first = (
        grey + (red - mean) * strength,
        grey + (green - mean) * strength,
        grey + (blue - mean) * strength,
    )
    return [_times(first, 1.0), _times(first, second)]


def _times(colour: Colour, factor: float) -> Colour:
    """Return a lighter or darker colour, neither black nor white."""
    red, green, blue = (min(max(value * factor, 8.0), 250.0) for value in colour)
    return red, green, blue


def _draw_frames(random: BlockRandom, ceiling: float) -> Float[np.ndarray, "frame 8"]:
    frames = np.zeros((random.below(PICTURES + 1), 8))
    for frame in frames:
        width, height = random.uniform(0.3, 1.4), random.uniform(0.3, 1.1)
        u, v = random.uniform(-2.5, 1.5), random.uniform(0.9, max(1.0, ceiling - height))
        colour = _draw_pair(random, 0.5)[0]
        frame[:] = [random.pick(WALLS), u, u + width, v, v + height, *colour]
    frames[:, 5:] = linear(frames[:, 5:])
    return frames


def _draw_skyline(random: BlockRandom) -> Float[np.ndarray, " 256"]:
    """Return houses (steps) or hills and trees (a rough line)."""
    if random.random() < 0.5:
        return np.repeat([random.uniform(0.02, 0.4) for _ in range(32)], 8)
    heights = np.zeros(256)
    for cells in (4, 16, 64):
        at = np.arange(256) / 256 * cells
        low = at.astype(int)
        knots = np.array([random.random() for _ in range(cells)])
        heights += (knots[low] + (knots[(low + 1) % cells] - knots[low]) * (at - low)) / cells
    return heights * random.uniform(0.1, 0.9)


def _fit(
    photo: UInt8[np.ndarray, "photo_height photo_width 3"], height: int, width: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the middle of a photo that fills the picture (nearest pixels)."""
    scale = min(photo.shape[0] / height, photo.shape[1] / width)
    rows = ((np.arange(height) + 0.5 - height / 2) * scale + photo.shape[0] / 2).astype(int)
    columns = ((np.arange(width) + 0.5 - width / 2) * scale + photo.shape[1] / 2).astype(int)
    return photo[rows.clip(0, photo.shape[0] - 1)[:, None], columns.clip(0, photo.shape[1] - 1)]


def _decode(srgb: UInt8[np.ndarray, "pixel 3"]) -> Float[np.ndarray, "pixel 3"]:
    return linear(np.arange(256.0)[:, None].repeat(3, 1))[:, 0][srgb]


def _paint(  # noqa: C901 - one loop, for speed
    free: np.ndarray,
    kind: int,
    turn: np.ndarray,
    position: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    walls: np.ndarray,
    yaw: float,
    colours: np.ndarray,
    patterns: np.ndarray,
    frames: np.ndarray,
    skyline: np.ndarray,
    light: np.ndarray,
    textures: np.ndarray,
    shadow: np.ndarray,
    low_x: float,
    low_z: float,
    cell: float,
    picture: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Paint a room (kind 0), open air (1) or a backdrop (2) where `free` (compiled)."""
    height, width = free.shape
    cosine, sine = np.cos(yaw), np.sin(yaw)
    ox, oz = cosine * position[0] - sine * position[2], sine * position[0] + cosine * position[2]
    normals = np.zeros((6, 3))
    for plane in range(6):
        normals[plane, plane // 2] = 1.0 - 2.0 * (plane & 1)
    lit = np.empty((6, 3))
    first, change = np.empty((6, 3)), np.empty((6, 3))  # lit colours: first + change * share
    for plane in range(6):
        nx = cosine * normals[plane, 0] + sine * normals[plane, 2]
        nz = -sine * normals[plane, 0] + cosine * normals[plane, 2]
        ny = normals[plane, 1]
        falls = max(0.0, nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2])
        if kind == 0:  # a room's walls also light each other
            falls = 0.35 + 0.5 * falls
        above = 0.5 + 0.5 * ny
        for k in range(3):
            lit[plane, k] = falls * light[1, k] + above * light[2, k] + (1 - above) * light[3, k]
    for plane in range(6):
        for k in range(3):
            shown = lit[2 if kind == 1 else plane, k]  # the ground outside faces up, as a floor
            first[plane, k] = colours[plane, 0, k] * shown
            change[plane, k] = (colours[plane, 1, k] - colours[plane, 0, k]) * shown
    for row in range(height):
        for column in range(width):
            if not free[row, column]:
                continue
            if kind == 2:
                across = columns[column] * cosine + rows[row] * sine
                part = min(1.0, max(0.0, 0.5 + across * 1.2))
                tu, tv = int(4096 + rows[row] * 150) & 127, int(4096 + columns[column] * 150) & 127
                part += 0.5 * (textures[int(patterns[0, 2]), tu, tv] - 0.5)
                for k in range(3):
                    near, other = colours[0, 0, k], colours[1, 1, k]
                    picture[row, column, k] = max(0.0, near + (other - near) * part)
                continue
            dx = turn[0, 0] * columns[column] + turn[1, 0] * rows[row] + turn[2, 0]
            dy = turn[0, 1] * columns[column] + turn[1, 1] * rows[row] + turn[2, 1]
            dz = turn[0, 2] * columns[column] + turn[1, 2] * rows[row] + turn[2, 2]
            rx, rz = cosine * dx - sine * dz, sine * dx + cosine * dz
            if kind == 1:
                plane = 0
                if dy > -1e-3:
                    steep = dy / np.sqrt(dx * dx + dz * dz + 1e-9)
                    turnaround = (np.arctan2(rx, rz) / (2 * np.pi) + 0.5) * 256
                    far = int(turnaround) & 255
                    if steep < skyline[far]:
                        share = textures[1, int(steep * 200) & 127, int(turnaround * 4) & 127]
                        share = 0.6 + 0.5 * share
                        for k in range(3):
                            picture[row, column, k] = colours[2, 0, k] * share
                    else:
                        part = min(1.0, steep * 1.6)
                        cloud = textures[0, int(steep * 60) & 127, int(turnaround * 0.5) & 127]
                        cloud = max(0.0, cloud - 0.5) * 0.8
                        for k in range(3):
                            sky = colours[1, 0, k] + (colours[1, 1, k] - colours[1, 0, k]) * part
                            picture[row, column, k] = sky + (0.9 - sky) * cloud
                    continue
                t = -position[1] / dy
            else:
                t = np.inf
                plane = 2
                if rx < 0:
                    t, plane = (walls[0] - ox) / rx, 0
                elif rx > 0:
                    t, plane = (walls[1] - ox) / rx, 1
                if dy < 0 and (walls[2] - position[1]) / dy < t:
                    t, plane = (walls[2] - position[1]) / dy, 2
                elif dy > 0 and (walls[3] - position[1]) / dy < t:
                    t, plane = (walls[3] - position[1]) / dy, 3
                if rz < 0 and (walls[4] - oz) / rz < t:
                    t, plane = (walls[4] - oz) / rz, 4
                elif rz > 0 and (walls[5] - oz) / rz < t:
                    t, plane = (walls[5] - oz) / rz, 5
            depth[row, column] = t
            x, y, z = ox + rx * t, position[1] + dy * t, oz + rz * t
            floor = kind == 1 or plane == 2
            u, v = x, z
            if kind == 0 and plane < 2:
                u, v = z, y
            elif kind == 0 and plane > 3:
                u, v = x, y
            size = patterns[plane, 1]
            tu, tv = int(8192 + u * 48) & 127, int(8192 + v * 48) & 127
            grain = textures[int(patterns[plane, 2]), tu, tv] - 0.5
            share = 0.5 + grain * min(1.0, 20 / (1 + t * t))  # far away, noise averages out
            style = int(patterns[plane, 0])
            fu, fv = u / size, v / size
            if style == 1:
                du, dv = fu - np.floor(fu), fv - np.floor(fv)
                share = 1.6 if du < 0.04 or dv < 0.04 else share * 0.6
            elif style == 2:
                board = np.floor(fu * 2)
                share = share * 0.6 + 0.5 * (board * 0.37 - np.floor(board * 0.37))
            elif style == 3:
                share = float((int(np.floor(fu)) + int(np.floor(fv))) & 1) + 0.3 * grain
            elif style == 4:
                share = float(int(np.floor(fu * 3)) & 1) + 0.2 * grain
            dim, hung = 1.0, -1
            if kind == 0 and not floor and plane != 3:
                if v < 0.09:
                    dim = 0.75
                for i in range(len(frames)):
                    if int(frames[i, 0]) == plane and (
                        frames[i, 1] < u < frames[i, 2] and frames[i, 3] < v < frames[i, 4]
                    ):
                        hung = i
            if floor:
                wx, wz = position[0] + dx * t, position[2] + dz * t
                gx, gz = (wx - low_x) / cell - 0.5, (wz - low_z) / cell - 0.5
                cx, cz = int(np.floor(gx)), int(np.floor(gz))
                if 0 <= cx < len(shadow) - 1 and 0 <= cz < len(shadow) - 1:
                    px, pz = gx - cx, gz - cz
                    dim -= (
                        shadow[cz, cx] * (1 - px) * (1 - pz)
                        + shadow[cz, cx + 1] * px * (1 - pz)
                        + shadow[cz + 1, cx] * (1 - px) * pz
                        + shadow[cz + 1, cx + 1] * px * pz
                    )
            if hung >= 0:
                dim = 0.8 + 0.6 * grain
                for k in range(3):
                    picture[row, column, k] = frames[hung, 5 + k] * dim * lit[plane, k]
                continue
            for k in range(3):
                base = (first[plane, k] + change[plane, k] * share) * dim
                picture[row, column, k] = base if base > 0 else 0.0
