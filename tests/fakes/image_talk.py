"""A small ImageScript and ImageDiff on disk: drawn stick figures, two sources, made-up texts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset
from PIL import Image, ImageDraw

from data_builders.imagescript.schema import FEATURES
from unipose.body.keypoint_sets import COCO_17

NAMES = ("nose", "left_shoulder", "right_shoulder", "left_elbow", "left_wrist", "left_hip",
         "right_hip", "left_knee", "left_ankle")  # fmt: skip
POINTS = ((48, 16), (56, 26), (40, 26), (62, 36), (66, 44), (53, 50), (43, 50), (54, 66), (54, 82))
"""Of a picture of 96 x 96; COCO's other landmarks are not known."""

COUNTS = {"imagescript-a": (4, 2, 2), "imagescript-r": (2, 0, 1), "imagediff-a": (3, 0, 2),
          "imagediff-r": (1, 1, 0), "reasoning": (2, 1, 0)}  # fmt: skip
"""Records of train, val and test; they are by turns of the studio and of coco."""

TOTAL = sum(sum(counts) for counts in COUNTS.values())


def make_picture(width: int = 96, height: int = 96, *, shade: int = 0) -> bytes:
    """Return a JPEG of a stick figure, stretched to the size."""
    picture = Image.new("RGB", (96, 96), (200, 210 - shade, 220))
    pen = ImageDraw.Draw(picture)
    pen.line(POINTS[1:5:2], fill=(40, 40, 60), width=4)
    pen.ellipse((40, 6, 56, 24), fill=(90, 60, 50))
    pen.rectangle((40, 26, 56, 52), fill=(150, 60, 60))
    pen.line([(53, 50), *POINTS[7:]], fill=(40, 40, 60), width=5)
    buffer = io.BytesIO()
    picture.resize((width, height)).save(buffer, "JPEG")
    return buffer.getvalue()


def make_person(number: int = 0, **changes: Any) -> dict[str, Any]:
    """Return a person in the schema; odd numbers are of a source that knows joints only."""
    turns = np.random.default_rng(number).normal(0, 0.2, (24, 3))
    turns[0] = 0
    joints = np.stack([np.linspace(-0.4, 0.4, 22), np.linspace(-0.9, 0.7, 22), np.zeros(22)], 1)
    joints[21] = np.nan
    points, visible = np.full((17, 2), np.nan), np.zeros(17)
    at = COCO_17.indices(*NAMES)
    points[at], visible[at] = POINTS, [1, 1, 1, 1, 0.5, 1, 1, 1, 1]
    only_joints = bool(number % 2)
    person = {
        "key": f"{'coco' if only_joints else 'studio'}/{number}",
        "source": "coco" if only_joints else "studio",
        "box": [38.0, 5.0, 70.0, 90.0],
        "pose": None if only_joints else turns.tolist(),
        "betas": None if only_joints else [0.0] * 10,
        "body": "" if only_joints else "open",
        "root_in_camera": None,
        "translation": None if only_joints else [0.0, 0.9, 0.0],
        "focal_px": None if only_joints else [120.0, 120.0],
        "centre_px": None if only_joints else [48.0, 48.0],
        "joints": joints.tolist(),
        "keypoints_2d": {
            "names": list(COCO_17.names),
            "points": points.tolist(),
            "visible": visible.tolist(),
        },
        "label": "" if only_joints else "wave",
        "contacts": [] if only_joints else ["left hand - left thigh"],
    }
    return person | changes


def make_row(config: str, number: int, **changes: Any) -> dict[str, Any]:
    """Return a record of a configuration."""
    picture = {"bytes": make_picture(shade=number % 90), "path": None}
    said = f"Number {number} stands with the left arm bent."
    row: dict[str, Any] = {"key": f"{config}/{number}"}
    if config.startswith("imagediff"):
        row |= {"image_a": picture, "image_b": picture}
        row |= {"person_a": make_person(number), "person_b": make_person(number + 2)}
        row |= {"texts": [said, "Bend it."], "similarity": 0.8, "differences": 12}
        row |= {"same_world": False}
    else:
        texts = [said, f"{said} Really.", "Stand."] if config.endswith("-a") else [said]
        row |= {"image": picture, "person": make_person(number), "captions": texts}
    if config == "reasoning":
        row |= {"people": 2, "who": ["the person on the left", "the person in red"]}
    if config.endswith("-r"):
        row |= {"by": "rules"}
    return row | changes


def write_rows(
    folder: Path, config: str, rows: list[dict[str, Any]], *, split: str = "train"
) -> None:
    """Write rows as the builder does."""
    (folder / config).mkdir(parents=True, exist_ok=True)
    data = Dataset.from_list(rows, features=FEATURES[config])
    data.to_parquet(folder / config / f"{split}-00000-of-00001.parquet")


def write_image_talk(
    folder: Path, counts: Mapping[str, tuple[int, int, int]] = COUNTS
) -> dict[str, dict[str, dict[str, int]]]:
    """Write a whole data set, and return the counts by source, configuration and split."""
    found: dict[str, dict[str, dict[str, int]]] = {"studio": {}, "coco": {}}
    for config, sizes in counts.items():
        for split, size in zip(("train", "val", "test"), sizes, strict=True):
            if not size:
                continue
            write_rows(folder, config, [make_row(config, i) for i in range(size)], split=split)
            for source, odd in (("studio", 0), ("coco", 1)):
                here = sum(i % 2 == odd for i in range(size))
                found[source].setdefault(config, {})[split] = here
    return found
