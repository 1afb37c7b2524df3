"""Keypoint files of detectors: OpenPose, COCO, AlphaPose, MMPose, ultralytics, .npz and .npy.

Which layout a file has is told by its keys:

    {"people": [{"pose_keypoints_2d": [x, y, score, ...]}]}                        OpenPose, a frame
    {"people": [...], "canvas_width": w, "canvas_height": h}           ControlNet, a frame or a list
    {"1.jpg": {"people": [...]}, ...}, or "bodies" with "joints"     AlphaPose's --format open, cmu
    {"images": [...], "annotations": [{"image_id", "keypoints": [x, y, v, ...]}]}  COCO annotations
    [{"image_id", "keypoints": [x, y, score, ...], "score"}]               COCO results, AlphaPose
    {"instance_info": [{"frame_id", "instances": [...]}]}                             MMPose, a film
    [{"keypoints": [[x, y], ...], "keypoint_scores": [...]}]                       MMPose, a picture
    [{"box": {...}, "keypoints": {"x": [...], "y": [...], "visible": [...]}}]            ultralytics

Their number tells which keypoints they are; 17 of a detector are COCO's. Scores of 0: missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float

from unipose.body.keypoint_sets import (
    COCO_17,
    COCO_WHOLEBODY_133,
    CROWDPOSE_14,
    HALPE_26,
    HALPE_136,
    OPENPOSE_18,
    OPENPOSE_25,
    OPENPOSE_67,
    OPENPOSE_137,
    KeypointSet,
    keypoint_set,
)
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box, ImagePeople, PersonInImage
from unipose.body.plain_arrays import read_array, read_members
from unipose.errors import FileError, PoseError, SkeletonError
from unipose.files.json_table import read_json_value
from unipose.files.numbers import open_for_reading
from unipose.files.ordering import files_in_order

LARGEST_BYTES = 1 << 30
_OF_SIZE = {
    len(one): one for one in (COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14, HALPE_26, HALPE_136)
}
"""What so many keypoints are in the file of a detector."""
_OPENPOSE_BODY = {len(one): one for one in (OPENPOSE_18, OPENPOSE_25)}
_OPENPOSE_NAMES = ("pose_keypoints_2d", "pose_keypoints", "joints")
"""OpenPose's name of a person's keypoints, that of its version 1.0, and AlphaPose's (`cmu`)."""
OPENPOSE_EXTRA = ("hand_left_keypoints_2d", "hand_right_keypoints_2d", "face_keypoints_2d")
_COCO_EXTRA = ("foot_kpts", "face_kpts", "lefthand_kpts", "righthand_kpts")
_COCO_SCORES = np.array([0.0, 0.5, 1.0])
"""COCO marks 0 not labelled, 1 labelled but hidden, 2 seen."""


class _Unreadable(ValueError):
    """What is wrong with an entry, without the file's name."""


def read_keypoint_file(
    path: str | Path,
    *,
    of: KeypointSet | str | None = None,
    third: Literal["score", "z"] | None = None,
) -> list[ImagePeople]:
    """Return the people of each picture in a keypoint file (or a folder of OpenPose's frames).

    `of` names the keypoint set where the file does not tell; `third` what the third column of a
    plain .npy is. Pictures come in the file's order.

    Raises FileError (MissingFileError) for a damaged file, an unknown layout, a number of keypoints
    that no set has, and coordinates that are shares of the picture instead of pixels.
    """
    path = Path(path)
    try:
        wanted = keypoint_set(of) if isinstance(of, str) else of
        if path.is_dir():
            return _read_frames(path, wanted)
        if path.suffix.lower() in (".npy", ".npz"):
            return _read_arrays(path, wanted, third)
        content = read_json_value(path, largest_bytes=LARGEST_BYTES)
        found = _reader_of(content)(content, wanted, path.stem)
    except (_Unreadable, PoseError, SkeletonError) as error:
        raise FileError(path, f"{error}.") from error
    _check_pixels(found, path)
    return found


