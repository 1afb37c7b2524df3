"""People who might be taken: what is kept of each record until its picture is made.

A row holds plain numbers, so that millions of them fit on disk and any worker can go on with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float

from data_builders.posecodes.keypoints import body_joints, facing_is_known, joints_from_keypoints
from data_builders.readers.source import Drops
from data_builders.records import Record
from unipose.body.camera import Camera
from unipose.body.keypoint_sets import keypoint_set_of
from unipose.body.keypoints import Keypoints
from unipose.body.kinematics import forward_kinematics
from unipose.body.pose import Pose
from unipose.body.skeletons import POSED_JOINTS
from unipose.posecodes.joints import normalised_root

_NUMBERS = pa.list_(pa.float32())
SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("source", pa.string()),
        ("split", pa.string()),
        ("sequence", pa.string()),
        ("joints", _NUMBERS),  # 22 x 3, in the frame of captions; NaN: not known
        ("picture", pa.string()),
        ("orientation", pa.int8()),
        ("box", pa.list_(pa.float64())),
        ("rotations", _NUMBERS),  # 24 x 3 x 3
        ("betas", _NUMBERS),
        ("translation", _NUMBERS),
        ("body", pa.string()),
        ("camera", pa.list_(pa.float64())),  # rotation 9, position 3, focal 1, centre 2
        ("names", pa.list_(pa.string())),
        ("points", pa.list_(pa.float64())),
        ("visible", _NUMBERS),
        ("label", pa.string()),
        ("others", pa.list_(pa.float64())),  # boxes of the other people in the picture
    ]
)
"""Of a candidate; a null says that the source does not know. In the studio, where pictures are
taken later, there is nothing but key, sequence and joints."""

Row = dict[str, Any]
Joints = Float[np.ndarray, "pose 22 3"]


def sequence_of(record: Record) -> str:
    """Return what is the same for all frames that share a world: a recording, by its key."""
    stem, colon, _ = record.key.partition(":")
    if colon:
        return stem
    if "frame" in record.other and record.image is not None:
        return f"{record.source}/{record.image.parent.name}"
    return record.key


def record_rows(
    records: Sequence[Record],
    joints_at_rest: Float[torch.Tensor, "24 3"],
    orientation: Literal["zero", "yaw"],
    drops: Drops,
) -> list[Row]:
    """Return the rows of records; those that cannot be shown or spoken of are noted in `drops`."""
    usable = [record for record in records if _has_picture(record, drops)]
    posed = [record for record in usable if record.pose is not None]
    seen = [record for record in usable if record.pose is None and _has_joints(record, drops)]
    joints: dict[str, np.ndarray] = {}
    if posed:
        rotations = np.concatenate([r.pose.rotations.numpy() for r in posed if r.pose is not None])
        for record, row in zip(posed, caption_joints(rotations, joints_at_rest, orientation)):
            joints[record.key] = row
    for record in seen:
        assert record.keypoints_3d is not None
        joints[record.key] = body_joints(record.keypoints_3d, mode=orientation)[0]
    return [_row(record, joints[record.key]) for record in usable if record.key in joints]


def caption_joints(
    rotations: Float[np.ndarray, "pose 24 3 3"],
    joints_at_rest: Float[torch.Tensor, "24 3"],
    orientation: Literal["zero", "yaw"],
) -> Joints:
    """Return the joints of poses in the frame of captions, on the body's mean shape (metres)."""
    turned = np.asarray(rotations, dtype=np.float64)[:, :POSED_JOINTS].copy()
    turned[:, 0] = normalised_root(turned[:, 0], orientation)
    return forward_kinematics(torch.from_numpy(turned), joints_at_rest.double()).numpy()


def record_of(row: Row) -> Record:
    """Return the record that a row was made of, without its 3D keypoints."""
    pose = None
    if row["rotations"] is not None:
        pose = Pose(
            rotations=_tensor(row["rotations"]).reshape(1, 24, 3, 3),
            betas=None if row["betas"] is None else _tensor(row["betas"])[None],
            translation=None if row["translation"] is None else _tensor(row["translation"])[None],
            body=row["body"],
        )
    camera = None
    if row["camera"] is not None:
        numbers = torch.tensor(row["camera"], dtype=torch.float64)
        camera = Camera(
            camera_from_world=numbers[:9].reshape(3, 3),
            position=numbers[9:12],
            focal=float(numbers[12]),
            centre=(float(numbers[13]), float(numbers[14])),
        )
    keypoints = None
    if row["names"] is not None:
        visible = torch.tensor(row["visible"], dtype=torch.float64)[None]
        keypoints = Keypoints.of(
            keypoint_set_of(row["names"]),
            torch.tensor(row["points"], dtype=torch.float64).reshape(1, -1, 2),
            visible,
            present=visible > 0,
        )
    return Record(
        key=row["key"],
        source=row["source"],
        split=row["split"],
        pose=pose,
        image=Path(row["picture"]),
        orientation=row["orientation"],
        box=tuple(row["box"]) if row["box"] is not None else None,
        camera=camera,
        keypoints_2d=keypoints,
        label=row["label"],
    )


def _has_picture(record: Record, drops: Drops) -> bool:
    if record.image is None:
        drops.add(record.key, "has no picture")
    return record.image is not None


def _has_joints(record: Record, drops: Drops) -> bool:
    """Return whether the 3D keypoints say which way the person faces."""
    known = record.keypoints_3d
    if known is None:
        drops.add(record.key, "has neither a body pose nor 3D keypoints (give fits=FILE?)")
        return False
    if not facing_is_known(joints_from_keypoints(known))[0]:
        drops.add(record.key, "neither both hips nor both shoulders are known in 3D")
        return False
    return True


def _row(record: Record, joints: Float[np.ndarray, "22 3"]) -> Row:
    pose, camera, keypoints = record.pose, record.camera, record.keypoints_2d
    return {
        "key": record.key,
        "source": record.source,
        "split": record.split,
        "sequence": sequence_of(record),
        "joints": joints.ravel().astype(np.float32),
        "picture": str(record.image),
        "orientation": record.orientation,
        "box": record.box,
        "rotations": None if pose is None else pose.rotations[0].ravel().numpy(),
        "betas": None if pose is None or pose.betas is None else pose.betas[0].numpy(),
        "translation": (
            None if pose is None or pose.translation is None else pose.translation[0].numpy()
        ),
        "body": None if pose is None else pose.body,
        "camera": None
        if camera is None
        else [
            *camera.camera_from_world.ravel().tolist(),
            *camera.position.tolist(),
            camera.focal,
            *camera.centre,
        ],
        "names": None if keypoints is None else keypoints.keypoint_set.names,
        "points": None if keypoints is None else keypoints.points_or_nan.ravel().numpy(),
        "visible": None if keypoints is None else keypoints.scores[0].numpy(),
        "label": record.label,
    }


def _tensor(numbers: Sequence[float]) -> Float[torch.Tensor, " number"]:
    return torch.tensor(numbers, dtype=torch.float32)
