"""Light and colour of the meshes, pixel by pixel: one lamp, light from the sky and the floor.

Clothes are looked up at the place that the pixel's point has in the zero pose.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from data_builders.studio.clothing import Cut, Outfit, Slot
from data_builders.studio.skinning import PosedBody, StudioBody
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import WHOLE_BODY_NAMES
from unipose.render.compiled import compiled
from unipose.render.mesh_buffer import MeshBuffer

OPEN_HEAD = 0.150
"""Metres from the head joint to the crown of the open body, on which the face was measured."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Light:
    """What falls on a surface (linear light)."""

    to_lamp: Float[np.ndarray, " 3"]
    """Direction (unit, world frame)."""
    lamp: Float[np.ndarray, " 3"]
    sky: Float[np.ndarray, " 3"]
    ground: Float[np.ndarray, " 3"]

    @cached_property
    def table(self) -> Float[np.ndarray, "4 3"]:
        """Return the four as rows."""
        return np.stack([self.to_lamp, self.lamp, self.sky, self.ground])


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A thing that is no person: a mesh with flat faces and one colour (and a second one)."""

    vertices: Float[np.ndarray, "vertex 3"]
    faces: Int[np.ndarray, "face 3"]
    colour: Float[np.ndarray, " 3"]
    second: Float[np.ndarray, " 3"]
    """Streaks of the surface tend to this colour."""


def body_measures(body: StudioBody) -> Float[np.ndarray, " 13"]:
    """Return the places of the zero pose that clothes and faces are measured from (metres)."""
    joints = body.rest_joints
    shoulder, wrist, ankle, neck, head = SMPL.indices(
        "left_shoulder", "left_wrist", "left_ankle", "neck", "head"
    )
    crown = float(body.template[:, 1].max())
    points = dict(zip(WHOLE_BODY_NAMES, body.rest_points()))
    eye, mouth = points["left_eye"], (points["face-62"] + points["face-66"]) / 2
    return np.array(
        [
            joints[shoulder, 0],
            joints[wrist, 0],
            joints[ankle, 1],
            joints[neck, 1],
            joints[head, 1],
            joints[head, 2],
            (crown - joints[head, 1]) / OPEN_HEAD,
            eye[0],
            eye[1],
            mouth[1],
            mouth[2],
            joints[neck, 2],
            points["face-24"][1],
        ]
    )


def shade(
    buffer: MeshBuffer,
    body: StudioBody,
    measures: Float[np.ndarray, " 13"],
    people: list[PosedBody],
    outfits: list[Outfit],
    solids: list[Solid],
    light: Light,
    textures: Float[np.ndarray, "kind tile tile"],
    picture: Float[np.ndarray, "height width 3"],
) -> None:
    """Write the colour (linear light) of every pixel that sees a mesh into `picture`."""
    compiled(_shade_people)(
        buffer.mesh,
        buffer.faces,
        buffer.barycentrics,
        body.template,
        body.faces,
        np.stack([person.normals for person in people]),
        np.stack([outfit.colours for outfit in outfits]),
        np.stack([outfit.cuts for outfit in outfits]),
        measures,
        light.table,
        textures,
        picture,
    )
    if solids:
        compiled(_shade_solids)(
            buffer.mesh,
            buffer.faces,
            buffer.depth,
            len(people),
            np.concatenate([solid.vertices[solid.faces] for solid in solids]),
            np.cumsum([0, *(len(solid.faces) for solid in solids)]),
            np.array([[solid.colour, solid.second] for solid in solids]),
            buffer.turn,
            buffer.position,
            buffer.columns,
            buffer.rows,
            light.table,
            textures,
            picture,
        )


_SKIN, _TOP = int(Slot.SKIN), int(Slot.TOP)
_BOTTOM, _SHOES, _SOCKS = int(Slot.BOTTOM), int(Slot.SHOES), int(Slot.SOCKS)
_HAIR, _HAT, _LIPS = int(Slot.HAIR), int(Slot.HAT), int(Slot.LIPS)
_SLEEVE, _NECKLINE, _WAIST, _HEM = int(Cut.SLEEVE), int(Cut.NECKLINE), int(Cut.WAIST), int(Cut.HEM)
_SOCK, _SHOE, _HAIRLINE, _HATLINE = int(Cut.SOCK), int(Cut.SHOE), int(Cut.HAIRLINE), int(Cut.HAT)
_BEARD, _WRINKLES = int(Cut.BEARD), int(Cut.WRINKLES)
_TOP_PATTERN, _BOTTOM_PATTERN = int(Cut.TOP_PATTERN), int(Cut.BOTTOM_PATTERN)


def _shade_people(  # noqa: C901 - one loop, for speed
    mesh: np.ndarray,
    triangle: np.ndarray,
    barycentrics: np.ndarray,
    template: np.ndarray,
    faces: np.ndarray,
    normals: np.ndarray,
    colours: np.ndarray,
    cuts: np.ndarray,
    measures: np.ndarray,
    light: np.ndarray,
    textures: np.ndarray,
    picture: np.ndarray,
) -> None:
    """Dress and light the pixels of people (compiled)."""
    height, width = mesh.shape
    shoulder, wrist, ankle, neck, head_y, head_z = (
        measures[0], measures[1], measures[2], measures[3], measures[4], measures[5]
    )  # fmt: skip
    scale, eye_x, eye_y, mouth_y, mouth_z, neck_z, brow_y = (
        measures[6], measures[7], measures[8], measures[9], measures[10], measures[11], measures[12]
    )  # fmt: skip
    for row in range(height):
        for column in range(width):
            person = mesh[row, column]
            if person >= len(normals):
                continue
            u, v = barycentrics[row, column, 0], barycentrics[row, column, 1]
            w = 1 - u - v
            face = triangle[row, column]
            a, b, c = faces[face, 0], faces[face, 1], faces[face, 2]
            x = u * template[a, 0] + v * template[b, 0] + w * template[c, 0]
            y = u * template[a, 1] + v * template[b, 1] + w * template[c, 1]
            z = u * template[a, 2] + v * template[b, 2] + w * template[c, 2]
            cut = cuts[person]
            side = abs(x)
            arm = (side - shoulder) / (wrist - shoulder)
            up = (y - ankle) / (neck - ankle)
            deep = 0.012
            if z > neck_z:
                deep += cut[_NECKLINE]
            collar = neck - 0.014 - deep * max(0.0, 1 - side / 0.095)
            slot, tint, pattern = _SKIN, 1.0, 0
            red, green, blue = 1.0, 1.0, 1.0
            plain = True
            if y > collar:
                if y > neck + 0.02:
                    hy, hz = (y - head_y) / scale, (z - head_z) / scale
                    line = -0.058 + (hz + 0.03) * 1.55 + cut[_HAIRLINE]
                    ear = side > 0.0715 * scale and hy < 0.052 and hz > -0.02
                    dx, dy = (side - eye_x) / scale, (y - eye_y) / scale
                    if hy > cut[_HATLINE] - 0.25 * max(0.0, hz):
                        slot = _HAT
                    elif hy > line and not ear:
                        slot = _HAIR
                        tint = 0.8
                    elif hz > 0.03:
                        mx, my = side / scale, (y - mouth_y) / scale
                        if dx * dx / 1.7e-4 + dy * dy / 2.4e-5 < 1:
                            plain = False
                            white = dx * dx + dy * dy > 3.2e-5
                            red = 0.75 if white else 0.03
                            green, blue = red, red
                        elif abs((y - brow_y) / scale + 0.004 + dx * dx * 9) < 0.0032 and (
                            abs(dx) < 0.021
                        ):
                            slot = _HAIR
                        elif mx * mx / 6e-4 + my * my / 8e-5 < 1 and z > mouth_z - 0.03 * scale:
                            slot = _LIPS
                        elif (
                            cut[_BEARD] > 0
                            and my < 0.018 - 0.2 * mx
                            and (my < -0.011 or mx > 0.024 or my > 0.010)
                        ):
                            slot = _HAIR
            elif up > cut[_WAIST] and arm < cut[_SLEEVE]:
                slot, pattern = _TOP, _TOP_PATTERN
            elif up > cut[_WAIST]:
                slot = _SKIN
            elif up < cut[_SHOE]:
                slot = _SHOES
            elif up > cut[_HEM]:
                slot, pattern = _BOTTOM, _BOTTOM_PATTERN
            elif up < cut[_SOCK]:
                slot = _SOCKS
            if plain:
                red, green, blue = (
                    colours[person, slot, 0], colours[person, slot, 1], colours[person, slot, 2]
                )  # fmt: skip
            if pattern > 0 and cut[pattern] > 0:
                kind, size = int(cut[pattern]), cut[pattern + 1]
                along, across = y, x
                if arm > 0:
                    along, across = side, y
                share = 0.0
                fu, fv = along / size, across / size
                if kind == 1:
                    share = float(int(np.floor(fu)) & 1)
                elif kind == 2:
                    share = 1.0 if fv * 2 - np.floor(fv * 2) < 0.25 else 0.0
                elif kind == 3:
                    share = 0.5 * float(int(np.floor(fu)) & 1) + 0.5 * float(int(np.floor(fv)) & 1)
                elif kind == 4:
                    du, dv = fu - np.floor(fu) - 0.5, fv - np.floor(fv) - 0.5
                    share = 1.0 if du * du + dv * dv < 0.07 else 0.0
                elif kind == 5:
                    tu, tv = int(400 + along * 220) & 127, int(400 + across * 220) & 127
                    share = 1.0 if textures[0, tu, tv] > 0.55 else 0.0
                elif kind == 6:
                    share = 1.0 if up > 0.83 else 0.0
                elif kind == 7:
                    share = 1.0 if z > 0.03 and side < 0.085 and 0.77 < up < 0.9 else 0.0
                red += (colours[person, slot + 1, 0] - red) * share
                green += (colours[person, slot + 1, 1] - green) * share
                blue += (colours[person, slot + 1, 2] - blue) * share
            if slot != _SKIN and plain:
                tu = int(512 + y * 260 + cut[_WRINKLES]) & 127
                tv = int(512 + (x + z) * 260 + cut[_WRINKLES]) & 127
                tint *= 0.8 + 0.4 * textures[1, tu, tv]
            nx = u * normals[person, a, 0] + v * normals[person, b, 0] + w * normals[person, c, 0]
            ny = u * normals[person, a, 1] + v * normals[person, b, 1] + w * normals[person, c, 1]
            nz = u * normals[person, a, 2] + v * normals[person, b, 2] + w * normals[person, c, 2]
            size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            lit = max(0.0, (nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2]) / size)
            above = 0.5 + 0.5 * ny / size
            for k in range(3):
                falls = lit * light[1, k] + above * light[2, k] + (1 - above) * light[3, k]
                base = red if k == 0 else (green if k == 1 else blue)
                picture[row, column, k] = base * tint * falls


def _shade_solids(
    mesh: np.ndarray,
    triangle: np.ndarray,
    depth: np.ndarray,
    number: int,
    corners: np.ndarray,
    first_face: np.ndarray,
    colours: np.ndarray,
    turn: np.ndarray,
    position: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    light: np.ndarray,
    textures: np.ndarray,
    picture: np.ndarray,
) -> None:
    """Light the pixels of solids, the meshes from `number` on (compiled)."""
    height, width = mesh.shape
    falls = np.empty((len(corners), 3))  # light on each face
    for face in range(len(corners)):
        a, b, c = corners[face, 0], corners[face, 1], corners[face, 2]
        ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
        vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        size = np.sqrt(nx * nx + ny * ny + nz * nz) + 1e-12
        lit = max(0.0, (nx * light[0, 0] + ny * light[0, 1] + nz * light[0, 2]) / size)
        above = 0.5 + 0.5 * ny / size
        for k in range(3):
            falls[face, k] = lit * light[1, k] + above * light[2, k] + (1 - above) * light[3, k]
    for row in range(height):
        for column in range(width):
            solid = int(mesh[row, column]) - number
            if not 0 <= solid < len(colours):
                continue
            face = first_face[solid] + triangle[row, column]
            z = depth[row, column]
            px, py = columns[column] * z, rows[row] * z
            wx = turn[0, 0] * px + turn[1, 0] * py + turn[2, 0] * z + position[0]
            wy = turn[0, 1] * px + turn[1, 1] * py + turn[2, 1] * z + position[1]
            wz = turn[0, 2] * px + turn[1, 2] * py + turn[2, 2] * z + position[2]
            tu, tv = int(4096 + wy * 60) & 127, int(4096 + (wx + wz) * 60) & 127
            share = textures[3, tu, tv]
            for k in range(3):
                base = colours[solid, 0, k] + (colours[solid, 1, k] - colours[solid, 0, k]) * share
                picture[row, column, k] = base * falls[face, k]