def _reader_of(content: Any) -> Callable[[Any, KeypointSet | None, str], list[ImagePeople]]:
    if _is_frame(content):
        return _read_openpose
    frames = content.values() if isinstance(content, dict) else content
    if isinstance(content, dict | list) and content and all(map(_is_frame, frames)):
        return _read_several_frames
    if isinstance(content, dict):
        if isinstance(content.get("annotations"), list):
            return _read_coco_annotations
        if isinstance(content.get("instance_info"), list):
            return _read_mmpose_film
    if isinstance(content, list):
        first = content[0] if content else {}
        if isinstance(first, dict) and "keypoint_scores" in first:
            return _read_mmpose_picture
        if isinstance(first, dict) and "image_id" in first:
            return _read_coco_results
        if isinstance(first, dict) and isinstance(first.get("keypoints"), dict):
            return _read_ultralytics
        if not content:
            raise _Unreadable("is an empty list: no picture and nobody in it")
    raise _Unreadable(
        "is no keypoint file that we know: expected OpenPose's `people`, COCO's `annotations` or "
        "results, AlphaPose's results, MMPose's `instance_info` or instances, or ultralytics' "
        "results"
    )


def _read_frames(folder: Path, wanted: KeypointSet | None) -> list[ImagePeople]:
    files = [file for file in files_in_order(folder) if file.suffix.lower() == ".json"]
    if not files:
        raise FileError(folder, "holds no .json files of frames.")
    return [image for file in files for image in read_keypoint_file(file, of=wanted)]


def _is_frame(content: Any) -> bool:
    return isinstance(content, dict) and any(
        isinstance(content.get(name), list) for name in ("people", "bodies")
    )


