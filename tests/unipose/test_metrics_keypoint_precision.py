"""COCO's numbers, for all images at once, against a plain walk through each of them."""

from __future__ import annotations

import os
from dataclasses import astuple, replace
from pathlib import Path
from time import process_time

import numpy as np
import pytest

from eval.toolbox_agreement import made_up_scene as scene
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133, CROWDPOSE_14
from unipose.errors import ConfigError
from unipose.files.keypoint_evaluation import read_detections, read_truth
from unipose.metrics.keypoint_precision import (
    AREAS_PX,
    PARTS,
    RECALLS,
    THRESHOLDS,
    KeypointDetections,
    KeypointTruth,
    evaluate_crowds,
    evaluate_keypoints,
    evaluate_whole_body,
)

SIGMAS = COCO_WHOLEBODY_133.sigmas


def walked(truth: KeypointTruth, found: KeypointDetections, part: str) -> tuple[float, ...]:
    """Return the ten numbers by the toolbox' rules: image by image, person by person."""
    columns = PARTS[part]
    confidence = (found.part_confidence or {}).get(part, found.confidence)
    spread = 8 * np.square(SIGMAS)[columns]
    precision, recall = {}, {}
    for area_name, (low, high) in AREAS_PX.items():
        counted = 0
        rows: list[tuple[float, list[str]]] = []
        for image in np.unique(np.concatenate([truth.image, found.image])):
            people = list(np.flatnonzero(truth.image == image))
            aside = {
                p: bool(truth.crowd[p] or not (truth.marks[p, columns] > 0).any())
                or not low <= truth.area[p] <= high
                for p in people
            }
            people.sort(key=lambda p: aside[p])
            counted += sum(not aside[p] for p in people)
            detected = [
                d for d in np.flatnonzero(found.image == image)
                if (found.scores[d, columns] > 0).any()
            ]  # fmt: skip
            detected.sort(key=lambda d: -confidence[d])
            detected = detected[:20]
            results: dict[int, list[str]] = {d: [] for d in detected}
            for threshold in THRESHOLDS:
                taken: set[int] = set()
                for d in detected:
                    best, similarity = -1, threshold
                    for p in people:
                        if p in taken and not truth.crowd[p]:
                            continue
                        if best >= 0 and not aside[best] and aside[p]:
                            break
                        alike = similarity_of(truth, found, p, d, columns, spread)
                        if alike >= similarity:
                            best, similarity = p, alike
                    if best >= 0:
                        taken.add(best)
                        results[d].append("aside" if aside[best] else "right")
                    else:
                        corners = found.points[d, :17]
                        size = np.prod(corners.max(0) - corners.min(0))
                        results[d].append("wrong" if low <= size <= high else "aside")
            rows += [(confidence[d], results[d]) for d in detected]
        rows.sort(key=lambda row: -row[0])
        if not counted:
            precision[area_name] = recall[area_name] = np.full(10, np.nan)
            continue
        precision[area_name], recall[area_name] = curves([row[1] for row in rows], counted)
    means = [
        np.mean(precision["all"]), precision["all"][0], precision["all"][5],
        np.mean(precision["medium"]), np.mean(precision["large"]),
        np.mean(recall["all"]), recall["all"][0], recall["all"][5],
        np.mean(recall["medium"]), np.mean(recall["large"]),
    ]  # fmt: skip
    return tuple(-1.0 if np.isnan(value) else float(value) for value in means)


def similarity_of(truth, found, p, d, columns, spread) -> float:
    marks, points = truth.marks[p, columns] > 0, found.points[d, columns]
    apart = points - truth.points[p, columns]
    if not marks.any():
        corner, span = truth.boxes[p, :2], truth.boxes[p, 2:]
        apart = np.maximum(corner - span - points, 0) + np.maximum(points - corner - 2 * span, 0)
        marks = ~marks
    exponent = (apart**2).sum(-1) / spread / (truth.area[p] + np.spacing(1))
    return float(np.exp(-exponent)[marks].sum() / marks.sum())


def curves(rows: list[list[str]], counted: int) -> tuple[np.ndarray, np.ndarray]:
    precisions, recalls = [], []
    for t in range(10):
        right = wrong = 0
        points = []
        for row in rows:
            right, wrong = right + (row[t] == "right"), wrong + (row[t] == "wrong")
            points.append((right / counted, right / (right + wrong + np.spacing(1))))
        sampled = [
            max((p for recall, p in points if recall >= wanted), default=0.0) for wanted in RECALLS
        ]
        precisions.append(np.mean(sampled))
        recalls.append(points[-1][0] if points else 0.0)
    return np.array(precisions), np.array(recalls)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_all_images_at_once_give_what_a_walk_through_them_gives(seed):
    truth, found = scene(seed)
    for part, said in evaluate_whole_body(truth, found, SIGMAS).items():
        assert astuple(said) == pytest.approx(walked(truth, found, part), abs=1e-12), part


