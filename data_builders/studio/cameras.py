"""Where the camera stands, what it frames, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, log, sin, sqrt, tan

import numpy as np
import torch
from jaxtyping import Float

from data_builders.studio.block_random import BlockRandom
from unipose.body.camera import Camera
from unipose.render.compiled import compiled

Vector = list[float]
"""x, y, z in the world."""

LOWEST = 0.12
"""Metres above the floor that the camera keeps."""

NEAREST = 0.8
"""Metres that it keeps from what it shows."""


@dataclass(frozen=True, kw_only=True)
class CameraPlacement:
    """How somebody holds a camera; angles in radians."""

    azimuth: float
    """From where: the angle from +z towards +x."""
    elevation: float
    field_of_view: float
    roll: float
    fill: float
    """How much of the picture's smaller side the framed points take; over 1 cuts them off."""
    aim: tuple[float, float]
    """How far the target is from the middle: right and down, in heights of the picture."""
    orbit: float
    """How far the camera goes around in a film."""
    dolly: float
    """How much nearer or further it ends (share of the distance)."""
    follow: float
    """0: it stands still; 1: it keeps those it films in the middle."""
    shake: Float[np.ndarray, "3 4"] | None = None
    """Amplitude (radians), waves per film and phases of the hand's trembling."""


def draw_view(random: BlockRandom, *, close: bool, tilt: float, moving: bool) -> CameraPlacement:
    """Return a view; `close` ones cut people off, `moving` ones tremble."""
    low, high = (0.95, 1.35) if close else (0.55, 0.97)
    fill = random.uniform(low, high)
    room = max(0.0, 1 - fill) * 0.45
    return CameraPlacement(
        azimuth=random.uniform(-np.pi, np.pi),
        elevation=min(max(random.normal(0.16, 0.2), -0.25), 0.95),
        field_of_view=exp(random.uniform(log(0.4), log(1.15))),
        roll=random.normal(0.0, tilt),
        fill=fill,
        aim=(random.uniform(-room, room), random.uniform(-room, room)),
        orbit=random.normal(0.0, 0.45),
        dolly=random.uniform(-0.25, 0.25),
        follow=random.uniform(0.3, 1.0),
        shake=np.array(
            [
                [random.uniform(low, high) for _ in range(4)]
                for low, high in ((0.0, 0.012), (1.0, 5.0), (0.0, 6.28))
            ]
        )
        if moving
        else None,
    )


def place_cameras(
    view: CameraPlacement, frames: list[Float[np.ndarray, "_ 3"]], aspect: float
) -> list[Camera]:
    """Return a camera for each frame of a film (or the one frame of a picture).

    `frames` are the points to be framed at each moment; `aspect` is width / height.
    """
    target, distance = _frame(view, np.concatenate(frames), aspect)
    if len(frames) == 1:
        return [_stand(view, target, view.azimuth, distance, None)]
    centres = np.stack([(points.min(0) + points.max(0)) / 2 for points in frames])
    drift = (centres - centres.mean(0)) * view.follow
    cameras = []
    for i, shift in enumerate(drift.tolist()):
        part = i / (len(frames) - 1) - 0.5
        goal = [a + b for a, b in zip(target, shift)]
        reach = distance * (1 + view.dolly * (part + 0.5))
        cameras.append(_stand(view, goal, view.azimuth + view.orbit * part, reach, part))
    return cameras


def _stand(
    view: CameraPlacement, goal: Vector, angle: float, distance: float, moment: float | None
) -> Camera:
    """Return the camera that sees `goal` from a distance, above the floor."""
    away = _direction(angle, view.elevation)
    place = [a + b * distance for a, b in zip(goal, away)]
    place[1] = max(place[1], LOWEST)
    return _look(place, goal, view, moment)


def _look(place: Vector, goal: Vector, view: CameraPlacement, moment: float | None) -> Camera:
    """Return the camera at `place` that sees `goal` where the view aims."""
    ahead = _unit([b - a for a, b in zip(place, goal)])
    right, down = _beside(ahead)
    tangent = 2 * tan(view.field_of_view / 2)
    aside, below, roll = -view.aim[0] * tangent, -view.aim[1] * tangent, view.roll
    if moment is not None and view.shake is not None:
        waves = view.shake[0] * np.sin(view.shake[1] * moment * 2 * np.pi + view.shake[2])
        aside += float(waves[0] + waves[1])
        below += float(waves[2] + waves[3])
        roll += float(waves.sum())
    ahead = _unit([a + aside * r + below * d for a, r, d in zip(ahead, right, down)])
    right, down = _beside(ahead)
    cosine, sine = cos(roll), sin(roll)
    axes = [
        [cosine * r + sine * d for r, d in zip(right, down)],
        [cosine * d - sine * r for r, d in zip(right, down)],
        ahead,
    ]
    return Camera(
        camera_from_world=torch.tensor(axes, dtype=torch.float64),
        position=torch.tensor(place, dtype=torch.float64),
        focal=1 / tangent,
    )


def _frame(
    view: CameraPlacement, points: Float[np.ndarray, "point 3"], aspect: float
) -> tuple[Vector, float]:
    """Return the target and the distance from which `points` fill the picture as wanted."""
    ahead = [-part for part in _direction(view.azimuth, view.elevation)]
    right, down = _beside(ahead)
    found = np.empty(4)
    tangent = tan(view.field_of_view / 2) * view.fill
    compiled(_fit)(points, np.array([right, down, ahead]), tangent * aspect, tangent, found)
    *target, distance = found.tolist()
    return target, distance


def _fit(
    points: np.ndarray, axes: np.ndarray, across: float, below: float, found: np.ndarray
) -> None:
    """Write the target and the distance (compiled).

    From the middle of the points' box the target is moved to the middle of what is seen of them.
    """
    for k in range(3):
        found[k] = (points[:, k].min() + points[:, k].max()) / 2
    distance = 1.0
    seen = np.empty((len(points), 3))
    for _ in range(3):
        distance = NEAREST
        for i in range(len(points)):
            for axis in range(3):
                seen[i, axis] = 0.0
                for k in range(3):
                    seen[i, axis] += (points[i, k] - found[k]) * axes[axis, k]
            distance = max(distance, abs(seen[i, 0]) / across - seen[i, 2])
            distance = max(distance, abs(seen[i, 1]) / below - seen[i, 2])
        for axis in range(2):
            low, high = np.inf, -np.inf
            for i in range(len(points)):
                place = seen[i, axis] / max(distance + seen[i, 2], 0.1)
                low, high = min(low, place), max(high, place)
            for k in range(3):
                found[k] += axes[axis, k] * (low + high) / 2 * distance
    found[3] = distance


def _direction(angle: float, elevation: float) -> Vector:
    flat = cos(elevation)
    return [sin(angle) * flat, sin(elevation), cos(angle) * flat]


def _beside(ahead: Vector) -> tuple[Vector, Vector]:
    """Return the axes to the right (level) and down of somebody who looks ahead."""
    right = _unit([-ahead[2], 0.0, ahead[0]])
    (x, y, z), (u, v, w) = ahead, right
    return right, [y * w - z * v, z * u - x * w, x * v - y * u]


def _unit(vector: Vector) -> Vector:
    x, y, z = vector
    size = sqrt(x * x + y * y + z * z)
    return [x / size, y / size, z / size]
