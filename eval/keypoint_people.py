"""The studio's held-out people behind things: crops of their true boxes, and their keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from data_builders.studio import Motions, Studio, StudioConfig
from data_builders.studio.labels import HIDDEN, OUTSIDE
from eval.program import track
from unipose.body.body import load_body
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.errors import ConfigError
from unipose.metrics.keypoint_precision import (
    KeypointDetections,
    KeypointPrecision,
    KeypointTruth,
    evaluate_keypoints,
)
from unipose.wholebody.crops import AffineCrops, moved_by
from unipose.wholebody.estimator import instance_score

OCCLUDED = 0.6
"""Share of pictures with something in front of somebody."""
TEST_STUDIO = 2
"""Seed of rooms, clothes and cameras: those that training keeps for its test split."""
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

    def precision(self, found: Keypoints) -> dict[str, KeypointPrecision]:
        """Return COCO's numbers of what was found in the crops: of all keypoints, and the body."""
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
        body = len(COCO_17)
        whole = evaluate_keypoints(self.truth, detections, COCO_WHOLEBODY_133.sigmas)
        return {
            "wholebody": whole,
            "body": evaluate_keypoints(
                KeypointTruth(
                    **(vars(self.truth) | {
                        "points": self.truth.points[:, :body], "marks": self.truth.marks[:, :body],
                    })
                ),
                KeypointDetections(
                    **(vars(detections) | {
                        "points": points[:, :body], "scores": detections.scores[:, :body],
                    })
                ),
                COCO_17.sigmas,
            ),
        }  # fmt: skip


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


def keypoints_of(
    points: Float[torch.Tensor, "person keypoint 2"], scores: Float[torch.Tensor, "person keypoint"]
) -> Keypoints:
    """Return decoded keypoints of the whole body; those that score nothing are missing."""
    return Keypoints.of(COCO_WHOLEBODY_133, points, scores, present=scores > 0)
