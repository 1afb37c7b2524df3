"""From the worlds and cameras of data sets to ours: metres, y up, and our pinhole camera."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from data_builders.records import Keypoints
from unipose.body.camera import Camera
from unipose.body.pose import Pose
from unipose.errors import UnusableRecordError
from unipose.files.smpl_parameters import mean_pelvis

Y_UP = np.eye(3)
Z_UP = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Turns a world whose z is up into ours: (x, y, z) -> (x, z, -y)."""
Y_DOWN = np.diag([1.0, -1, -1])
"""Turns a camera's frame (x right, y down, z ahead), or a world that is one, into ours."""

Points = Float[np.ndarray, "keypoint 3"]


def make_camera(
    *,
    rotation: Float[np.ndarray, "3 3"],
    translation_m: Float[np.ndarray, "3"],
    focal_px: Float[np.ndarray, "2"],
    centre_px: Float[np.ndarray, "2"],
    size_px: tuple[int, int],
    turn: Float[np.ndarray, "3 3"],
) -> Camera:
    """Return our camera for x_camera = rotation @ x_world + translation in the source's world.

    `turn` takes the source's world to ours; `size_px` is width and height. Our camera has one
    focal length, the geometric mean of the two (they differ by 0.1 % in these sets). Raises
    UnusableRecordError if the rotation is none or a length is not positive.
    """
    if np.abs(rotation @ rotation.T - np.eye(3)).max() > 1e-3 or np.linalg.det(rotation) < 0:
        raise UnusableRecordError("the camera's rotation is not a rotation")
    width, height = size_px
    if width < 1 or height < 1 or not (focal_px > 0).all():
        raise UnusableRecordError(f"the camera has focal {focal_px} and {width} x {height} pixels")
    from_ours = rotation @ turn.T
    centre = (centre_px - np.array([width, height]) / 2) / height
    return Camera(
        camera_from_world=torch.from_numpy(from_ours),
        position=torch.from_numpy(-from_ours.T @ translation_m),
        focal=float(np.sqrt(focal_px[0] * focal_px[1])) / height,
        centre=(float(centre[0]), float(centre[1])),
    )


def turned(pose: Pose, turn: Float[np.ndarray, "3 3"]) -> Pose:
    """Return poses of a source's world in ours; `turn` takes the one to the other.

    The root turns about the pelvis, which does not lie at SMPL's origin: what stands at p + t must
    come to stand at turn (p + t) = p + t'.
    """
    by = torch.from_numpy(turn).float()
    rotations = pose.rotations.clone()
    rotations[:, 0] = by @ rotations[:, 0]
    if pose.translation is None:
        return replace(pose, rotations=rotations)
    pelvis = mean_pelvis(pose.body)
    return replace(
        pose, rotations=rotations, translation=(pelvis + pose.translation) @ by.T - pelvis
    )


def project(
    points_camera: Points, focal_px: Float[np.ndarray, "2"], centre_px: Float[np.ndarray, "2"]
) -> Float[np.ndarray, "keypoint 2"]:
    """Return pixels of points in the camera's frame; NaN for those not ahead of it."""
    depth = np.where(points_camera[:, 2:] > 1e-6, points_camera[:, 2:], np.nan)
    return points_camera[:, :2] / depth * focal_px + centre_px


def projected_keypoints(
    names: tuple[str, ...], pixels: Float[np.ndarray, "keypoint 2"], size_px: tuple[int, int]
) -> Keypoints:
    """Return landmarks that were computed, not looked for: 1 in the picture, 0.5 outside of it."""
    with np.errstate(invalid="ignore"):
        within = ((pixels >= 0) & (pixels <= np.array(size_px))).all(axis=1)
    known = np.isfinite(pixels.sum(axis=1))
    points = np.where(known[:, None], pixels, np.nan)
    return Keypoints(names=names, points=points, visible=np.where(within, 1.0, 0.5) * known)


def marked_keypoints(
    names: tuple[str, ...],
    points: Float[np.ndarray, "keypoint axis"],
    seen: Float[np.ndarray, " keypoint"],
) -> Keypoints:
    """Return landmarks that people marked; UnusableRecordError if not one of them is labelled."""
    if not (seen > 0).any():
        raise UnusableRecordError("no keypoint of this person is labelled")
    return Keypoints(
        names=names, points=np.where(seen[:, None] > 0, points, np.nan), visible=seen.astype(float)
    )


def known_in_3d(names: tuple[str, ...], points_m: Points) -> Keypoints:
    """Return landmarks in our world; NaN means not measured, UnusableRecordError if all are."""
    known = np.isfinite(points_m.sum(axis=1))
    if not known.any():
        raise UnusableRecordError("not one joint is measured: all are NaN")
    points = np.where(known[:, None], points_m, np.nan)
    return Keypoints(names=names, points=points, visible=known.astype(float))


def box_of(keypoints: Keypoints, size_px: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the box around 2D landmarks within the picture; UnusableRecordError if none is."""
    points = keypoints.points[keypoints.visible == 1]
    if len(points) < 2:
        raise UnusableRecordError("the person is not in the picture")
    low = np.clip(points.min(axis=0), 0, size_px)
    high = np.clip(points.max(axis=0), 0, size_px)
    return checked_box(low[0], low[1], high[0], high[1])


def checked_box(
    left: float, top: float, right: float, bottom: float
) -> tuple[float, float, float, float]:
    """Return a box, or UnusableRecordError if it has no inside."""
    if not (right - left > 1 and bottom - top > 1):
        raise UnusableRecordError(
            f"the person's box ({left:.0f}, {top:.0f}, {right:.0f}, {bottom:.0f}) is empty"
        )
    return float(left), float(top), float(right), float(bottom)
