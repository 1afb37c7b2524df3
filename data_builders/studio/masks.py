"""Masks, counts and boxes of the people in a picture, all in one walk over the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from unipose.body.camera import Camera
from unipose.body.regions import REGIONS
from unipose.render.compiled import compiled
from unipose.render.mesh_buffer import MeshBuffer


@dataclass(frozen=True, kw_only=True, eq=False)
class Masks:
    """What the pixels say about `person` people."""

    instances: UInt8[np.ndarray, "height width"]
    """Number of the person seen, plus 1; 0 where nobody is."""
    parts: UInt8[np.ndarray, "height width"]
    """Position in REGIONS, plus 1."""
    covered: UInt8[np.ndarray, "height width"]
    """Bit i: person i is here, seen or not."""
    part_px: Int[np.ndarray, "person region"]
    """Pixels that show each part."""
    seen_px: Int[np.ndarray, " person"]
    whole_px: Int[np.ndarray, " person"]
    """Pixels of each person if nothing stood in front."""
    boxes: Int[np.ndarray, "person 4"]
    """Left, top, right, bottom; left > right if nothing is seen."""

    def box(self, person: int) -> tuple[float, float, float, float] | None:
        """Return the box of a person; None if nothing of them is seen."""
        left, top, right, bottom = (float(side) for side in self.boxes[person].tolist())
        return (left, top, right, bottom) if left < right else None


def collect_masks(
    buffer: MeshBuffer, region_of_face: UInt8[np.ndarray, " face"], people: int
) -> Masks:
    """Return the masks of the first `people` meshes of a buffer."""
    shape = buffer.mesh.shape
    masks = Masks(
        instances=np.zeros(shape, dtype=np.uint8),
        parts=np.zeros(shape, dtype=np.uint8),
        covered=np.zeros(shape, dtype=np.uint8),
        part_px=np.zeros((people, len(REGIONS)), dtype=np.int64),
        seen_px=np.zeros(people, dtype=np.int64),
        whole_px=np.zeros(people, dtype=np.int64),
        boxes=np.tile(np.array([shape[1], shape[0], 0, 0]), (people, 1)),
    )
    compiled(_collect)(
        buffer.mesh,
        buffer.faces,
        buffer.covered,
        region_of_face,
        masks.instances,
        masks.parts,
        masks.covered,
        masks.part_px,
        masks.seen_px,
        masks.whole_px,
        masks.boxes,
    )
    return masks


def project(
    camera: Camera, points: Float[np.ndarray, "point 3"], height_px: int, width_px: int
) -> tuple[Float[np.ndarray, "point 2"], Float[np.ndarray, " point"]]:
    """Return the pixels (x right, y down; NaN behind the camera) and the depths of world points."""
    px, depth = np.empty((len(points), 2)), np.empty(len(points))
    compiled(_project)(
        points,
        camera.camera_from_world.numpy(),
        camera.position.numpy(),
        camera.focal * height_px,
        width_px / 2 + camera.centre[0] * height_px,
        height_px / 2 + camera.centre[1] * height_px,
        px,
        depth,
    )
    return px, depth


def outline(
    camera: Camera, points: Float[np.ndarray, "point 3"], height_px: int, width_px: int
) -> tuple[float, float, float, float]:
    """Return the box around points in pixels, left, top, right, bottom; NaN if all are behind."""
    px, _ = project(camera, points, height_px, width_px)
    (left, top), (right, bottom) = np.fmin.reduce(px).tolist(), np.fmax.reduce(px).tolist()
    return left, top, right, bottom


def _collect(
    mesh: np.ndarray,
    triangle: np.ndarray,
    covered: np.ndarray,
    region_of_face: np.ndarray,
    instances: np.ndarray,
    parts: np.ndarray,
    people_covered: np.ndarray,
    part_px: np.ndarray,
    seen_px: np.ndarray,
    whole_px: np.ndarray,
    boxes: np.ndarray,
) -> None:
    """Fill the last seven arrays (compiled)."""
    height, width = mesh.shape
    people = len(whole_px)
    bits = (1 << people) - 1
    for y in range(height):
        for x in range(width):
            here = covered[y, x] & bits
            if here == 0:
                continue
            people_covered[y, x] = here
            for person in range(people):
                whole_px[person] += here >> person & 1
            person = int(mesh[y, x])
            if person >= people:
                continue
            region = region_of_face[triangle[y, x]]
            instances[y, x] = person + 1
            parts[y, x] = region + 1
            part_px[person, region] += 1
            seen_px[person] += 1
            boxes[person, 0] = min(boxes[person, 0], x)
            boxes[person, 1] = min(boxes[person, 1], y)
            boxes[person, 2] = max(boxes[person, 2], x + 1)
            boxes[person, 3] = max(boxes[person, 3], y + 1)


def _project(
    points: np.ndarray,
    turn: np.ndarray,
    position: np.ndarray,
    focal_px: float,
    middle_x: float,
    middle_y: float,
    px: np.ndarray,
    depth: np.ndarray,
) -> None:
    """Fill the last two arrays (compiled)."""
    for i in range(len(points)):
        a = points[i, 0] - position[0]
        b = points[i, 1] - position[1]
        c = points[i, 2] - position[2]
        z = turn[2, 0] * a + turn[2, 1] * b + turn[2, 2] * c
        depth[i] = z
        if z > 0:
            x = turn[0, 0] * a + turn[0, 1] * b + turn[0, 2] * c
            y = turn[1, 0] * a + turn[1, 1] * b + turn[1, 2] * c
            px[i, 0] = x / z * focal_px + middle_x
            px[i, 1] = y / z * focal_px + middle_y
        else:
            px[i, 0] = np.nan
            px[i, 1] = np.nan
