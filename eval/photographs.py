"""How well are people in real photographs found? Checked on keypoints that were marked by hand.

`--data` is a folder with `people.json`: per photo its file and people, each with a box (left, top,
width, height; pixels) and COCO's keypoints by name ([x, y, v]; v 2 visible, 1 hidden).

- `pck_02`: of the marked joints of limbs (shoulders, elbows, wrists, hips, knees, ankles) of people
  whose box is given, the share within 0.2 of the torso's length, which is the person's longest
  marked distance shoulder - hip; `_visible` and `_hidden` ones apart. People without a torso are
  left out.
- `recall`: of all marked people the share that is found without boxes, with an OKS of at least 0.5.
- `ms_a_person` from a box to keypoints and landmarks, `ms_a_photo` to find everybody's boxes.

Run as `python -m eval.photographs --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8

from eval.program import print_result, print_table, run, track
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box
from unipose.errors import FileError
from unipose.files.json_table import read_json_value
from unipose.files.photo import open_photo
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.vision.keypoint_detector import KeypointDetector

LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
NEAR = 0.2
"""Torso lengths within which a joint is right."""
LEAST_OKS = 0.5
"""From which somebody found is the one that was marked."""
VISIBLE, HIDDEN = 2, 1


@dataclass(frozen=True, kw_only=True)
class PhotographOptions:
    """Options of eval.photographs."""

    data: Path
    """Folder with people.json and the photographs it names."""
    json: bool = False
    """Print one JSON object as the last line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedPerson:
    """One person as marked by hand."""

    box: Box
    area_px: float
    keypoints: Keypoints
    """COCO's 17, one row; a score of 1 is visible, 0.5 hidden."""

    @property
    def torso_px(self) -> float:
        """The longest marked distance of a shoulder and a hip; 0 if there is none."""
        ends = [
            torch.cat([self.keypoints.point(f"{side}_{part}") for side in ("left", "right")])
            for part in ("shoulder", "hip")
        ]
        return float(torch.cdist(ends[0], ends[1]).nan_to_num(0.0).max())


@dataclass(frozen=True, kw_only=True, eq=False)
class MarkedPhoto:
    """One photograph with everybody that was marked in it."""

    pixels: UInt8[np.ndarray, "height width 3"]
    people: tuple[MarkedPerson, ...]


def read_photos(folder: Path) -> Iterator[MarkedPhoto]:
    """Give the photographs of a folder. Raises FileError if people.json is not as said above."""
    path = folder / "people.json"
    try:
        for photo in read_json_value(path, largest_bytes=50_000_000)["photos"]:
            people = tuple(_marked(person) for person in photo["people"])
            yield MarkedPhoto(pixels=open_photo(folder / photo["file"]), people=people)
    except (KeyError, TypeError, ValueError) as error:
        raise FileError(path, f"is no list of marked photographs ({error!r}).") from error


def _marked(person: dict[str, Any]) -> MarkedPerson:
    left, top, width, height = (float(number) for number in person["box_xywh"])
    marks = np.zeros((17, 3), dtype=np.float32)
    for name, mark in person["keypoints"].items():
        marks[COCO_17.indices(name)[0]] = mark
    rows = torch.from_numpy(marks)[None]
    return MarkedPerson(
        box=(left, top, left + width, top + height),
        area_px=float(person["area"]),
        keypoints=Keypoints.of(
            COCO_17, rows[..., :2], rows[..., 2] / VISIBLE, present=rows[..., 2] > 0
        ),
    )


def right_limbs(found: Keypoints, marked: MarkedPerson) -> Bool[np.ndarray, "limb"]:
    """Return which of the limbs' joints lie where they were marked; unmarked ones do not."""
    columns = COCO_17.indices(*LIMBS)
    off = (found.points - marked.keypoints.points).norm(dim=-1)[0, columns]
    right = off <= NEAR * marked.torso_px
    return (right & marked.keypoints.present[0, columns]).numpy()


def alike(found: list[Keypoints], marked: tuple[MarkedPerson, ...]) -> Float[np.ndarray, "f m"]:
    """Return the OKS of everybody found with everybody marked."""
    if not found or not marked:
        return np.zeros((len(found), len(marked)), dtype=np.float32)
    truth = [person.keypoints for person in marked]
    return object_keypoint_similarity(
        torch.cat([one.points for one in found]),
        torch.cat([one.points for one in truth]),
        present=torch.cat([one.present for one in truth]),
        area_px=torch.tensor([person.area_px for person in marked]),
        sigmas=COCO_17.sigmas,
    ).numpy()


def measure(photos: list[MarkedPhoto], detector: KeypointDetector) -> dict[str, float]:
    """Return the figures."""
    right: dict[int, list[int]] = {VISIBLE: [], HIDDEN: []}
    seconds: dict[str, list[float]] = {"person": [], "photo": []}
    people = recalled = found_people = torsos = 0
    columns = COCO_17.indices(*LIMBS)
    for photo in track(photos, "photographs"):
        for marked in photo.people:
            start = perf_counter()
            (one,) = detector.find(photo.pixels, [marked.box])
            seconds["person"].append(perf_counter() - start)
            people += 1
            if not marked.torso_px:
                continue
            torsos += 1
            values = (marked.keypoints.scores[0, columns] * VISIBLE).int().tolist()
            for good, value in zip(right_limbs(one.body, marked), values, strict=True):
                if value:
                    right[value].append(int(good))
        start = perf_counter()
        detector.people(photo.pixels)
        seconds["photo"].append(perf_counter() - start)
        found = [one.body for one in detector.find(photo.pixels)]
        found_people += len(found)
        recalled += int((alike(found, photo.people) >= LEAST_OKS).any(axis=0).sum())
    joints = right[VISIBLE] + right[HIDDEN]
    return {
        "photos": len(photos), "people": people, "torsos": torsos, "joints": len(joints),
        "pck_02": float(np.mean(joints)),
        "pck_02_visible": float(np.mean(right[VISIBLE])),
        "pck_02_hidden": float(np.mean(right[HIDDEN])),
        "recall": recalled / people, "found_people": found_people,
        "ms_a_person": 1000 * median(seconds["person"]),
        "ms_a_photo": 1000 * median(seconds["photo"]),
    }  # fmt: skip


def main(options: PhotographOptions) -> None:
    """Measure how well the networks find people in photographs that were marked by hand."""
    result = measure(list(read_photos(options.data)), KeypointDetector())
    print_table(
        "photographs", ("", "share"),
        [(name, result[name]) for name in
         ("pck_02", "pck_02_visible", "pck_02_hidden", "recall")],
    )  # fmt: skip
    print_result(dict(result), as_json=options.json)


if __name__ == "__main__":
    run(main, PhotographOptions)
