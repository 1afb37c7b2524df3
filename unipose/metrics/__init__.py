"""The field's measures: joints, vertices, keypoints, rankings, distributions of features, texts."""

from unipose.metrics.frechet import frechet_distance
from unipose.metrics.joints import (
    acceleration_error,
    mpjpe,
    mpvpe,
    pa_mpjpe,
    procrustes_aligned,
    root_aligned,
)
from unipose.metrics.keypoints import object_keypoint_similarity
from unipose.metrics.ranking import Recall, RPrecision, r_precision, recall
from unipose.metrics.texts import TextScores, text_scores

__all__ = [
    "RPrecision",
    "Recall",
    "TextScores",
    "acceleration_error",
    "frechet_distance",
    "mpjpe",
    "mpvpe",
    "object_keypoint_similarity",
    "pa_mpjpe",
    "procrustes_aligned",
    "r_precision",
    "recall",
    "root_aligned",
    "text_scores",
]
