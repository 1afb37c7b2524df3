"""The studio's held-out people behind things: crops of their true boxes, and their keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.labels import HIDDEN, OUTSIDE, SEEN
from eval.program import track
from unipose.body.body import load_body
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.errors import ConfigError
from unipose.metrics.keypoint_precision import (
    PARTS,
    KeypointDetections,
    KeypointTruth,
    evaluate_keypoints,
)
from unipose.wholebody.crops import AffineCrops, moved_by
from unipose.wholebody.estimator import instance_score

OCCLUDED = 0.6
"""Share of pictures with something in front of somebody."""
TEST_STUDIO = 2
"""Seed of rooms, clothes and cameras: those that training keeps for its test split."""
NEAR = 0.05
"""How far off a keypoint may be to be near, in longer sides of the box."""
LEAST_SEEN, LEAST_KEYPOINTS = 0.2, 5
"""Share of a person, and number of COCO's 17 keypoints, that the picture must show."""


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointPeople:
    """People with crops of their true boxes, and what is marked of them in the picture."""

    size: tuple[int, int]
    crops: UInt8[np.ndarray, "person height width 3"]
    truth: KeypointTruth

    def __len__(self) -> int:
        return len(self.crops)

    @property
    def marks(self) -> Int[np.ndarray, "person 133"]:
        """OUTSIDE, HIDDEN or SEEN."""
        return self.truth.marks.astype(np.int64)

    @property
    def hidden_share(self) -> float:
        """Of the keypoints in the picture."""
        return float((self.marks == HIDDEN).sum() / (self.marks != OUTSIDE).sum())

    def scores(self, found: Keypoints) -> dict[str, float]:
        """Return figures of what was found in the crops.

        AP and AR of the body, and of all keypoints where the network has them; of the body's
        keypoints that are seen, and of those that are hidden, the share within NEAR.
        """
        boxes = self.truth.boxes
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        back = AffineCrops.around(corners, self.size).to_picture()
        points = moved_by(found.points.numpy().astype(np.float64), back)
        detections = KeypointDetections(
            image=self.truth.image,
            points=points,
            scores=np.maximum(found.scores.numpy().astype(np.float64), 1e-9),
            confidence=np.array([instance_score(row) for row in found.scores]),
        )
        body = PARTS["body"]
        said = evaluate_keypoints(self.truth.only(body), detections.only(body), COCO_17.sigmas)
        figures = {"body_ap": said.ap, "body_ar": said.ar}
        off = np.linalg.norm(points[:, body] - self.truth.points[:, body], axis=-1)
        near = off < NEAR * boxes[:, 2:].max(axis=1, keepdims=True)
        for name, mark in (("seen", SEEN), ("hidden", HIDDEN)):
            figures[f"near_{name}"] = float(near[self.marks[:, body] == mark].mean())
        if found.keypoint_set == COCO_WHOLEBODY_133:
            whole = evaluate_keypoints(self.truth, detections, COCO_WHOLEBODY_133.sigmas)
            figures |= {"ap": whole.ap, "ar": whole.ar}
        return figures


def studio_people_of(
    data: Path, split: str, pictures: int, *, size: tuple[int, int] = (96, 128)
) -> KeypointPeople:
    """Return the people of so many pictures of a split. Raises ConfigError if there are none."""
    motions = Motions.read(data, "" if split == "all" else split)
    if not motions.takes:
        raise ConfigError(f"no recording is left in split {split!r}")
    studio = Studio(
        StudioConfig(seed=TEST_STUDIO, occluded=OCCLUDED, mixed=0.0), motions, load_body()
    )
    crops, rows = [], []
    for index in track(range(pictures), "taking pictures"):
        image = studio.sample(index)
        for person in image.people:
            inside = (person.whole_body_seen[:17] != OUTSIDE).sum()
            if person.box is None or person.seen_share < LEAST_SEEN or inside < LEAST_KEYPOINTS:
                continue
            crops.append(AffineCrops.around([person.box], size).cut(image.pixels, averaged=True)[0])
            rows.append((len(rows), person))
    if not rows:
        raise ConfigError(f"nobody is seen in {pictures} pictures")
    corners = np.array([person.box for _, person in rows])
    truth = KeypointTruth(
        image=np.arange(len(rows)),
        points=np.stack([np.nan_to_num(person.whole_body_px) for _, person in rows]).astype(float),
        marks=np.stack([person.whole_body_seen for _, person in rows]).astype(float),
        boxes=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        area=np.array([float(person.seen_px) for _, person in rows]),
        crowd=np.zeros(len(rows), dtype=bool),
    )
    return KeypointPeople(size=size, crops=np.stack(crops), truth=truth)
