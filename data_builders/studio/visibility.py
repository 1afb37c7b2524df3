"""Which keypoints are seen: the pixel shows the same person and part, and no nearer skin."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN
from data_builders.studio.skinning import StudioBody
from unipose.body.camera import Camera
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import JOINT_OF_KEYPOINT, WHOLE_BODY_NAMES

FLESH = {
    "pelvis": 0.17, "hip": 0.13, "spine1": 0.15, "spine2": 0.15, "spine3": 0.16, "knee": 0.085,
    "ankle": 0.075, "foot": 0.055, "neck": 0.10, "collar": 0.11, "head": 0.13, "shoulder": 0.085,
    "elbow": 0.065, "wrist": 0.05, "hand": 0.04,
}  # fmt: skip
"""Metres of flesh in front of a joint that does not hide it."""

SURFACE = 0.014
"""The same for points of face, fingers and toes, which lie on or just under the skin."""

_STEPS = np.array([(y, x) for y in (0, -1, 1) for x in (0, -1, 1)])


class KeypointJudge:
    """Says of each keypoint of a body whether a picture shows it."""

    def __init__(self, body: StudioBody) -> None:
        self.joint_flesh = np.array([FLESH[joint.split("_")[-1]] for joint in SMPL.joints])
        self.joint_parts = _parts_around(body, body.rest_joints, self.joint_flesh)
        self.point_flesh = np.full(len(WHOLE_BODY_NAMES), SURFACE)
        for row, name in enumerate(WHOLE_BODY_NAMES):
            if name in JOINT_OF_KEYPOINT:
                joint = SMPL.index[JOINT_OF_KEYPOINT[name]]
                self.point_flesh[row] = self.joint_flesh[joint]
        self.point_parts = _parts_around(body, body.rest_points(), self.point_flesh + 0.01)

    def judge(
        self,
        px: Float[np.ndarray, "point 2"],
        depth: Float[np.ndarray, " point"],
        camera: Camera,
        number: int,
        instances: UInt8[np.ndarray, "height width"],
        parts: UInt8[np.ndarray, "height width"],
        surface: Float[np.ndarray, "height width"],
    ) -> Int[np.ndarray, " point"]:
        """Return OUTSIDE, HIDDEN or SEEN for the 24 joints or the 133 keypoints of a person."""
        height, width = instances.shape
        joints = len(px) == len(SMPL.joints)
        flesh = self.joint_flesh if joints else self.point_flesh
        around = self.joint_parts if joints else self.point_parts
        with np.errstate(invalid="ignore"):
            inside = (px >= 0).all(1) & (px[:, 0] < width) & (px[:, 1] < height) & (depth > 0)
        at = np.where(inside[:, None], np.nan_to_num(px), 0).astype(int)
        rows = (at[None, :, 1] + _STEPS[:, :1]).clip(0, height - 1)  # step point
        columns = (at[None, :, 0] + _STEPS[:, 1:]).clip(0, width - 1)
        own = instances[rows, columns] == number + 1
        part = parts[rows, columns].astype(int) - 1
        kin = around[np.arange(len(px))[None], part.clip(0)] & own
        step = depth / (camera.focal * height)  # a pixel's width there (metres)
        behind = depth - surface[rows, columns]
        clear = kin & (behind < flesh + step) & (behind > -0.05 - 4 * step)
        return np.where(inside, np.where(clear.any(0), SEEN, HIDDEN), OUTSIDE)


def _parts_around(
    body: StudioBody, points: Float[np.ndarray, "point 3"], reach: Float[np.ndarray, " point"]
) -> Bool[np.ndarray, "point region"]:
    """Return which regions come within reach of each point of the zero pose."""
    regions = body.regions.of_vertex.numpy()
    around = np.zeros((len(points), len(REGIONS)), dtype=bool)
    for i, point in enumerate(points):
        away = np.sqrt(((body.template - point) ** 2).sum(1))
        around[i, regions[(away < reach[i]) | (away <= away.min() + 0.01)]] = True
    return around
