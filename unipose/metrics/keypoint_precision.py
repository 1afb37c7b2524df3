"""Average precision and recall of keypoints, as COCO, COCO-WholeBody and CrowdPose define them.

The numbers are those of pycocotools and xtcocotools to the last digit (their rules are spelled out
in `match_people` and `precision_of`), but all images are matched at once: rank by rank, an image's
surest detection first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.typing import ArrayLike

from unipose.errors import ConfigError

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Of the object keypoint similarity."""
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 20
"""Detections of an image that count, the surest ones."""
AREAS_PX = {"all": (0.0, 1e10), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
PARTS = {
    "body": slice(0, 17), "foot": slice(17, 23), "face": slice(23, 91), "lefthand": slice(91, 112),
    "righthand": slice(112, 133), "wholebody": slice(0, 133),
}  # fmt: skip
"""Of COCO-WholeBody's 133 keypoints: each is measured on its own."""
CROWDED = {"easy": (-np.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, np.inf)}
"""CrowdPose's classes of pictures by their crowd index, from the first up to the second number."""
CROWD_AREA = 0.53
"""Of a person to their box, where no area is known (CrowdPose)."""
_CHUNK = 8192


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointTruth:
    """Marked people, one a row, in the order of their file."""

    image: Int[ndarray, " person"]
    points: Float[ndarray, "person keypoint 2"]
    """Pixels."""
    marks: Float[ndarray, "person keypoint"]
    """Above 0 is labelled."""
    boxes: Float[ndarray, "person 4"]
    """Left, top, width, height."""
    area: Float[ndarray, " person"]
    """Of the outline, in pixels."""
    crowd: Bool[ndarray, " person"]
    """A group that is not taken apart: matches any number of detections, and counts for nothing."""

    def only(self, columns: slice) -> KeypointTruth:
        """Return the same people with some of the keypoints."""
        return replace(self, points=self.points[:, columns], marks=self.marks[:, columns])

    def some(self, chosen: Bool[ndarray, " person"]) -> KeypointTruth:
        """Return some of the people."""
        return KeypointTruth(**{name: value[chosen] for name, value in vars(self).items()})


@dataclass(frozen=True, kw_only=True, eq=False)
class KeypointDetections:
    """Detected people, one a row."""

    image: Int[ndarray, " found"]
    points: Float[ndarray, "found keypoint 2"]
    scores: Float[ndarray, "found keypoint"]
    confidence: Float[ndarray, " found"]
    """What they are ranked by."""
    part_confidence: Mapping[str, Float[ndarray, " found"]] | None = None
    """The same for a part of PARTS, where a detector has one."""

    def only(self, columns: slice) -> KeypointDetections:
        """Return the same detections with some of the keypoints."""
        return replace(self, points=self.points[:, columns], scores=self.scores[:, columns])

    def some(self, chosen: Bool[ndarray, " found"]) -> KeypointDetections:
        """Return some of the detections."""
        parts = self.part_confidence or {}
        return KeypointDetections(
            image=self.image[chosen],
            points=self.points[chosen],
            scores=self.scores[chosen],
            confidence=self.confidence[chosen],
            part_confidence={name: value[chosen] for name, value in parts.items()},
        )


@dataclass(frozen=True, kw_only=True)
class KeypointPrecision:
    """COCO's ten numbers, 0 to 1; -1 where nobody of that size is marked."""

    ap: float
    ap_50: float
    ap_75: float
    ap_medium: float
    ap_large: float
    ar: float
    ar_50: float
    ar_75: float
    ar_medium: float
    ar_large: float


@dataclass(frozen=True, kw_only=True, eq=False)
class _Matches:
    """What became of the detections of one part, in the order of images and then of confidence."""

    confidence: Float[ndarray, " found"]
    matched: Bool[ndarray, "area threshold found"]
    ignored: Bool[ndarray, "area threshold found"]
    people: Int[ndarray, " area"]
    """Marked ones that count."""


def evaluate_keypoints(
    truth: KeypointTruth,
    found: KeypointDetections,
    sigmas: Sequence[float],
    *,
    part: str = "",
) -> KeypointPrecision:
    """Return precision and recall of all keypoints, or of a `part` of COCO-WholeBody's 133.

    Raises ConfigError if truth, detections and sigmas do not have the same keypoints.
    """
    counts = {truth.points.shape[1], found.points.shape[1], len(sigmas)}
    if len(counts) > 1 or (part and counts != {133}):
        raise ConfigError(
            f"expected {'133' if part else 'as many'} keypoints in truth, detections and sigmas, "
            f"got {truth.points.shape[1]}, {found.points.shape[1]} and {len(sigmas)}"
        )
    if not len(truth.image):
        return KeypointPrecision(**dict.fromkeys(KeypointPrecision.__dataclass_fields__, -1.0))
    return _summary(match_people(truth, found, np.asarray(sigmas, dtype=np.float64), part))


def evaluate_whole_body(
    truth: KeypointTruth, found: KeypointDetections, sigmas: Sequence[float]
) -> dict[str, KeypointPrecision]:
    """Return COCO-WholeBody's six runs, by part; "wholebody" is the one that is called AP.

    Papers print one number for hands without saying how two become one: take the mean of both.
    """
    return {part: evaluate_keypoints(truth, found, sigmas, part=part) for part in PARTS}


def evaluate_crowds(
    truth: KeypointTruth,
    found: KeypointDetections,
    sigmas: Sequence[float],
    crowd_index: Mapping[int, float],
) -> tuple[KeypointPrecision, dict[str, float]]:
    """Return CrowdPose's numbers, and AP of easy, medium and hard images by their crowd index.

    The toolbox rounds the latter to four digits; -1 where a class has nobody.
    """
    area = CROWD_AREA * truth.boxes[:, 2] * truth.boxes[:, 3]
    truth = replace(truth, area=area)
    classes = {}
    for name, (low, high) in CROWDED.items():
        images = [image for image, index in crowd_index.items() if low <= index < high]
        marked = truth.some(np.isin(truth.image, images))
        detected = found.some(np.isin(found.image, images))
        classes[name] = round(evaluate_keypoints(marked, detected, sigmas).ap, 4)
    return evaluate_keypoints(truth, found, sigmas), classes


def match_people(
    truth: KeypointTruth,
    found: KeypointDetections,
    sigmas: Float[ndarray, " keypoint"],
    part: str = "",
) -> _Matches:
    """Match detections with people: by similarity, greedily, the surest detection first.

    - Marked people without a labelled keypoint of the part, and crowds, are ignored: a detection
      that matches them counts for nothing. Somebody who counts is preferred to them; of several
      the most similar one, of equally similar ones the last.
    - Detections without any keypoint of the part are left out.
    - A detection that matches nobody and is of another size than those that count is ignored.
    """
    columns = PARTS[part] if part else slice(None)
    confidence = (found.part_confidence or {}).get(part, found.confidence)
    rows = np.flatnonzero((found.scores[:, columns] > 0).any(1))
    rows = rows[np.lexsort((-confidence[rows], found.image[rows]))]
    first = np.searchsorted(found.image[rows], found.image[rows])
    rank = np.arange(len(rows)) - first
    rows, rank = rows[rank < MOST], rank[rank < MOST]

    labelled = np.any(truth.marks[:, columns] > 0, axis=1)
    area = truth.area
    low, high = (np.array(edges)[:, None] for edges in zip(*AREAS_PX.values()))
    ignored = (truth.crowd | ~labelled) | (area < low) | (area > high)  # area person
    table = _people_of_images(truth.image)
    images = np.unique(truth.image)
    at = np.searchsorted(images, found.image[rows]).clip(max=len(images) - 1)
    known = images[at] == found.image[rows]
    alike = _similarities(truth, found, rows, np.where(known[:, None], table[at], -1), columns,
                          sigmas[columns], labelled)  # fmt: skip

    matched = np.zeros((len(AREAS_PX), len(THRESHOLDS), len(rows)), dtype=bool)
    to_ignored = np.zeros_like(matched)
    free = np.ones((len(AREAS_PX), len(THRESHOLDS), *table.shape), dtype=bool)
    able = alike.max(axis=1, initial=-1) >= THRESHOLDS[0]  # the others match nobody
    out = np.take(ignored, table, axis=1)  # area image place
    crowds = truth.crowd[table]
    for r in range(MOST):
        some = np.flatnonzero(able & (rank == r))
        if not len(some):
            continue
        image = at[some]
        similar = alike[some]
        fits = free[:, :, image] & (similar >= np.minimum(THRESHOLDS, 1 - 1e-10)[:, None, None])
        aside = out[:, None, image]
        counting = fits & ~aside
        usable = np.where(counting.any(-1, keepdims=True), counting, fits)
        best = np.where(usable, similar, -1.0)
        place = best.shape[-1] - 1 - best[..., ::-1].argmax(-1)  # area threshold detection
        hit = usable.any(-1)
        matched[:, :, some] = hit
        of_ignored = np.take_along_axis(
            np.broadcast_to(aside, usable.shape), place[..., None], axis=-1
        )[..., 0]
        to_ignored[:, :, some] = hit & of_ignored
        taken = hit & ~crowds[image, place]
        a, t, d = np.nonzero(taken)
        free[a, t, image[d], place[taken]] = False
    size = _extent(found.points[rows])
    elsewhere = (size < low) | (size > high)  # area detection
    return _Matches(
        confidence=confidence[rows],
        matched=matched,
        ignored=to_ignored | (~matched & elsewhere[:, None]),
        people=(~ignored).sum(1),
    )


def _people_of_images(image: Int[ndarray, " person"]) -> Int[ndarray, "image place"]:
    """Return the rows of the people of each image (in the order of images), -1 beyond the last."""
    order = np.argsort(image, kind="stable")
    _, start, count = np.unique(image[order], return_index=True, return_counts=True)
    table = np.full((len(start), count.max()), -1)
    rows = np.repeat(np.arange(len(start)), count)
    table[rows, np.arange(len(order)) - np.repeat(start, count)] = order
    return table


def _similarities(
    truth: KeypointTruth,
    found: KeypointDetections,
    rows: Int[ndarray, " some"],
    people: Int[ndarray, "some place"],
    columns: slice,
    sigmas: Float[ndarray, " keypoint"],
    labelled: Bool[ndarray, " person"],
) -> Float[ndarray, "some place"]:
    """Return the OKS of each detection with the people of its image; -1 where there is nobody.

    Of somebody without a labelled keypoint, distances are those to their box, three times as large.
    """
    alike = np.full(people.shape, -1.0)
    some, place = np.nonzero(people >= 0)
    spread = 8 * np.square(sigmas)
    for k in range(0, len(some), _CHUNK):
        d, p = rows[some[k : k + _CHUNK]], people[some[k : k + _CHUNK], place[k : k + _CHUNK]]
        points = found.points[d][:, columns]
        apart = points - truth.points[p][:, columns]
        counts = truth.marks[p][:, columns] > 0
        bare = ~labelled[p]
        if bare.any():
            corner, span = truth.boxes[p[bare], None, :2], truth.boxes[p[bare], None, 2:]
            low, high = corner - span, corner + 2 * span
            apart[bare] = np.maximum(low - points[bare], 0) + np.maximum(points[bare] - high, 0)
            counts[bare] = True
        area = truth.area[p, None] + np.spacing(1)
        exponent = np.square(apart).sum(-1) / (spread * area)
        near = np.where(counts, np.exp(-exponent), 0.0)
        alike[some[k : k + _CHUNK], place[k : k + _CHUNK]] = near.sum(1) / counts.sum(1)
    return alike


def _extent(points: Float[ndarray, "found keypoint 2"]) -> Float[ndarray, " found"]:
    """Return the area of the box around the body's keypoints: how large a detection is."""
    body = points[:, : PARTS["body"].stop]
    return np.prod(body.max(axis=1, initial=-np.inf) - body.min(axis=1, initial=np.inf), axis=1)


def _summary(matches: _Matches) -> KeypointPrecision:
    precision, recall = zip(*(precision_of(matches, a) for a in range(len(AREAS_PX))))
    at_50, at_75 = 0, int(np.flatnonzero(THRESHOLDS == 0.75)[0])

    def mean(values: ArrayLike) -> float:
        known = np.asarray(values)[np.asarray(values) > -1]
        return float(known.mean()) if known.size else -1.0

    return KeypointPrecision(
        ap=mean(precision[0]), ap_50=mean(precision[0][at_50]), ap_75=mean(precision[0][at_75]),
        ap_medium=mean(precision[1]), ap_large=mean(precision[2]),
        ar=mean(recall[0]), ar_50=mean(recall[0][at_50]), ar_75=mean(recall[0][at_75]),
        ar_medium=mean(recall[1]), ar_large=mean(recall[2]),
    )  # fmt: skip


def precision_of(
    matches: _Matches, area: int
) -> tuple[Float[ndarray, "threshold recall"], Float[ndarray, " threshold"]]:
    """Return precision at RECALLS (no lower than at any higher recall), and the greatest recall.

    -1 where nobody counts.
    """
    shape = (len(THRESHOLDS), len(RECALLS))
    if not matches.people[area]:
        return np.full(shape, -1.0), np.full(shape[:1], -1.0)
    order = np.argsort(-matches.confidence, kind="stable")
    hit, aside = matches.matched[area][:, order], matches.ignored[area][:, order]
    right = np.cumsum(hit & ~aside, axis=1).astype(np.float64)
    wrong = np.cumsum(~hit & ~aside, axis=1).astype(np.float64)
    if not right.shape[1]:
        return np.zeros(shape), np.zeros(shape[:1])
    recall = right / matches.people[area]
    precision = right / (wrong + right + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    sampled = np.zeros(shape)
    for t in range(len(THRESHOLDS)):
        at = np.searchsorted(recall[t], RECALLS, side="left")
        reached = at < recall.shape[1]
        sampled[t, reached] = envelope[t, at[reached]]
    return sampled, recall[:, -1]
