"""How well are people in real photographs found? Checked on keypoints that were marked by hand.

`--data` is a folder with `people.json`: per photo its file and people, each with a box (left, top,
width, height; pixels) and COCO's keypoints by name ([x, y, v]; v 2 visible, 1 hidden).

- `pck_02`: of the marked joints of limbs (shoulders, elbows, wrists, hips, knees, ankles) of people
  whose box is given, the share within 0.2 of the torso's length, which is the person's longest
  marked distance shoulder - hip; `_visible` and `_hidden` ones apart. People without a torso are
  left out.
- `found`: of all marked people whose box is given, the share that gets a pose (whoever has a box is
  given one, so only damage lowers it).
- `heights_true`: of pairs of marked joints (hand and shoulder, both feet ...) that differ by more
  than 0.2 torso lengths in height in the picture, the share that the pose has the same way around;
  beside it somebody else's pose (`chance_`) and somebody who stands (`mean_pose_`).
- `described_true`: of what `describe` says is above or below something, where both are marked, the
  share that is so in the picture; beside it what is said of others (`chance_`).
- `recall`: of all marked people the share that is found without boxes, with an OKS of at least 0.5.
- `ms_a_person` from a box to a pose, `ms_a_photo` to find everybody's boxes.

Run as `python -m eval.photographs --data FOLDER`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from scipy.optimize import linear_sum_assignment

from eval.program import print_result, print_table, run, track
from unipose.assistant import UniPose
from unipose.body.body import Body, load_body
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import Box
from unipose.body.pose import Pose
from unipose.body.skeletons import SMPL
from unipose.errors import ConfigError, FileError
from unipose.files.atomic import written_whole
from unipose.files.json_table import read_json_value
from unipose.files.photo import open_photo
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.posecodes.reader import read_statements
from unipose.render.overlay import draw_bodies
from unipose.render.skeleton import draw_keypoints
from unipose.vision.landmark_estimator import LandmarkEstimator

LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
NEAR = 0.2
"""Torso lengths within which a joint is right."""
PAIRS = (
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("left", "right")
        for a, b in (
            ("wrist", "shoulder"), ("wrist", "hip"), ("elbow", "shoulder"), ("knee", "hip"),
            ("ankle", "knee"), ("ankle", "hip"),
        )
    ),
    *((f"left_{part}", f"right_{part}") for part in ("wrist", "elbow", "knee", "ankle")),
)  # fmt: skip
"""Whose heights are compared."""
MARKED_AS = {"hand": "wrist", "foot": "ankle", "head": "nose"}
"""What a text speaks of -> the keypoint that stands for it."""
TILE_PX = (840, 280)
"""Of a photograph and the same with bodies."""
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
    picture: Path | None = None
    """Draw photographs with what is found in them and with bodies, instead of measuring."""
    only: tuple[str, ...] = ()
    """Names of those that are drawn, without ending; all if there are none."""


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

    name: str
    pixels: UInt8[np.ndarray, "height width 3"]
    people: tuple[MarkedPerson, ...]


def read_photos(folder: Path) -> Iterator[MarkedPhoto]:
    """Give the photographs of a folder. Raises FileError if people.json is not as said above."""
    path = folder / "people.json"
    try:
        for photo in read_json_value(path, largest_bytes=50_000_000)["photos"]:
            people = tuple(_marked(person) for person in photo["people"])
            file = folder / photo["file"]
            yield MarkedPhoto(name=file.stem, pixels=open_photo(file), people=people)
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


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadPerson:
    """What was read off a photograph about one person with a torso."""

    marked: MarkedPerson
    joints: dict[str, float]
    """How high each joint of the pose is (metres)."""
    text: str


def heights(pose: Pose, body: Body) -> dict[str, float]:
    """Return how high each of COCO's joints of limbs is, by name (metres, viewer's axes)."""
    with torch.no_grad():
        joints = body(pose.rotations.float(), pose.betas).joints[0]
    return {name: float(joints[SMPL.indices(name)[0], 1]) for name in LIMBS}


def heights_right(said: Sequence[dict[str, float]], people: Sequence[MarkedPerson]) -> list[bool]:
    """Return for all clear differences of height in the picture whether the pose has them so."""
    right = []
    for joints, marked in zip(said, people, strict=True):
        for a, b in PAIRS:
            lower = float((marked.keypoints.point(a) - marked.keypoints.point(b))[0, 1])
            if abs(lower) > NEAR * marked.torso_px:  # NaN, where one is not marked, is not
                right.append((joints[a] < joints[b]) == (lower > 0))
    return right


def words_right(texts: Sequence[str], people: Sequence[MarkedPerson]) -> list[bool]:
    """Return for all that texts say is above or below something whether the picture has it so."""
    right = []
    for text, marked in zip(texts, people, strict=True):
        for said in read_statements(text):
            if said.relation not in ("above", "below") or said.second is None:
                continue
            names = [_keypoint(part) for part in (said.first, said.second)]
            if all(name in COCO_17.index for name in names):
                lower = float(
                    (marked.keypoints.point(names[0]) - marked.keypoints.point(names[1]))[0, 1]
                )
                if np.isfinite(lower):
                    right.append((lower > 0) == (said.relation == "below"))
    return right


def _keypoint(part: str) -> str:
    side, _, name = part.rpartition("_")
    return f"{side}_{MARKED_AS.get(name, name)}".lstrip("_")


def measure(photos: list[MarkedPhoto], assistant: UniPose) -> dict[str, float]:
    """Return the figures. Raises MissingFileError if the eyes for photographs are not there."""
    eyes, body = assistant.photo_eyes, load_body()
    assert eyes is not None  # "photo" raises
    right: dict[int, list[int]] = {VISIBLE: [], HIDDEN: []}
    seconds: dict[str, list[float]] = {"person": [], "photo": []}
    people = recalled = found_people = posed = 0
    columns = COCO_17.indices(*LIMBS)
    read: list[ReadPerson] = []
    for photo in track(photos, "photographs"):
        for marked in photo.people:
            people += 1
            start = perf_counter()
            (one,) = eyes.people(photo.pixels, [marked.box])
            seconds["person"].append(perf_counter() - start)
            posed += one.pose is not None and bool(one.pose.rotations.isfinite().all())
            if not marked.torso_px:
                continue
            assert one.pose is not None and one.keypoints is not None  # noqa: PT018
            text = assistant.describe(one.pose)
            read.append(ReadPerson(marked=marked, joints=heights(one.pose, body), text=text))
            values = (marked.keypoints.scores[0, columns] * VISIBLE).int().tolist()
            for good, value in zip(right_limbs(one.keypoints, marked), values, strict=True):
                if value:
                    right[value].append(int(good))
        start = perf_counter()
        eyes.detector.people(photo.pixels)
        seconds["photo"].append(perf_counter() - start)
        found = [one.body for one in eyes.detector.find(photo.pixels)]
        found_people += len(found)
        near = alike(found, photo.people) >= LEAST_OKS
        recalled += int(near[linear_sum_assignment(near, maximize=True)].sum())
    joints = right[VISIBLE] + right[HIDDEN]
    result: dict[str, float] = {
        "photos": len(photos), "people": people, "torsos": len(read), "joints": len(joints),
        "pck_02": float(np.mean(joints)),
        "pck_02_visible": float(np.mean(right[VISIBLE])),
        "pck_02_hidden": float(np.mean(right[HIDDEN])),
        "found": posed / people, "recall": recalled / people, "found_people": found_people,
        "ms_a_person": 1000 * median(seconds["person"]),
        "ms_a_photo": 1000 * median(seconds["photo"]),
    }  # fmt: skip
    told = [one.marked for one in read]
    others = [one.marked for one in read[1:] + read[:1]]
    standing = heights(Pose(rotations=torch.eye(3).repeat(1, 24, 1, 1)), body)
    checked = {
        "heights_true": heights_right([one.joints for one in read], told),
        "chance_heights_true": heights_right([one.joints for one in read], others),
        "mean_pose_heights_true": heights_right([standing] * len(read), told),
        "described_true": words_right([one.text for one in read], told),
        "chance_described_true": words_right([one.text for one in read], others),
    }
    result |= {name: float(np.mean(right)) for name, right in checked.items() if right}
    counted = {"heights": "heights_true", "statements": "described_true"}
    return result | {name: len(checked[of]) for name, of in counted.items()}


def draw_sheet(photos: Sequence[MarkedPhoto], eyes: LandmarkEstimator, out: Path) -> None:
    """Write photographs in rows of two, each with keypoints on it and with bodies beside it."""
    body, tiles = load_body(), []
    for photo in photos:
        people = eyes.people(photo.pixels)
        seen = [one.keypoints for one in people if one.keypoints is not None]
        halves = draw_keypoints(photo.pixels, seen), draw_bodies(photo.pixels, people, body)
        tiles.append(Image.fromarray(np.concatenate(halves, axis=1)).resize(TILE_PX))
    sheet = Image.new("RGB", (2 * TILE_PX[0], -(-len(tiles) // 2) * TILE_PX[1]), "white")
    for i, tile in enumerate(tiles):
        sheet.paste(tile, (i % 2 * TILE_PX[0], i // 2 * TILE_PX[1]))
    with written_whole(out) as temporary:
        sheet.save(temporary, quality=85)


def main(options: PhotographOptions) -> None:
    """Measure how well people are found and read off photographs that were marked by hand."""
    photos, assistant = list(read_photos(options.data)), UniPose.load(eyes="photo")
    if options.picture is not None:
        named = {photo.name: photo for photo in photos}
        unknown = [name for name in options.only if name not in named]
        if unknown:
            raise ConfigError(f"there is no photograph {unknown[0]!r} in {options.data}")
        assert assistant.photo_eyes is not None
        shown = [named[name] for name in options.only or named]
        draw_sheet(shown, assistant.photo_eyes, options.picture)
        return
    result = measure(photos, assistant)
    names = ("pck_02", "pck_02_visible", "pck_02_hidden", "found", "recall", "heights_true",
             "described_true")  # fmt: skip
    print_table("photographs", ("", "share"), [(n, result[n]) for n in names if n in result])
    print_result(dict(result), as_json=options.json)


if __name__ == "__main__":
    run(main, PhotographOptions)
