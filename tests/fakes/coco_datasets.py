"""COCO, CrowdPose, UBody and MPII in small: people marked in pictures, in their own layout."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from scipy.io import savemat

from tests.fakes.picture_datasets import cell, write_jpeg


def coco_person(number: int, *, image: int = 397133, **changed: object) -> dict:
    """Return an annotation of COCO: two landmarks seen, one hidden, the others not labelled."""
    marks = [[0, 0, 0]] * 17
    marks[0], marks[5], marks[11] = [100, 50, 2], [110, 80, 2], [108, 150, 1]
    return {
        "id": number, "image_id": image, "category_id": 1, "iscrowd": 0, "num_keypoints": 3,
        "area": 9000.0, "bbox": [80.0, 40.0, 60.0, 150.0],
        "keypoints": [value for mark in marks for value in mark], "segmentation": [], **changed,
    }  # fmt: skip


def coco_whole_body_person(number: int) -> dict:
    """Return an annotation of COCO-WholeBody: the left hand is labelled too."""
    hand = [[90 + i, 160, 0.9] for i in range(21)]
    return coco_person(
        number, foot_kpts=[0.0] * 18, face_kpts=[0.0] * 204, righthand_kpts=[0.0] * 63,
        lefthand_kpts=[value for mark in hand for value in mark], lefthand_valid=True,
        righthand_valid=False, face_valid=False, foot_valid=False,
        lefthand_box=[88.0, 150.0, 25.0, 20.0],
    )  # fmt: skip


def write_coco(folder: Path, people: list, *, stem: str = "person_keypoints_val2017") -> Path:
    """Write annotations of one picture, and the picture."""
    content = {
        "info": {"year": 2017},
        "licenses": [{"id": 2, "name": "Attribution License"}],
        "images": [
            {
                "id": 397133, "license": 2, "file_name": "000000397133.jpg", "height": 427,
                "width": 640, "flickr_url": "http://example.org/1.jpg",
            }
        ],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": ["nose"]}],
    }  # fmt: skip
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / f"{stem}.json").write_text(json.dumps(content))
    write_jpeg(folder / "val2017" / "000000397133.jpg", (640, 427))
    return folder


def write_crowdpose(folder: Path) -> Path:
    """Write CrowdPose's test file: one picture with one person, who has 14 landmarks."""
    marks = [[100 + i, 50 + 4 * i, 1 + i % 2] for i in range(14)]
    person = coco_person(3, image=100001, keypoints=[value for mark in marks for value in mark])
    image = {
        "id": 100001, "file_name": "100001.jpg", "width": 640, "height": 427, "crowdIndex": 0.6
    }  # fmt: skip
    content = {"images": [image], "annotations": [person], "categories": [{"id": 1}]}
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "mmpose_crowdpose_test.json").write_text(json.dumps(content))
    write_jpeg(folder / "images" / "100001.jpg", (640, 427))
    return folder


def write_ubody(folder: Path) -> Path:
    """Write a scene of UBody with frames 10, 11 and 20, one person in each."""
    frames = (10, 11, 20)
    content = {
        "images": [
            {"id": n, "file_name": f"Singing/{n}.jpg", "width": 640, "height": 427} for n in frames
        ],
        "annotations": [coco_whole_body_person(n) | {"image_id": n} for n in frames],
    }
    scene = folder / "annotations" / "Singing"
    scene.mkdir(parents=True)
    (scene / "train_annotations.json").write_text(json.dumps(content))
    for n in (10, 20):
        write_jpeg(folder / "images" / "Singing" / f"{n}.jpg", (640, 427))
    return folder


def struct_array(items: list[dict]) -> np.ndarray:
    """Return a MATLAB struct array (1, n)."""
    array = np.empty((1, len(items)), dtype=[(name, object) for name in items[0]])
    for i, item in enumerate(items):
        array[0, i] = tuple(item.values())
    return array


def write_mpii(folder: Path) -> Path:
    """Write two training pictures and one of the test set; visibility is marked in three ways."""
    marks = (1, "1", "0", np.zeros((0, 0)))
    joints = [
        {"x": 100.0 + 10 * i, "y": 200.0, "id": i, "is_visible": mark}
        for i, mark in enumerate(marks)
    ]
    person = {
        "x1": 90, "y1": 60, "x2": 130, "y2": 100, "scale": 1.5,
        "annopoints": struct_array([{"point": struct_array(joints)}]),
        "objpos": struct_array([{"x": 115, "y": 190}]),
    }  # fmt: skip
    nobody = {**person, "annopoints": np.zeros((0, 0))}
    pictures = [
        {
            "image": struct_array([{"name": f"{name}.jpg"}]),
            "annorect": people,
            "frame_sec": [],
            "vididx": [],
        }
        for name, people in (
            ("015601864", struct_array([person, nobody])),
            ("04", []),
            ("test", []),
        )
    ]
    activity = {"cat_name": "sports", "act_name": "curling", "act_id": 1}
    empty = {"cat_name": np.zeros((0, 0)), "act_name": np.zeros((0, 0)), "act_id": -1}
    release = {
        "annolist": struct_array(pictures),
        "img_train": np.array([[1, 1, 0]], dtype=np.uint8),
        "version": "12",
        "single_person": cell([1, [], []]),
        "act": struct_array([activity, empty, empty]).T,
        "video_list": cell(["abc"]),
    }
    nested = folder / "mpii_human_pose_v1_u12_2"
    nested.mkdir(parents=True)
    savemat(nested / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": struct_array([release])})
    write_jpeg(folder / "images" / "015601864.jpg", (1280, 720))
    return folder
