"""The small whole-body network on photographs that were marked by hand, beside BlazePose's company.

Both look at the marked boxes. The network has seen the studio's rendered people alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch

from eval.photographs import MarkedPerson, MarkedPhoto, alike, read_photos, right_limbs
from eval.program import print_table, track
from unipose.app.keypoint_finders import open_finder
from unipose.body.keypoint_sets import COCO_17
from unipose.body.keypoints import Keypoints
from unipose.body.people import PersonInImage
from unipose.metrics.keypoint_precision import (
    KeypointDetections,
    KeypointTruth,
    evaluate_keypoints,
)


@runtime_checkable
class Finder(Protocol):
    """What finds people's keypoints in boxes."""

    def find(self, pixels: np.ndarray, boxes: list | None) -> tuple[PersonInImage, ...]:
        """Return a person per box."""
        ...


def photo_figures(photos: Path, shipped: Path) -> dict[str, object]:
    """Return AP, PCK and mean OKS of both on the photographs of a folder, in given boxes."""
    marked = list(read_photos(photos))
    finders: dict[str, Finder] = {
        "wholebody": open_finder("rtmpose", COCO_17, weights=shipped, detects=False),
        "blazepose": open_finder("blazepose", COCO_17),
    }  # type: ignore[assignment]
    figures: dict[str, object] = {}
    rows = []
    for name, finder in finders.items():
        scores = _scores(marked, finder, name)
        figures |= {f"photo_{name}_{what}": value for what, value in scores.items()}
        rows.append((name, *scores.values()))
    print_table("photographs, given boxes", ("", "AP", "AR", "PCK 0.2", "OKS"), rows)
    return figures


def _scores(photos: list[MarkedPhoto], finder: Finder, name: str) -> dict[str, float]:
    images: list[int] = []
    people: list[MarkedPerson] = []
    found: list[Keypoints] = []
    confidence: list[float] = []
    right: list[bool] = []
    similar: list[float] = []
    for number, photo in enumerate(track(photos, name)):
        boxes = [one.box for one in photo.people]
        for one, said in zip(photo.people, finder.find(photo.pixels, boxes), strict=True):
            assert said.keypoints is not None
            images.append(number)
            people.append(one)
            found.append(said.keypoints)
            confidence.append(said.confidence)
            similar.append(float(alike([said.keypoints], (one,))[0, 0]))
            if one.torso_px:
                limbs = right_limbs(said.keypoints, one)
                right += limbs[_limbs_marked(one)].tolist()
    corners = np.array([one.box for one in people])
    truth = KeypointTruth(
        image=np.array(images),
        points=torch.cat([one.keypoints.points for one in people]).numpy().astype(float),
        marks=torch.cat([one.keypoints.scores for one in people]).numpy().astype(float),
        boxes=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        area=np.array([one.area_px for one in people]),
        crowd=np.zeros(len(people), dtype=bool),
    )
    detections = KeypointDetections(
        image=truth.image,
        points=torch.cat([one.points for one in found]).numpy().astype(float),
        scores=np.maximum(torch.cat([one.scores for one in found]).numpy().astype(float), 1e-9),
        confidence=np.array(confidence),
    )
    said = evaluate_keypoints(truth, detections, COCO_17.sigmas)
    return {"ap": said.ap, "ar": said.ar, "pck_02": float(np.mean(right)),
            "oks": float(np.mean(similar))}  # fmt: skip


def _limbs_marked(person: MarkedPerson) -> np.ndarray:
    from eval.photographs import LIMBS

    return person.keypoints.present[0, COCO_17.indices(*LIMBS)].numpy()
