"""How well a keypoint network does on the studio's held-out people, in true boxes."""

from __future__ import annotations

import numpy as np
import torch

from train.keypoint_batches import plain_crop
from train.keypoint_shards import ROOM, KeypointShards, MarkedCrops, samples_of
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.metrics.keypoint_precision import (
    KeypointDetections,
    KeypointPrecision,
    KeypointTruth,
    evaluate_keypoints,
)
from unipose.wholebody.crops import AffineCrops, moved_by
from unipose.wholebody.estimator import (
    KeypointNetwork,
    TorchEngine,
    WholeBodyEstimator,
    instance_score,
)

PLAIN_BATCH = 64
NEAR = 0.1
"""PCK: how far off a keypoint may be, in heights of the crop."""


def studio_scores(network: KeypointNetwork, shards: KeypointShards) -> dict[str, float]:
    """Return AP and AR of the body (COCO's 17), of all keypoints, and the share that is near.

    Each person stands in a crop of their true box; nothing is mirrored. `near` is PCK: within a
    tenth of the crop's height.
    """
    people = shards[np.arange(len(shards))]
    found = found_in_crops(network, people)
    scores = {}
    keypoint_set = network.config.keypoint_set
    if len(keypoint_set) == len(COCO_WHOLEBODY_133):
        whole = precision_in_crops(people, found, "wholebody")
        scores |= {"ap": whole.ap, "ar": whole.ar}
    body = precision_in_crops(people, found, "body")
    scores |= {"body_ap": body.ap, "body_ap_50": body.ap_50, "body_ar": body.ar}
    count = len(keypoint_set)
    off = np.linalg.norm(found.points.numpy() - people.points[:, :count], axis=-1)
    height = people.pixels.shape[1] / ROOM
    labelled = people.marks[:, :count] > 0
    return scores | {"near": float((off[labelled] < NEAR * height).mean())}


def found_in_crops(network: KeypointNetwork, people: MarkedCrops) -> Keypoints:
    """Return what a network sees in the true boxes, in pixels of the stored crops."""
    estimator = WholeBodyEstimator(TorchEngine(network), flip_test=False, batch=PLAIN_BATCH)
    samples = samples_of(people)
    crops = [plain_crop(sample, network.config)[0] for sample in samples]
    seen = estimator.look_at_crops(np.stack(crops))
    boxes = [sample.box for sample in samples]
    back = AffineCrops.around(boxes, network.config.size).to_picture()
    points = moved_by(seen.points.numpy().astype(np.float64), back)
    return Keypoints(
        keypoint_set=seen.keypoint_set,
        points=torch.from_numpy(points).float(),
        scores=seen.scores,
        present=seen.present,
    )


def precision_in_crops(people: MarkedCrops, found: Keypoints, part: str) -> KeypointPrecision:
    """Return COCO's numbers where every person is an image of their own."""
    count = len(COCO_17) if part == "body" else len(COCO_WHOLEBODY_133)
    numbers = np.arange(len(people))
    corners = people.boxes.astype(np.float64)
    truth = KeypointTruth(
        image=numbers,
        points=people.points[:, :count].astype(np.float64),
        marks=people.marks[:, :count].astype(np.float64),
        boxes=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        area=people.area.astype(np.float64),
        crowd=np.zeros(len(people), dtype=bool),
    )
    detections = KeypointDetections(
        image=numbers,
        points=found.points[:, :count].numpy().astype(np.float64),
        scores=np.maximum(found.scores[:, :count].numpy().astype(np.float64), 1e-9),
        confidence=np.array([instance_score(row) for row in found.scores]),
    )
    sigmas = (COCO_17 if part == "body" else COCO_WHOLEBODY_133).sigmas
    return evaluate_keypoints(truth, detections, sigmas)