def test_perfect_detections_score_one_and_none_score_nothing():
    truth, _ = scene(1, images=3)
    truth = replace(truth, crowd=np.zeros(len(truth.crowd), dtype=bool))
    exact = KeypointDetections(
        image=truth.image, points=truth.points, scores=np.ones_like(truth.marks),
        confidence=np.ones(len(truth.image)),
    )  # fmt: skip
    said = evaluate_whole_body(truth, exact, SIGMAS)["wholebody"]
    assert (said.ap, said.ar) == (pytest.approx(1), pytest.approx(1))
    nobody = KeypointDetections(
        **{name: value[:0] for name, value in vars(exact).items() if value is not None}
    )
    said = evaluate_keypoints(truth, nobody, SIGMAS)
    assert (said.ap, said.ar_50) == (0, 0)
    empty = KeypointTruth(**{name: value[:0] for name, value in vars(truth).items()})
    assert evaluate_keypoints(empty, exact, SIGMAS).ap == -1


def test_crowded_pictures_are_measured_apart():
    truth, found = scene(3, images=8)
    few = {name: slice(None) for name in ("image", "boxes", "area", "crowd", "confidence")}
    part = {name: (slice(None), slice(0, 14)) for name in ("points", "marks", "scores")}
    truth = KeypointTruth(**{n: v[(few | part)[n]] for n, v in vars(truth).items()})
    found = KeypointDetections(
        **{n: v[(few | part)[n]] for n, v in vars(found).items() if n != "part_confidence"}
    )
    index = {image * 7: 0.09 + 0.1 * image for image in range(8)}
    whole, classes = evaluate_crowds(truth, found, CROWDPOSE_14.sigmas, index)
    assert classes["hard"] == -1, "no picture has an index of 0.8 or more"
    assert 0 < classes["easy"] < 1
    assert 0 < whole.ap < 1


def test_sets_that_do_not_fit_are_named():
    truth, found = scene(0, images=2)
    with pytest.raises(ConfigError, match="got 133, 133 and 17"):
        evaluate_keypoints(truth, found, COCO_17.sigmas)


@pytest.mark.slow
def test_the_size_of_cocos_validation_set_takes_seconds():
    random = np.random.default_rng(0)
    images, people, detections = 1000, 2, 20  # a fifth of it
    points = random.uniform(50, 400, (images * people, 133, 2))
    truth = KeypointTruth(
        image=np.repeat(np.arange(images), people), points=points,
        marks=np.full((images * people, 133), 2.0),
        boxes=np.tile([50.0, 50, 350, 350], (images * people, 1)),
        area=np.full(images * people, 20000.0), crowd=np.zeros(images * people, dtype=bool),
    )  # fmt: skip
    rows = np.repeat(np.arange(images * people), detections // people)
    found = KeypointDetections(
        image=truth.image[rows], points=points[rows] + random.normal(0, 4, (len(rows), 133, 2)),
        scores=np.ones((len(rows), 133)), confidence=random.random(len(rows)),
    )  # fmt: skip
    start = process_time()
    evaluate_whole_body(truth, found, SIGMAS)
    assert process_time() - start < 10


TOOLBOX = Path(os.environ.get("UNIPOSE_XTCOCO", ""))
"""Folder `annotations` of a clone of xtcocotools' repository."""
PUBLISHED = {
    "body": (0.853922, 1, 0.935231, 0.776544, 0.922774, 0.895833, 1, 0.958333, 0.827273, 0.953846),
    "foot": (0.957105, 1, 0.98544, 0.923762, 0.979066, 0.975, 1, 1, 0.957143, 0.988889),
    "face": (0.727013, 1, 0.816007, 0.69901, 0.751909, 0.746154, 1, 0.846154, 0.7, 0.76),
    "lefthand": (0.548743, 0.793729, 0.574257, 0.764356, 0.477492, 0.575, 0.833333, 0.583333, 0.8,
                 0.5),
    "righthand": (0.497841, 0.644564, 0.526253, 0.826733, 0.363096, 0.561538, 0.692308, 0.615385,
                  0.825, 0.444444),
    "wholebody": (0.642076, 1, 0.841089, 0.67645, 0.630317, 0.704167, 1, 0.875, 0.745455, 0.669231),
}  # fmt: skip


@pytest.mark.skipif(
    not (TOOLBOX / "example_wholebody_val.json").is_file(), reason="UNIPOSE_XTCOCO names no folder"
)
def test_the_toolbox_examples_give_its_numbers():
    truth = read_truth(TOOLBOX / "example_wholebody_val.json", COCO_WHOLEBODY_133)
    found = read_detections(TOOLBOX / "example_wholebody_preds.json", COCO_WHOLEBODY_133)
    for part, said in evaluate_whole_body(truth.people, found, SIGMAS).items():
        assert astuple(said) == pytest.approx(PUBLISHED[part], abs=1e-6), part
    truth = read_truth(TOOLBOX / "example_coco_val.json", COCO_17)
    found = read_detections(TOOLBOX / "example_coco_preds.json", COCO_17)
    said = evaluate_keypoints(truth.people, found, COCO_17.sigmas)
    assert (said.ap, said.ar) == pytest.approx((0.86089, 0.875), abs=1e-6)
    truth = read_truth(TOOLBOX / "example_crowdpose_val.json", CROWDPOSE_14)
    found = read_detections(TOOLBOX / "example_crowdpose_preds.json", CROWDPOSE_14)
    said, classes = evaluate_crowds(truth.people, found, CROWDPOSE_14.sigmas, truth.crowd_index)
    assert (said.ap, said.ar) == pytest.approx((0.787722, 0.822222), abs=1e-6)
    assert classes == {"easy": 1.0, "medium": 0.9802, "hard": 0.4116}
