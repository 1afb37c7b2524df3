"""How well a keypoint network does on the studio's held-out people, in true boxes."""

from __future__ import annotations

import numpy as np
import torch

from train.keypoint_batches import plain_crop
from train.keypoint_shards import ROOM, KeypointShards, MarkedCrops, samples_of
from unipose.body.keypoint_sets import COCO_17, COCO_WHOLEBODY_133
from unipose.body.keypoints import Keypoints
from unipose.metrics.keypoint_precision import (
    PARTS,
    KeypointDetections,
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
    count = len(network.config.keypoint_set)
    truth, detections = truth_of(people).only(slice(0, count)), detections_of(found)
    body = PARTS["body"]
    said = evaluate_keypoints(truth.only(body), detections.only(body), COCO_17.sigmas)
    scores = {"body_ap": said.ap, "body_ap_50": said.ap_50, "body_ar": said.ar}
    if network.config.keypoint_set == COCO_WHOLEBODY_133:
        whole = evaluate_keypoints(truth, detections, COCO_WHOLEBODY_133.sigmas)
        scores |= {"ap": whole.ap, "ar": whole.ar}
    off = np.linalg.norm(detections.points - truth.points, axis=-1)
    near = off < NEAR * people.pixels.shape[1] / ROOM
    return scores | {"near": float(near[truth.marks > 0].mean())}


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


def truth_of(people: MarkedCrops) -> KeypointTruth:
    """Return what is marked in stored crops, each of which is an image of its own."""
    corners = people.boxes.astype(np.float64)
    return KeypointTruth(
        image=np.arange(len(people)),
        points=people.points.astype(np.float64),
        marks=people.marks.astype(np.float64),
        boxes=np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        area=people.area.astype(np.float64),
        crowd=np.zeros(len(people), dtype=bool),
    )


def detections_of(found: Keypoints) -> KeypointDetections:
    """Return what was found in crops, each of which is an image of its own; nobody is left out."""
    return KeypointDetections(
        image=np.arange(len(found)),
        points=found.points.numpy().astype(np.float64),
        scores=np.maximum(found.scores.numpy().astype(np.float64), 1e-9),
        confidence=np.array([instance_score(row) for row in found.scores]),
    )
