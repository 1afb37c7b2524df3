"""Which keypoints are seen: the pixel shows the same person and part, and no nearer skin."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN
from data_builders.studio.masks import Masks
from data_builders.studio.skinning import StudioBody
from unipose.body.camera import Camera
from unipose.body.regions import REGIONS
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import JOINT_OF_KEYPOINT, WHOLE_BODY_NAMES
from unipose.render.compiled import compiled

FLESH = {
    "pelvis": 0.17, "hip": 0.13, "spine1": 0.15, "spine2": 0.15, "spine3": 0.16, "knee": 0.085,
    "ankle": 0.075, "foot": 0.055, "neck": 0.10, "collar": 0.11, "head": 0.13, "shoulder": 0.085,
    "elbow": 0.065, "wrist": 0.05, "hand": 0.04,
}  # fmt: skip
"""Metres of flesh in front of a joint that does not hide it."""

SURFACE = 0.014
"""The same for points of face, fingers and toes, which lie on or just under the skin."""


class KeypointJudge:
    """Says of each keypoint of a body whether a picture shows it."""

    def __init__(self, body: StudioBody) -> None:
        joints = np.array([FLESH[joint.split("_")[-1]] for joint in SMPL.joints])
        points = np.full(len(WHOLE_BODY_NAMES), SURFACE)
        for row, name in enumerate(WHOLE_BODY_NAMES):
            if name in JOINT_OF_KEYPOINT:
                points[row] = joints[SMPL.index[JOINT_OF_KEYPOINT[name]]]
        self.flesh = np.concatenate([joints, points])
        self.parts = np.concatenate(
            [
                _parts_around(body, body.rest_joints, joints),
                _parts_around(body, body.rest_points(), points + 0.01),
            ]
        )

    def judge(
        self,
        px: Float[np.ndarray, "point 2"],
        depth: Float[np.ndarray, " point"],
        camera: Camera,
        number: int,
        masks: Masks,
        surface: Float[np.ndarray, "height width"],
    ) -> Int[np.ndarray, " point"]:
        """Return OUTSIDE, HIDDEN or SEEN for a person's 24 joints, then their 133 keypoints."""
        verdict = np.full(len(px), OUTSIDE)
        compiled(_judge)(
            px,
            depth,
            self.flesh,
            self.parts,
            camera.focal * len(surface),
            number,
            masks.instances,
            masks.parts,
            surface,
            verdict,
        )
        return verdict


def _judge(
    px: np.ndarray,
    depth: np.ndarray,
    flesh: np.ndarray,
    around: np.ndarray,
    focal_px: float,
    number: int,
    instances: np.ndarray,
    parts: np.ndarray,
    surface: np.ndarray,
    verdict: np.ndarray,
) -> None:
    """Write what is seen, looking at the pixel and its eight neighbours (compiled)."""
    height, width = instances.shape
    for i in range(len(px)):
        x, y, z = px[i, 0], px[i, 1], depth[i]
        if not (z > 0 and 0 <= x < width and 0 <= y < height):
            continue
        verdict[i] = HIDDEN
        step = z / focal_px  # a pixel's width there (metres)
        column, row = int(x), int(y)
        for r in range(max(row - 1, 0), min(row + 2, height)):
            for c in range(max(column - 1, 0), min(column + 2, width)):
                if instances[r, c] == number + 1 and around[i, parts[r, c] - 1]:
                    behind = z - surface[r, c]
                    if -0.05 - 4 * step < behind < flesh[i] + step:
                        verdict[i] = SEEN


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
