"""A person's picture as it is stored: cut out around them, with all labels in its own pixels."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import roma
from jaxtyping import Bool, Float, UInt8
from PIL import Image

from data_builders.records import Record
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box
from unipose.body.skeletons import POSED_JOINTS, SMPL

JPEG_QUALITY = 90
LEAST_JOINTS = 10
"""Of 22; a person of whom fewer joints are in the picture is no sample."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of a picture that is stored, and how much smaller it is stored."""

    left: int
    top: int
    width: int
    height: int
    scale: float
    """Stored pixels per pixel, at most 1."""

    @classmethod
    def around(
        cls, box: Box | None, size_px: tuple[int, int], *, margin: float, most_px: int
    ) -> Window:
        """Return the square of `margin` times the box's longer side, as far as there is picture.

        `size_px`: width and height of the picture, all of which is taken without a box or a margin.
        The longer side is stored with at most `most_px` pixels.
        """
        width, height = size_px
        left, top, right, bottom = 0, 0, width, height
        if box is not None and margin:
            half = margin * max(box[2] - box[0], box[3] - box[1]) / 2
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            left, right = max(0, round(x - half)), min(width, round(x + half))
            top, bottom = max(0, round(y - half)), min(height, round(y + half))
        size = max(right - left, bottom - top, 1)
        return cls(
            left=left,
            top=top,
            width=max(right - left, 1),
            height=max(bottom - top, 1),
            scale=min(1.0, most_px / size),
        )

    @property
    def stored_px(self) -> tuple[int, int]:
        """Width and height of what is stored."""
        return max(1, round(self.width * self.scale)), max(1, round(self.height * self.scale))

    def cut(self, pixels: UInt8[np.ndarray, "height width 3"]) -> bytes:
        """Return the window as a JPEG file."""
        part = pixels[self.top : self.top + self.height, self.left : self.left + self.width]
        picture = Image.fromarray(np.ascontiguousarray(part))
        if self.stored_px != picture.size:
            picture = picture.resize(self.stored_px, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=JPEG_QUALITY)
        return file.getvalue()

    def place(self, points: Float[np.ndarray, "*any 2"]) -> Float[np.ndarray, "*any 2"]:
        """Return where pixels of the picture lie in the stored one."""
        scale = np.array(self.stored_px) / (self.width, self.height)
        return (points - (self.left, self.top)) * scale


def person_of(
    record: Record,
    joints: Float[np.ndarray, "22 3"],
    window: Window,
    size_px: tuple[int, int],
    contacts: tuple[str, ...] = (),
) -> dict[str, Any]:
    """Return the `person` of a row (schema.PERSON), in pixels of the window."""
    pose, camera = record.pose, record.camera
    width, height = size_px
    box = record.box or (0.0, 0.0, float(width), float(height))
    corners = window.place(np.array(box).reshape(2, 2))
    corners = np.clip(corners, 0, window.stored_px)
    focal = centre = in_camera = None
    if camera is not None:
        focal_px = camera.focal * height
        focal = (focal_px * np.array(window.stored_px) / (window.width, window.height)).tolist()
        middle = np.array([width, height]) / 2 + np.array(camera.centre) * height
        centre = window.place(middle).tolist()
        if pose is not None:
            turned = camera.camera_from_world.double() @ pose.rotations[0, 0].double()
            in_camera = roma.rotmat_to_rotvec(turned[None])[0].tolist()
    return {
        "key": record.key,
        "source": record.source,
        "box": corners.ravel().tolist(),
        "pose": None if pose is None else pose.axis_angle[0].tolist(),
        "betas": None if pose is None or pose.betas is None else pose.betas[0].tolist(),
        "body": None if pose is None else pose.body,
        "root_in_camera": in_camera,
        "translation": (
            None if pose is None or pose.translation is None else pose.translation[0].tolist()
        ),
        "focal_px": focal,
        "centre_px": centre,
        "joints": joints.tolist(),
        "keypoints_2d": _stored_keypoints(record.keypoints_2d, window),
        "label": record.label,
        "contacts": list(contacts),
    }


def outside(
    keypoints: Keypoints | None, window: Window, pixels: Float[np.ndarray, "22 2"] | None = None
) -> Bool[np.ndarray, " 22"]:
    """Return which of SMPL's first 22 joints are known to lie outside of the stored picture.

    `pixels`: where the joints are in the whole picture, if that is known; else the keypoints of
    the same names tell, and those that a source has not labelled count as outside.
    """
    found = np.zeros(POSED_JOINTS, dtype=bool)
    if pixels is not None:
        return ~_within(window.place(pixels), window)
    if keypoints is None:
        return found
    within = _within(window.place(keypoints.points_or_nan[0].numpy()), window)
    for name, inside in zip(keypoints.keypoint_set.names, within.tolist(), strict=True):
        joint = _JOINT_OF.get(name)
        if joint is not None:
            found[joint] |= not inside
    for joint, parent in _FOLLOWS.items():
        found[joint] |= found[parent]
    return found


_JOINT_OF = {name: i for i, name in enumerate(SMPL.joints[:POSED_JOINTS])} | {
    f"{side}_big_toe": SMPL.index[f"{side}_foot"] for side in ("left", "right")
}
_FOLLOWS = {
    SMPL.index[f"{side}_{joint}"]: SMPL.index[f"{side}_{parent}"]
    for side in ("left", "right")
    for joint, parent in (("foot", "ankle"),)
}
"""Where a skeleton has no toes, they are taken to be where the ankles are."""


def _within(points: Float[np.ndarray, "point 2"], window: Window) -> Bool[np.ndarray, " point"]:
    with np.errstate(invalid="ignore"):
        return np.all((points >= 0) & (points <= np.array(window.stored_px)), axis=1)


def _stored_keypoints(keypoints: Keypoints | None, window: Window) -> dict[str, Any] | None:
    if keypoints is None:
        return None
    points, scores = window.place(keypoints.points_or_nan[0].numpy()), keypoints.scores[0].numpy()
    visible = np.where((scores == 1) & ~_within(points, window), 0.5, scores)
    return {
        "names": list(keypoints.keypoint_set.names),
        "points": points.tolist(),
        "visible": visible.tolist(),
    }
