"""Keypoints written as files: archives of our own, and the layouts of COCO and OpenPose."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.errors import FileError
from unipose.files.atomic import written_whole
from unipose.files.keypoint_files import OPENPOSE_EXTRA

Layout = Literal["coco", "openpose"]


def write_keypoints(keypoints: Keypoints, path: str | Path) -> Path:
    """Write keypoints as an .npz that says which set they are; missing ones are NaN."""
    points = keypoints.points_or_nan
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(
            file, keypoints=points.numpy(), scores=keypoints.scores.numpy(),
            keypoint_set=np.array(keypoints.keypoint_set.name),
        )  # fmt: skip
    return Path(path)


def write_people(images: Iterable[ImagePeople], path: str | Path, layout: Layout = "coco") -> Path:
    """Write people as COCO results (all pictures), or as OpenPose writes one frame.

    Coordinates are rounded to thousandths of a pixel; a missing keypoint is 0, 0, 0.

    Raises FileError for OpenPose's layout with more than one picture, or with keypoints that are
    not OpenPose's.
    """
    images, path = list(images), Path(path)
    if layout == "openpose":
        if len(images) != 1:
            raise FileError(path, f"{len(images)} pictures: OpenPose has a file for each.")
        content: Any = {
            "version": 1.3,
            "people": [_openpose_person(person, path) for person in images[0].people],
        }
    else:
        content = [
            {
                "image_id": int(image.image) if image.image.isdecimal() else image.image,
                "category_id": 1,
                "keypoints": _flat(person.keypoints),
                "score": person.confidence,
            }
            | ({} if person.box is None else {"bbox": _as_xywh(person.box)})
            for image in images
            for person in image.people
            if person.keypoints is not None
        ]
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
    return path


def _openpose_person(person: PersonInImage, path: Path) -> dict[str, Any]:
    keypoints = person.keypoints
    if keypoints is None:
        raise FileError(path, "a person without keypoints cannot be written.")
    name = keypoints.keypoint_set.name
    if name not in ("openpose-18", "openpose-25", "openpose-67", "openpose-137"):
        raise FileError(path, f"{name} is not OpenPose's.", "Map the keypoints onto openpose-25.")
    flat = _flat(keypoints)
    body = 18 if name == "openpose-18" else 25
    ends = np.cumsum([0, body, 21, 21, 70]) * 3
    names = ("pose_keypoints_2d", *OPENPOSE_EXTRA)
    return {"person_id": [-1]} | {
        key: flat[a:b]
        for key, a, b in zip(names, ends, ends[1:])  # shorter sets end early
    }


def _flat(keypoints: Keypoints | None) -> list[float]:
    assert keypoints is not None
    rows = torch.cat([keypoints.points[0, :, :2], keypoints.scores[0, :, None]], dim=1)
    return [round(value, 6 if i % 3 == 2 else 3) for i, value in enumerate(rows.ravel().tolist())]


def _as_xywh(box: Box) -> list[float]:
    left, top, right, bottom = box
    return [left, top, right - left, bottom - top]
