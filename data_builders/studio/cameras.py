"""Where the camera stands, what it frames, and how it moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from unipose.body.camera import Camera

LOWEST = 0.12
"""Metres above the floor that the camera keeps."""

NEAREST = 0.8
"""Metres that it keeps from what it shows."""


@dataclass(frozen=True, kw_only=True)
class View:
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


def draw_view(random: np.random.Generator, *, close: bool, tilt: float) -> View:
    """Return a view; `close` ones cut people off."""
    low, high = (0.95, 1.35) if close else (0.55, 0.97)
    fill = random.uniform(low, high)
    room = max(0.0, 1 - fill) * 0.45
    return View(
        azimuth=random.uniform(-np.pi, np.pi),
        elevation=float(np.clip(random.normal(0.16, 0.2), -0.25, 0.95)),
        field_of_view=float(np.exp(random.uniform(np.log(0.4), np.log(1.15)))),
        roll=random.normal(0, tilt),
        fill=fill,
        aim=(random.uniform(-room, room), random.uniform(-room, room)),
        orbit=random.normal(0, 0.45),
        dolly=random.uniform(-0.25, 0.25),
        follow=random.uniform(0.3, 1.0),
        shake=np.stack(
            [random.uniform(0, 0.012, 4), random.uniform(1, 5, 4), random.uniform(0, 6.28, 4)]
        ),
    )


def place_cameras(
    view: View, frames: list[Float[np.ndarray, "_ 3"]], aspect: float
) -> list[Camera]:
    """Return a camera for each frame of a film (or the one frame of a picture).

    `frames` are the points to be framed at each moment; `aspect` is width / height.
    """
    everything = np.concatenate(frames)
    target, distance = _frame(view, everything, aspect)
    centres = np.stack([(points.min(0) + points.max(0)) / 2 for points in frames])
    middle = centres.mean(0)
    cameras = []
    for i, centre in enumerate(centres):
        part = i / (len(frames) - 1) - 0.5 if len(frames) > 1 else 0.0
        angle = view.azimuth + view.orbit * part
        reach = distance * (1 + view.dolly * (part + 0.5)) if len(frames) > 1 else distance
        goal = target + (centre - middle) * view.follow
        away = _direction(angle, view.elevation)
        place = goal + away * reach
        place[1] = max(place[1], LOWEST)
        cameras.append(_look(place, goal, view, part if len(frames) > 1 else None))
    return cameras


def _look(
    place: Float[np.ndarray, " 3"],
    goal: Float[np.ndarray, " 3"],
    view: View,
    moment: float | None,
) -> Camera:
    """Return the camera at `place` that sees `goal` where the view aims."""
    ahead = (goal - place) / np.linalg.norm(goal - place)
    right = np.array([-ahead[2], 0.0, ahead[0]])
    right /= np.linalg.norm(right)
    down = _cross(ahead, right)
    tangent = 2 * np.tan(view.field_of_view / 2)
    ahead = ahead - (view.aim[0] * right + view.aim[1] * down) * tangent
    roll = view.roll
    if moment is not None and view.shake is not None:
        waves = view.shake[0] * np.sin(view.shake[1] * moment * 2 * np.pi + view.shake[2])
        ahead = ahead + (waves[0] + waves[1]) * right + (waves[2] + waves[3]) * down
        roll += float(waves.sum())
    ahead /= np.linalg.norm(ahead)
    right = np.array([-ahead[2], 0.0, ahead[0]])
    right /= np.linalg.norm(right)
    down = _cross(ahead, right)
    cosine, sine = np.cos(roll), np.sin(roll)
    axes = np.stack([cosine * right + sine * down, cosine * down - sine * right, ahead])
    return Camera(
        camera_from_world=torch.from_numpy(axes),
        position=torch.from_numpy(place),
        focal=float(0.5 / np.tan(view.field_of_view / 2)),
    )


def _frame(
    view: View, points: Float[np.ndarray, "point 3"], aspect: float
) -> tuple[Float[np.ndarray, " 3"], float]:
    """Return the target and the distance from which `points` fill the picture as wanted."""
    ahead = -_direction(view.azimuth, view.elevation)
    right = np.array([-ahead[2], 0.0, ahead[0]])
    right /= np.linalg.norm(right)
    down = _cross(ahead, right)
    tangent = np.tan(view.field_of_view / 2) * view.fill
    target = (points.min(0) + points.max(0)) / 2
    distance = 1.0
    for _ in range(3):
        offset = points - target
        x, y, z = (
            offset[:, 0] * axis[0] + offset[:, 1] * axis[1] + offset[:, 2] * axis[2]
            for axis in (right, down, ahead)
        )
        wanted = np.maximum(np.abs(x) / (tangent * aspect) - z, np.abs(y) / tangent - z)
        distance = max(NEAREST, float(wanted.max()))
        across, below = x / (distance + z).clip(0.1), y / (distance + z).clip(0.1)
        target = target + right * float(across.max() + across.min()) / 2 * distance
        target = target + down * float(below.max() + below.min()) / 2 * distance
    return target, distance


def _direction(angle: float, elevation: float) -> Float[np.ndarray, " 3"]:
    flat = np.cos(elevation)
    return np.array([np.sin(angle) * flat, np.sin(elevation), np.cos(angle) * flat])


def _cross(a: Float[np.ndarray, " 3"], b: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " 3"]:
    """Return a x b (for single vectors ten times faster than numpy's)."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])
