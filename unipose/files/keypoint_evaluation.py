"""Annotations and results in COCO's layout as the columns that precision is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from unipose.body.keypoint_sets import COCO_WHOLEBODY_133, KeypointSet
from unipose.errors import FileError
from unipose.files.json_table import read_json_value
from unipose.files.keypoint_files import LARGEST_BYTES
from unipose.metrics.keypoint_precision import (
    CROWD_AREA,
    PARTS,
    KeypointDetections,
    KeypointTruth,
)

_FIELDS = ("keypoints", "foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
"""Of COCO-WholeBody: where the 133 keypoints lie in an annotation or a result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedImages:
    """What an annotation file marks."""

    people: KeypointTruth
    crowd_index: dict[int, float]
    """Of each image, where the file has them (CrowdPose)."""


def read_truth(path: Path, keypoint_set: KeypointSet) -> MarkedImages:
    """Return the marked people of an annotation file. Raises FileError for one of another kind."""
    content = read_json_value(path, largest_bytes=LARGEST_BYTES)
    try:
        rows = content["annotations"]
        triples = _triples(rows, keypoint_set)
        boxes = np.array([row["bbox"] for row in rows], dtype=np.float64).reshape(-1, 4)
        guess = CROWD_AREA * boxes[:, 2] * boxes[:, 3]
        people = KeypointTruth(
            image=np.array([row["image_id"] for row in rows], dtype=np.int64),
            points=triples[..., :2],
            marks=triples[..., 2],
            boxes=boxes,
            area=np.array([row.get("area", area) for row, area in zip(rows, guess)], dtype=float),
            crowd=np.array([bool(row.get("iscrowd", 0)) for row in rows], dtype=bool),
        )
        index = {
            int(image["id"]): float(image["crowdIndex"])
            for image in content.get("images", ())
            if "crowdIndex" in image
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no(path, "annotations", keypoint_set, error) from error
    return MarkedImages(people=people, crowd_index=index)


def read_detections(path: Path, keypoint_set: KeypointSet) -> KeypointDetections:
    """Return the detected people of a file of results. Raises FileError for one of another kind."""
    rows = read_json_value(path, largest_bytes=LARGEST_BYTES)
    try:
        triples = _triples(rows, keypoint_set)
        parts = {}
        for part in PARTS:
            if rows and all(f"{part}_score" in row for row in rows):
                parts[part] = np.array([row[f"{part}_score"] for row in rows], dtype=float)
        return KeypointDetections(
            image=np.array([row["image_id"] for row in rows], dtype=np.int64),
            points=triples[..., :2],
            scores=triples[..., 2],
            confidence=np.array([row["score"] for row in rows], dtype=float),
            part_confidence=parts,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no(path, "results", keypoint_set, error) from error


def _triples(
    rows: Sequence[dict[str, Any]], keypoint_set: KeypointSet
) -> Float[np.ndarray, "row keypoint 3"]:
    """Return x, y and mark or score; whole bodies may be in one field or in five."""
    count = len(keypoint_set)
    whole = keypoint_set == COCO_WHOLEBODY_133
    flat = [
        [n for name in _FIELDS for n in row[name]]
        if whole and len(row["keypoints"]) < 3 * count
        else row["keypoints"]
        for row in rows
    ]
    return np.array(flat, dtype=np.float64).reshape(len(rows), count, 3)


def _no(path: Path, what: str, keypoint_set: KeypointSet, error: Exception) -> FileError:
    return FileError(
        path,
        f"holds no {what} in COCO's layout with {len(keypoint_set)} keypoints "
        f"({type(error).__name__}: {error}).",
    )
