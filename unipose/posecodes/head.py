"""How the head is held against the trunk, for poses whose joint rotations are known."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from unipose.body.skeletons import POSED_JOINTS, SMPL
from unipose.errors import PoseError

_SPINE = ("spine1", "spine2", "spine3", "neck", "head")


def head_angles(rotations: Float[np.ndarray, "pose joint 3 3"]) -> Float[np.ndarray, "pose 3"]:
    """Return nod (forward), turn (to the left) and tip (to the right) of the head, degrees.

    `rotations`: local, SMPL order, 22 or more. Nod and tip are of neck and head alone; turn is of
    the whole spine, against the pelvis. The pelvis' own rotation does not enter, so that it does
    not matter which way the body faces or whether it lies.
    """
    rotations = np.asarray(rotations, dtype=np.float64)
    if rotations.ndim != 4 or rotations.shape[1] < POSED_JOINTS:
        raise PoseError(f"expected rotations (pose, 22 or more, 3, 3), got {rotations.shape}")
    spine = np.broadcast_to(np.eye(3), (len(rotations), 3, 3))
    for joint in _SPINE[:3]:
        spine = spine @ rotations[:, SMPL.index[joint]]
    neck = rotations[:, SMPL.index["neck"]] @ rotations[:, SMPL.index["head"]]
    face = (spine @ neck)[..., 2]
    return np.degrees(
        np.stack(
            [
                np.arctan2(-neck[:, 1, 2], np.hypot(neck[:, 0, 2], neck[:, 2, 2])),
                np.arctan2(face[:, 0], face[:, 2]),
                np.arcsin(np.clip(neck[:, 1, 0], -1.0, 1.0)),
            ],
            axis=1,
        )
    )