def _read_several_frames(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    """Return the frames of AlphaPose's table by their names, those of ComfyUI's list numbered."""
    if isinstance(content, list):
        names = [stem] if len(content) == 1 else [f"{stem}_{i}" for i in range(len(content))]
        content = dict(zip(names, content, strict=True))
    return [image for name in content for image in _read_openpose(content[name], wanted, name)]


def _read_openpose(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    size = _canvas(content)
    detector = "alphapose" if "AlphaPose" in str(content.get("version")) else "openpose"
    people = []
    for person in content["people"] if "people" in content else content["bodies"]:
        name = next((name for name in _OPENPOSE_NAMES if name in person), _OPENPOSE_NAMES[0])
        flat = _field(person, name, list)
        rows = [_triples(flat, name)]
        extra = [_triples(person.get(name) or [], name) for name in OPENPOSE_EXTRA]
        base = wanted or _OPENPOSE_BODY.get(len(rows[0]))
        if base is None:
            raise _Unreadable(f"{name} has {len(rows[0])} keypoints; expected OpenPose's 25 or 18")
        if base is OPENPOSE_25 and len(extra[0]) == len(extra[1]) == 21:
            base, rows = OPENPOSE_67, [*rows, *extra[:2]]
            if len(extra[2]) == 70:
                base, rows = OPENPOSE_137, [*rows, extra[2]]
        table = np.concatenate(rows)
        if size is not None and np.abs(table[:, :2]).max(initial=0.0) <= 1.0:
            table[:, :2] *= size  # shares of the canvas
        people.append(_person(table, base, detector=detector))
    name = stem.removesuffix("_keypoints")
    return [ImagePeople(image=name, people=tuple(people), size_px=size)]


def _canvas(frame: dict[str, Any]) -> tuple[int, int] | None:
    """Return the picture's size, which ControlNet tells."""
    return _size({"width": frame.get("canvas_width"), "height": frame.get("canvas_height")})


def _read_coco_annotations(
    content: Any, wanted: KeypointSet | None, stem: str
) -> list[ImagePeople]:
    images: dict[Any, dict[str, Any]] = {}
    for image in content.get("images") or []:
        images[_field(image, "id", (int, str))] = image
    found: dict[Any, list[PersonInImage]] = {identity: [] for identity in images}
    for annotation in content["annotations"]:
        if not annotation.get("keypoints"):
            continue
        parts = [annotation["keypoints"]]
        if all(name in annotation for name in _COCO_EXTRA):
            parts += [annotation[name] for name in _COCO_EXTRA]
        rows = np.concatenate([_triples(part, "keypoints") for part in parts])
        marks = rows[:, 2]
        if set(np.unique(marks)) <= {0.0, 1.0, 2.0}:
            rows[:, 2] = _COCO_SCORES[marks.astype(int)]
        person = _person(rows, wanted or _set_of(len(rows)), box=_xywh(annotation.get("bbox")),
                         detector="coco annotation")  # fmt: skip
        found.setdefault(_field(annotation, "image_id", (int, str)), []).append(person)
    return [
        ImagePeople(
            image=str(images.get(identity, {}).get("file_name", identity)),
            people=tuple(people),
            size_px=_size(images.get(identity, {})),
        )
        for identity, people in found.items()
    ]


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) else None


def _read_coco_results(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    found: dict[str, list[PersonInImage]] = {}
    for result in content:
        rows = _triples(_field(result, "keypoints", list), "keypoints")
        person = _person(
            rows, wanted or _set_of(len(rows)), box=_xywh(result.get("box") or result.get("bbox")),
            confidence=float(result.get("score", 1.0)),
            detector="alphapose" if isinstance(result.get("image_id"), str) else "coco result",
        )  # fmt: skip
        found.setdefault(str(_field(result, "image_id", (int, str))), []).append(person)
    return [ImagePeople(image=name, people=tuple(people)) for name, people in found.items()]


def _read_mmpose_film(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    return [
        ImagePeople(
            image=str(_field(frame, "frame_id", int)),
            people=tuple(_mmpose_person(one, wanted) for one in _field(frame, "instances", list)),
        )
        for frame in content["instance_info"]
    ]


def _read_mmpose_picture(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    people = tuple(_mmpose_person(one, wanted) for one in content)
    return [ImagePeople(image=stem, people=people)]


def _mmpose_person(instance: Any, wanted: KeypointSet | None) -> PersonInImage:
    points = _numbers(_field(instance, "keypoints", list), "keypoints")
    scores = _numbers(_field(instance, "keypoint_scores", list), "keypoint_scores")
    if points.ndim != 2 or points.shape[1] != 2 or scores.shape != points.shape[:1]:
        raise _Unreadable(
            f"expected keypoints (n, 2) and n keypoint_scores, got {points.shape} and "
            f"{scores.shape}"
        )
    box = instance.get("bbox")
    box = box[0] if isinstance(box, list) and box and isinstance(box[0], list) else box
    return _person(
        np.column_stack([points, scores]), wanted or _set_of(len(points)),
        box=None if box is None else _box(_numbers(box, "bbox")),
        confidence=float(np.ravel(instance.get("bbox_score", 1.0))[0]), detector="mmpose",
    )  # fmt: skip


def _read_ultralytics(content: Any, wanted: KeypointSet | None, stem: str) -> list[ImagePeople]:
    people = []
    for result in content:
        columns = _field(result, "keypoints", dict)
        x, y = (_numbers(_field(columns, axis, list), axis) for axis in "xy")
        scores = _numbers(columns.get("visible") or [1.0] * len(x), "visible")
        if not x.shape == y.shape == scores.shape:
            raise _Unreadable(f"has {len(x)} x, {len(y)} y and {len(scores)} visible")
        box = result.get("box")
        corners = (
            [_field(box, name, (int, float)) for name in ("x1", "y1", "x2", "y2")] if box else 0
        )
        people.append(
            _person(
                np.column_stack([x, y, scores]), wanted or _set_of(len(x)),
                box=_box(np.array(corners)) if corners else None,
                confidence=float(result.get("confidence", 1.0)), detector="ultralytics",
            )
        )  # fmt: skip
    return [ImagePeople(image=stem, people=tuple(people))]


def _read_arrays(
    path: Path, wanted: KeypointSet | None, third: Literal["score", "z"] | None
) -> list[ImagePeople]:
    """Return one person a row, each as a picture of its own."""
    if path.suffix.lower() == ".npz":
        keypoints = read_keypoints(path, of=wanted)
    else:
        if wanted is None:
            raise _Unreadable("does not say whose keypoints these are; name the set, for example "
                              'of="coco-17"')  # fmt: skip
        with open_for_reading(path) as file:
            size = path.stat().st_size
            rows = torch.from_numpy(read_array(file, size, path).astype(np.float64))  # type: ignore[arg-type]
        rows = rows[None] if rows.ndim == 2 else rows
        if rows.ndim == 3 and rows.shape[2] == 3 and third is None:
            raise _Unreadable("has three columns: say whether the third one is a score or z")
        if third == "score" and rows.ndim == 3 and rows.shape[2] == 3:
            scores = rows[..., 2]
            keypoints = Keypoints.of(wanted, rows[..., :2], scores, present=scores > 0)
        else:
            keypoints = Keypoints.of(wanted, rows)
    return [
        ImagePeople(image=str(i), people=(PersonInImage(keypoints=keypoints[i]),))
        for i in range(len(keypoints))
    ]


def read_keypoints(path: str | Path, *, of: KeypointSet | None = None) -> Keypoints:
    """Read an archive that `write_keypoints` wrote, or one with the same members.

    `keypoints` (batch, keypoint, 2 or 3), `scores` (batch, keypoint; optional) and `keypoint_set`,
    the name of a set. NaN and a score of 0 are missing ones.
    """
    path = Path(path)
    with open_for_reading(path) as file:
        members = read_members(file, path, ("keypoints", "scores", "keypoint_set"))
    if "keypoints" not in members:
        raise FileError(path, "holds no `keypoints` (batch, keypoint, 2 or 3).")
    if of is None:
        if "keypoint_set" not in members:
            raise FileError(path, "does not say whose keypoints these are.", 'Name the set, for '
                            'example of="coco-17".')  # fmt: skip
        of = keypoint_set(str(members["keypoint_set"]))
    points = torch.from_numpy(members["keypoints"].astype(np.float64))
    scores = members.get("scores")
    if scores is None:
        return Keypoints.of(of, points)
    found = torch.from_numpy(scores.astype(np.float64))
    return Keypoints.of(of, points, found, present=found > 0)


def _person(
    rows: Float[np.ndarray, "keypoint 3"],
    of: KeypointSet,
    *,
    box: Box | None = None,
    confidence: float = 1.0,
    detector: str,
) -> PersonInImage:
    """Return a person of rows x, y, score."""
    if len(rows) != len(of):
        raise _Unreadable(f"has {len(rows)} keypoints, {of.name} has {len(of)}")
    if not math.isfinite(confidence):
        raise _Unreadable("has a confidence that is not finite")
    table = torch.from_numpy(rows)
    keypoints = Keypoints.of(
        of, table[None, :, :2], table[None, :, 2], present=table[None, :, 2] > 0
    )
    return PersonInImage(keypoints=keypoints, box=box, confidence=confidence, detector=detector)


def _set_of(count: int) -> KeypointSet:
    if count not in _OF_SIZE:
        known = ", ".join(f"{n} ({one.name})" for n, one in sorted(_OF_SIZE.items()))
        raise _Unreadable(
            f"has {count} keypoints a person; known by their number are {known}; name another set"
        )
    return _OF_SIZE[count]


def _field(entry: Any, name: str, kind: type | tuple[type, ...]) -> Any:
    if not isinstance(entry, dict) or not isinstance(entry.get(name), kind):
        raise _Unreadable(f"has an entry without {name!r}: {str(entry)[:80]}")
    return entry[name]


def _numbers(values: Any, name: str) -> np.ndarray:
    try:
        return np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _Unreadable(f"{name} is no regular array of numbers") from error


def _triples(values: Any, name: str) -> Float[np.ndarray, "keypoint 3"]:
    flat = _numbers(values, name)
    if flat.ndim != 1 or len(flat) % 3:
        raise _Unreadable(f"expected {name} as x, y, score, ..., got {flat.shape}")
    return flat.reshape(-1, 3)


def _box(corners: Sequence[float] | np.ndarray) -> Box:
    left, top, right, bottom = (float(value) for value in corners)
    return left, top, right, bottom


def _xywh(values: Any) -> Box | None:
    if values is None:
        return None
    numbers = _numbers(values, "box")
    if numbers.shape != (4,):
        raise _Unreadable(f"expected a box x, y, width, height, got {str(values)[:60]}")
    x, y, width, height = numbers.tolist()
    return x, y, x + width, y + height


def _check_pixels(images: list[ImagePeople], path: Path) -> None:
    """Refuse shares of the picture: all keypoints within the first pixel are no person."""
    tables = [p.keypoints for image in images for p in image.people if p.keypoints is not None]
    largest = max((float(k.points.abs().max()) for k in tables if k.present.any()), default=2.0)
    if largest <= 1.0:
        raise FileError(
            path,
            "its coordinates are shares of the picture, all within 0 and 1.",
            "Write pixels (OpenPose: --keypoint_scale 0).",
        )
