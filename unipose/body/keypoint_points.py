"""Where the keypoints of any set are on a body."""

from __future__ import annotations

import torch

from unipose.body.body import Body
from unipose.body.keypoint_sets import KeypointSet
from unipose.body.skeletons import SMPL
from unipose.body.whole_body import WHOLE_BODY_NAMES, WholeBodyPoints, whole_body_points
from unipose.errors import SkeletonError

_ALSO = {"back": "spine2", "jaw": "face-8", "head_top": ""}
"""Human3.6M's own names: its jaw is the chin, its head the highest vertex of the zero pose."""


def keypoint_points(body: Body, of: KeypointSet) -> WholeBodyPoints:
    """Return where the keypoints of a set are on a body.

    SMPL's joints and COCO-WholeBody's points by name, and those of Human3.6M. Raises SkeletonError
    for a keypoint of another name.
    """
    whole = whole_body_points(body)
    of_joints = torch.zeros(len(of), len(SMPL.joints))
    of_vertices = torch.zeros(len(of), len(body.template))
    for row, name in enumerate(of.names):
        known = _ALSO.get(name, name)
        if known in SMPL.index:
            of_joints[row, SMPL.index[known]] = 1
        elif known in WHOLE_BODY_NAMES:
            at = WHOLE_BODY_NAMES.index(known)
            of_joints[row], of_vertices[row] = whole.of_joints[at], whole.of_vertices[at]
        elif not known:
            of_vertices[row, int(body.template[:, 1].argmax())] = 1
        else:
            raise SkeletonError(f"no place on a body is known for {name!r} of {of.name}")
    return WholeBodyPoints(of_joints=of_joints, of_vertices=of_vertices)
