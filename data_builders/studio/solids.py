"""Things that are no people: furniture around them, and what stands between them and the camera."""

from __future__ import annotations

from math import cos, hypot, pi, sin, sqrt

import numpy as np
from jaxtyping import Float

from data_builders.studio.block_random import BlockRandom
from data_builders.studio.clothing import NAMES, PALETTE, linear
from data_builders.studio.shading import Solid
from unipose.body.camera import Camera

SIDES = 12
"""Of a bar or a disc."""

BOX_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [5, 4, 6], [5, 6, 7], [4, 0, 2], [4, 2, 6],
     [1, 5, 7], [1, 7, 3], [2, 3, 7], [2, 7, 6], [4, 5, 1], [4, 1, 0]], dtype=np.int32
)  # fmt: skip


BOX_CORNERS = np.array([[i & 1, i >> 1 & 1, 1 - (i >> 2 & 1)] for i in range(8)]) - 0.5


def draw_props(
    random: BlockRandom,
    people: Float[np.ndarray, "point 3"],
    camera_place: Float[np.ndarray, " 3"],
) -> list[Solid]:
    """Return boxes on the floor (tables, crates, cupboards) that touch nobody."""
    props = []
    x, _, z = people.mean(0).tolist()
    for _ in range(random.below(4)):
        size = [random.uniform(0.3, most) for most in (1.2, 1.6, 0.9)]
        angle, distance = random.uniform(-pi, pi), random.uniform(1.2, 3.0)
        place = np.array([x + distance * sin(angle), size[1] / 2, z + distance * cos(angle)])
        reach = hypot(size[0], size[2]) / 2 + 0.1
        colours = _colours(random)
        yaw = random.uniform(-pi, pi)
        off = people - place
        away = sqrt(float((off[:, 0] ** 2 + off[:, 2] ** 2).min()))
        x_off, _, z_off = (camera_place - place).tolist()
        if away > reach and hypot(x_off, z_off) > reach + 0.4:
            props.append(box(place, np.array(size), yaw, colours))
    return props


def draw_occluder(random: BlockRandom, camera: Camera, victim: Float[np.ndarray, "24 3"]) -> Solid:
    """Return something between the camera and a person (given by their joints)."""
    place = camera.position.numpy()
    target = victim[random.below(len(victim))]
    between = place + (target - place) * random.uniform(0.35, 0.8)
    far = float(np.linalg.norm(between - place))
    view = far / camera.focal  # height of what the camera sees there (metres)
    colours = _colours(random)
    kind = random.below(5)
    right, down, ahead = camera.camera_from_world.numpy()
    if kind == 0:  # a crate or a table, on the floor
        size = np.array([random.uniform(*r) for r in ((0.25, 0.9), (0.4, 0.9), (0.25, 0.5))])
        size *= min(1.0, view)
        centre = np.array([between[0], size[1] / 2, between[2]])
        return box(centre, size, random.uniform(-pi, pi), colours)
    if kind == 1:  # a pole
        foot = np.array([between[0], 0.0, between[2]])
        radius = random.uniform(0.015, 0.05) * view
        return bar(foot, foot + np.array([0.0, 4.0, 0.0]), radius, colours)
    if kind == 2:  # a rail, or a branch
        slope = right * cos(tilt := random.normal(0.0, 0.3)) + down * sin(tilt)
        return bar(
            between - slope * 6, between + slope * 6, random.uniform(0.01, 0.04) * view, colours
        )
    if kind == 3:  # something round and near, such as a balloon or a leaf
        return disc(between, -ahead, right, random.uniform(0.05, 0.16) * view, colours)
    side = right if random.random() < 0.5 else -right  # a door frame: one side of the picture
    edge = between + side * view * random.uniform(0.02, 0.2)
    return panel(edge, edge + side * 9, down * 9, colours)


def box(
    centre: Float[np.ndarray, " 3"],
    size: Float[np.ndarray, " 3"],
    yaw: float,
    colours: Float[np.ndarray, "2 3"],
) -> Solid:
    """Return a box turned about the vertical."""
    cosine, sine = cos(yaw), sin(yaw)
    corner = BOX_CORNERS * size
    turned = np.stack(
        [
            cosine * corner[:, 0] + sine * corner[:, 2],
            corner[:, 1],
            cosine * corner[:, 2] - sine * corner[:, 0],
        ],
        axis=1,
    )
    return Solid(vertices=turned + centre, faces=BOX_FACES, colour=colours[0], second=colours[1])


def bar(
    start: Float[np.ndarray, " 3"],
    end: Float[np.ndarray, " 3"],
    radius: float,
    colours: Float[np.ndarray, "2 3"],
) -> Solid:
    """Return a round bar without its ends."""
    along = (end - start) / np.linalg.norm(end - start)
    first = np.cross(along, [1.0, 0, 0] if abs(along[0]) < 0.8 else [0, 1.0, 0])
    first /= np.linalg.norm(first)
    second = np.cross(along, first)
    angle = np.arange(SIDES)[:, None] * (2 * np.pi / SIDES)
    ring = (np.cos(angle) * first + np.sin(angle) * second) * radius
    i = np.arange(SIDES)
    j = (i + 1) % SIDES
    faces = np.concatenate(
        [np.stack([i, j, j + SIDES], axis=1), np.stack([i, j + SIDES, i + SIDES], axis=1)]
    )
    return Solid(
        vertices=np.concatenate([start + ring, end + ring]),
        faces=faces.astype(np.int32),
        colour=colours[0],
        second=colours[1],
    )


def disc(
    centre: Float[np.ndarray, " 3"],
    normal: Float[np.ndarray, " 3"],
    across: Float[np.ndarray, " 3"],
    radius: float,
    colours: Float[np.ndarray, "2 3"],
) -> Solid:
    """Return a flat disc that is seen from where `normal` points to."""
    up = np.cross(normal, across)
    angle = np.arange(SIDES)[:, None] * (2 * np.pi / SIDES)
    ring = centre + (np.cos(angle) * across + np.sin(angle) * up) * radius
    i = np.arange(1, SIDES - 1)
    return Solid(
        vertices=ring,
        faces=np.stack([i * 0, i, i + 1], axis=1).astype(np.int32),
        colour=colours[0],
        second=colours[1],
    )


def panel(
    near: Float[np.ndarray, " 3"],
    far: Float[np.ndarray, " 3"],
    half: Float[np.ndarray, " 3"],
    colours: Float[np.ndarray, "2 3"],
) -> Solid:
    """Return a flat strip from `near` to `far`, `half` to either side, seen from both sides."""
    corners = np.stack([near - half, near + half, far + half, far - half])
    faces = np.array([[0, 1, 2], [0, 2, 3], [2, 1, 0], [3, 2, 0]], dtype=np.int32)
    return Solid(vertices=corners, faces=faces, colour=colours[0], second=colours[1])


def _colours(random: BlockRandom) -> Float[np.ndarray, "2 3"]:
    named = PALETTE[random.pick(NAMES)]
    grey, strength = sum(named) / 3, random.uniform(0.3, 1.0)
    first = [grey + (value - grey) * strength for value in named]
    shade = random.uniform(0.6, 1.1)
    return linear(np.array([first, [min(value * shade, 255.0) for value in first]]))
